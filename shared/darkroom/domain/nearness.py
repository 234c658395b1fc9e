"""Finds the name that a misspelt word was probably meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

#: Ratio of `difflib` from which a word is a misspelt name: one wrong letter of five is.
NEARNESS = 0.75


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name that is most like the word; None if no name is like it.

    >>> nearest("Low-Light", ["low_light", "denoise"]), nearest("wedding", ["denoise"])
    ('low_light', None)
    """
    written = word.lower().replace("-", "_").replace(" ", "_")
    return next(iter(get_close_matches(written, list(names), n=1, cutoff=NEARNESS)), None)


def suggestion(word: str, names: Iterable[str]) -> str:
    """The end of an error message about an unknown word: `; did you mean 'restore'?`, or nothing."""
    found = nearest(word, names)
    return "" if found is None else f"; did you mean {found!r}?"
