"""Choose the default among the models of one stage and one scale.

An installed network replaces the built-in model if the operator selected it (`darkroom models use`), or if its measured
figure is better and the operator has not disabled it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from darkroom.domain.pipeline import Quality

if TYPE_CHECKING:
    from darkroom.inference.registry import ModelEntry


def choose(entries: Sequence["ModelEntry"], quality: Quality = "best") -> "ModelEntry | None":
    """Return the model that is used unless one is named; None if there is none.

    Parameters
    ----------
    entries
        Models of one stage and one scale that may be used.
    quality
        `best` means the model chosen by `models use`, else the installed network with the largest measured gain, else
        the built-in default. `fast` means the built-in default, and an installed network only where there is none.
    """
    built_in = [each for each in entries if each.default and not each.installed]
    installed = [each for each in entries if each.installed and is_candidate(each)]
    installed.sort(key=lambda each: (each.preferred is True, each.evidence.gain if each.evidence else 0.0))
    ordered = [*installed, *built_in] if quality == "fast" else [*built_in, *installed]
    return ordered[-1] if ordered else None


def is_candidate(entry: "ModelEntry") -> bool:
    """Whether an installed network may become the default: it was chosen, or is better and was not turned down."""
    if entry.preferred is not None:
        return entry.preferred
    return entry.evidence is not None and entry.evidence.gain > 0
