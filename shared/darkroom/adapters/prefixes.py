"""Computes the range of texts with a prefix, in the order of their UTF-8 bytes."""

#: The last character of Unicode, and the two between which there are none (surrogates are no characters).
_LAST, _BEFORE_SURROGATES, _AFTER_SURROGATES = "\U0010ffff", "\ud7ff", "\ue000"


def end_of_prefix(prefix: str) -> str | None:
    """The first text after all texts with the prefix `prefix`; None if there is none.

    >>> end_of_prefix("ab")
    'ac'
    """
    stem = prefix.rstrip(_LAST)
    if not stem:
        return None
    last = stem[-1]
    following = _AFTER_SURROGATES if last == _BEFORE_SURROGATES else chr(ord(last) + 1)
    return stem[:-1] + following
