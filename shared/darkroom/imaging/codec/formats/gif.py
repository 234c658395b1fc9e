"""Counts the frames of a GIF.

Counted block by block without decoding, as Pillow's own count builds every frame. Format: GIF89a specification,
CompuServe, 1990.
"""

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B

#: Counting ends here: a hostile file could hold millions of empty frames.
MAX_COUNTED = 10_000


def count_frames(data: bytes) -> int:
    """Frames up to the first damage, the trailer or `MAX_COUNTED`; at least 1."""
    at, frames = 13 + _table_bytes(data[10]), 0
    while frames < MAX_COUNTED and at < len(data) and data[at] != _TRAILER:
        if data[at] == _IMAGE and at + 10 <= len(data):
            frames += 1
            at = _after_blocks(data, at + 11 + _table_bytes(data[at + 9]))
        elif data[at] == _EXTENSION:
            at = _after_blocks(data, at + 2)
        else:
            break
    return max(1, frames)


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """The place after a chain of sub-blocks, each of which begins with its length; a length of 0 ends the chain."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1
