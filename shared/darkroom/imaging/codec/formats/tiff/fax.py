"""Finds damage in CCITT compressed data, which decoders pass over without an error.

Every code of every row is read, and its runs must fill the row exactly. Format: ITU-T T.4 (2003), tables 2 and 3;
ITU-T T.6 (1988), section 2.2.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from itertools import chain

from darkroom.imaging.codec.formats.tiff.layout import CCITT_RLE, CCITT_T6

#: Codes of white runs of 0 to 63 pixels, in this order.
_WHITE = (
    "00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 110101 "
    "101010 101011 0100111 0001100 0001000 0010111 0000011 0000100 0101000 0101011 0010011 0100100 "
    "0011000 00000010 00000011 00011010 00011011 00010010 00010011 00010100 00010101 00010110 00010111 "
    "00101000 00101001 00101010 00101011 00101100 00101101 00000100 00000101 00001010 00001011 01010010 "
    "01010011 01010100 01010101 00100100 00100101 01011000 01011001 01011010 01011011 01001010 01001011 "
    "00110010 00110011 00110100"
)
#: Codes of black runs of 0 to 63 pixels.
_BLACK = (
    "0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 0000111 00000100 00000111 "
    "000011000 0000010111 0000011000 0000001000 00001100111 00001101000 00001101100 00000110111 "
    "00000101000 00000010111 00000011000 000011001010 000011001011 000011001100 000011001101 000001101000 "
    "000001101001 000001101010 000001101011 000011010010 000011010011 000011010100 000011010101 "
    "000011010110 000011010111 000001101100 000001101101 000011011010 000011011011 000001010100 "
    "000001010101 000001010110 000001010111 000001100100 000001100101 000001010010 000001010011 "
    "000000100100 000000110111 000000111000 000000100111 000000101000 000001011000 000001011001 "
    "000000101011 000000101100 000001011010 000001100110 000001100111"
)
#: Codes of white runs of 64, 128 and so on to 1728 pixels, each followed by one of 0 to 63.
_WHITE_64 = (
    "11011 10010 010111 0110111 00110110 00110111 01100100 01100101 01101000 01100111 011001100 011001101 "
    "011010010 011010011 011010100 011010101 011010110 011010111 011011000 011011001 011011010 011011011 "
    "010011000 010011001 010011010 011000 010011011"
)
#: The same for black runs.
_BLACK_64 = (
    "0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101 "
    "0000001101100 0000001101101 0000001001010 0000001001011 0000001001100 0000001001101 0000001110010 "
    "0000001110011 0000001110100 0000001110101 0000001110110 0000001110111 0000001010010 0000001010011 "
    "0000001010100 0000001010101 0000001011010 0000001011011 0000001100100 0000001100101"
)
#: Codes of runs of either colour of 1792, 1856 and so on to 2560 pixels.
_LONG = (
    "00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 000000010110 "
    "000000010111 000000011100 000000011101 000000011110 000000011111"
)
#: Modes of two-dimensional coding: distance of a change from the one above it, horizontal (H) and pass (P) mode.
_MODES: dict[str, int | str] = {
    "1": 0,
    "011": 1,
    "000011": 2,
    "0000011": 3,
    "010": -1,
    "000010": -2,
    "0000010": -3,
    "001": "H",
    "0001": "P",
}
#: Mark of a row's beginning in T.4, with any number of zeros before it.
_ROW_MARK = re.compile("0{11,}1")
#: Bit of T4Options: rows may be coded two-dimensionally, as a bit behind the mark says.
_TWO_DIMENSIONAL = 1


class _Invalid(Exception):
    """The bits are no code, or a run leaves the row."""


def _table(terminating: str, makeup: str) -> dict[str, int]:
    runs = {code: run for run, code in enumerate(terminating.split())}
    return runs | {code: 64 * (count + 1) for count, code in enumerate(chain(makeup.split(), _LONG.split()))}


def _pattern(codes: dict[str, int] | dict[str, int | str]) -> re.Pattern[str]:
    return re.compile("|".join(sorted(codes, key=len)))


_RUNS = (_table(_WHITE, _WHITE_64), _table(_BLACK, _BLACK_64))
_RUN_PATTERNS = (_pattern(_RUNS[0]), _pattern(_RUNS[1]))
_MODE_PATTERN = _pattern(_MODES)


def is_valid_fax(data: bytes, size: tuple[int, int], compression: int, options: int) -> bool:
    """Whether `data`, highest bit first, hold rows and columns of `size` in a CCITT compression.

    `options` are the T4Options of the file. About 0.5 s for a page of 8 megapixels with much text.
    """
    reader = _Reader(data, size[1])
    row: Callable[[], None] = reader.row_of_runs
    if compression == CCITT_T6:
        row = reader.row_by_the_one_above
    elif compression != CCITT_RLE:
        row = reader.marked_row_of_two_kinds if options & _TWO_DIMENSIONAL else reader.marked_row
    try:
        for _ in range(size[0]):
            row()
            if compression == CCITT_RLE:
                reader.to_full_byte()
    except _Invalid:
        return False
    return True


class _Reader:
    """Reads the codes of rows."""

    def __init__(self, data: bytes, width: int) -> None:
        self._bits = f"{int.from_bytes(data):0{8 * len(data)}b}" if data else ""
        self._at, self._width = 0, width
        #: Columns at which the colour changes in the last row, the first time to black.
        self._changes: list[int] = []

    def to_full_byte(self) -> None:
        """Pass over the bits up to the next byte."""
        self._at = -(-self._at // 8) * 8

    def marked_row(self) -> None:
        """Read a row of T.4 with one dimension."""
        self._pass_mark()
        self.row_of_runs()

    def marked_row_of_two_kinds(self) -> None:
        """Read a row of T.4 with one or two dimensions."""
        self._pass_mark()
        self._at += 1
        if self._bits[self._at - 1 : self._at] == "1":
            self.row_of_runs()
        else:
            self.row_by_the_one_above()

    def row_of_runs(self) -> None:
        """Read runs of white and black in turn."""
        column, color, changes = 0, 0, []
        while column < self._width:
            column += self._run(color)
            changes.append(column)
            color = 1 - color
        self._finish(changes)

    def row_by_the_one_above(self) -> None:
        """Read a row as differences from the last one."""
        column, color, changes = -1, 0, list[int]()
        while column < self._width:
            mode = _MODES[self._code(_MODE_PATTERN)]
            above = bisect_right(self._changes, column)
            above += (above + color) % 2
            if mode == "H":
                first = max(column, 0) + self._run(color)
                column = first + self._run(1 - color)
                changes += [first, column]
            elif mode == "P":
                column = self._above(above + 1)
            else:
                change = self._above(above) + int(mode)
                if change < max(column, 0):
                    raise _Invalid
                column, color = change, 1 - color
                changes.append(column)
        self._finish(changes)

    def _above(self, index: int) -> int:
        return self._changes[index] if index < len(self._changes) else self._width

    def _pass_mark(self) -> None:
        found = _ROW_MARK.match(self._bits, self._at)
        self._at = found.end() if found else self._at

    def _run(self, color: int) -> int:
        total, run = 0, 64
        while run >= 64:
            run = _RUNS[color][self._code(_RUN_PATTERNS[color])]
            total += run
        return total

    def _code(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._bits, self._at)
        if found is None:
            raise _Invalid
        self._at = found.end()
        return found[0]

    def _finish(self, changes: list[int]) -> None:
        """Keep the changes of a row that is full; runs of no pixels are no changes."""
        if changes and changes[-1] > self._width:
            raise _Invalid
        kept = list[int]()
        for change in changes:
            if kept and kept[-1] == change:
                kept.pop()
            else:
                kept.append(change)
        self._changes = [change for change in kept if change < self._width]
