"""Counts the frames of a GIF and finds the place of the first.

Counted block by block without decoding, as Pillow's own count builds every frame. Format: GIF89a specification,
CompuServe, 1990.
"""

import struct
from dataclasses import dataclass

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B

#: Counting ends here: a hostile file could hold millions of empty frames.
MAX_COUNTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The rectangle that a frame fills on the canvas, in pixels."""

    rows: slice
    columns: slice

    def covers(self, height: int, width: int) -> bool:
        """Whether no pixel of a canvas of this size lies outside."""
        begins_there = self.rows.start == self.columns.start == 0
        return begins_there and bool(self.rows.stop >= height) and bool(self.columns.stop >= width)


def first_frame(data: bytes) -> Frame | None:
    """The place of the first frame; None without a frame."""
    at = _first_image(data)
    if at is None or at + 9 > len(data):
        return None
    left, top, width, height = struct.unpack_from("<4H", data, at + 1)
    return Frame(rows=slice(top, top + height), columns=slice(left, left + width))


def _first_image(data: bytes) -> int | None:
    at = 13 + _table_bytes(data[10])
    while at < len(data) and data[at] == _EXTENSION:
        at = _after_blocks(data, at + 2)
    return at if at < len(data) and data[at] == _IMAGE else None


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
