"""Writes measured figures into a model's card.

A card has a place for them between two comments, which a reader of the page does not see.
"""

from pathlib import Path

BEGIN, END = "<!-- measured -->", "<!-- end of what was measured -->"


def write_figures(card: Path, figures: str) -> None:
    """Replace the text between the two comments of the card.

    Raises SystemExit if the card has no such place.
    """
    text = card.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{card} has no lines {BEGIN} and {END} to write between")
    card.write_text(f"{before}{BEGIN}\n\n{figures.strip()}\n\n{END}{after}", encoding="utf-8")
