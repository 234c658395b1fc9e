"""Darkroom: photographs restored, corrected, or ready for a catalogue.

>>> from darkroom import enhance
>>> enhance("old.jpg", preset="restore").save("restored.jpg")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darkroom.library import Result, enhance, enhance_many

__all__ = ["Result", "__version__", "enhance", "enhance_many"]

#: Version of the code; part of every artifact's digest, so that a new release never reuses an old one's pixels.
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """The library's names, imported on first use: a function that starts does not pay for them."""
    if name in __all__:
        from darkroom import library

        return getattr(library, name)
    raise AttributeError(f"module 'darkroom' has no attribute {name!r}")
