"""Reads and writes the directories of TIFF and EXIF blocks without changing values.

    header ─▶ IFD0 ─▶ IFD1 (thumbnail, never followed)
               ├── 8769 Exif ──▶ directory ── A005 Interoperability ──▶ directory
               └── 8825 GPS ───▶ directory

Values stay the bytes that they were, in the block's own byte order, so that types and rationals survive a rewrite.
Format: TIFF Revision 6.0, Adobe, 1992, section 2; Exif 2.32 (CIPA DC-008-2019), section 4.6.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType
from typing import Literal

from darkroom.imaging.codec.damage import Damaged, EndsEarly

Order = Literal["<", ">"]

#: Tags that point to a directory. Source: Exif 2.32, section 4.6.3.
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
#: Types of a tag's values. Source: TIFF 6.0, section 2.
ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 2, 3, 4, 5, 7

#: Largest number of values of one tag that is read: protects against hostile files.
_MAX_VALUES = 1_000_000
#: Largest number of directories in a chain that are counted.
_MAX_DIRECTORIES = 10_000
#: Largest number of entries of a directory that are read.
_MAX_ENTRIES = 65_535

#: Length of a classic TIFF's header in bytes; the picture's samples begin at this offset.
HEADER_BYTES = 8

#: Bytes of one value of each type; 16 to 18 exist in BigTIFF only.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
#: `struct` codes of the integer types. Some writers store numbers in a smaller or a signed type than the format names.
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
#: Which tags point to a directory: in IFD0, and in the directories below it.
_BELOW_FIRST = (EXIF, GPS)
_BELOW: Mapping[int, tuple[int, ...]] = MappingProxyType({EXIF: (INTEROPERABILITY,)})
#: Names of the directories below IFD0, for messages.
_NAMES = MappingProxyType({EXIF: "Exif", GPS: "GPS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One tag's value."""

    #: The TIFF type, 1 to 18.
    kind: int
    #: Number of values, not of bytes.
    count: int
    #: The values in the byte order of the block.
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The entries of one directory and the directories that it points to."""

    order: Order
    entries: Mapping[int, Entry]
    children: Mapping[int, "Directory"] = field(default_factory=dict)
    #: Number of entries that were skipped because their values lie outside the block.
    damaged: int = 0
    #: Tags that point to a directory that cannot be read.
    broken: tuple[int, ...] = ()

    def integers(self, tag: int) -> tuple[int, ...]:
        """The values of an integer tag of any size; empty if it is absent, of another type or has negative values."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _INTEGERS:
            return ()
        if entry.count > _MAX_VALUES:
            raise Damaged(f"the tag {tag} has {entry.count} values, at most {_MAX_VALUES} are read")
        values = struct.unpack(f"{self.order}{entry.count}{_INTEGERS[entry.kind]}", entry.value)
        return values if all(value >= 0 for value in values) else ()

    def integer(self, tag: int, default: int = 0) -> int:
        """The first value of an integer tag, or `default`."""
        return next(iter(self.integers(tag)), default)

    def ratio(self, tag: int) -> float:
        """The first value of a RATIONAL tag; 0 if it is absent or has no denominator."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind != RATIONAL or not entry.count:
            return 0.0
        numerator, denominator = struct.unpack_from(f"{self.order}II", entry.value)
        return numerator / denominator if denominator else 0.0

    def value(self, tag: int) -> bytes | None:
        """The bytes of a tag, or None if it is absent or empty."""
        entry = self.entries.get(tag)
        return entry.value if entry and entry.value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A TIFF block: byte order, offset of the first directory, and whether it is BigTIFF."""

    data: bytes
    order: Order
    first: int
    big: bool


def read_tree(data: bytes, offset: int | None = None) -> Directory:
    """IFD0, or the directory at `offset`, with the Exif, GPS and interoperability directories below it.

    A directory below it that cannot be read is left out, see `Directory.broken`. Raises ValueError if the directory
    itself cannot be read.
    """
    block = _block(data)
    return _read(block, block.first if offset is None else offset, _BELOW_FIRST)


def losses(tree: Directory) -> tuple[str, ...]:
    """A sentence for each directory below IFD0 that cannot be read."""
    return tuple(f"the {_NAMES[tag]} directory is damaged and was left out" for tag in tree.broken)


def first_directory(data: bytes) -> Directory:
    """IFD0 alone."""
    block = _block(data)
    return _read(block, block.first, ())


def directory_at(data: bytes, offset: int) -> Directory:
    """The directory at an offset. Raises ValueError if there is none."""
    return _read(_block(data), offset, ())


def chain(data: bytes) -> Iterator[tuple[int, Directory]]:
    """Offset and entries of IFD0 and of those that follow it, up to the first that cannot be read.

    Raises ValueError if IFD0 itself cannot be read.
    """
    block = _block(data)
    yield block.first, _read(block, block.first, ())
    for offset in islice(_offsets(block), 1, None):
        try:
            yield offset, _read(block, offset, ())
        except ValueError:
            return


def count_directories(data: bytes) -> int:
    """How many pictures a TIFF holds: its chain of directories, counted until it ends, repeats or breaks off."""
    return sum(1 for _ in _offsets(_block(data)))


def _offsets(block: _Block) -> Iterator[int]:
    count_format, entry_size, next_format = ("Q", 20, "Q") if block.big else ("H", 12, "I")
    offset, seen = block.first, set[int]()
    while offset and offset not in seen and len(seen) < _MAX_DIRECTORIES:
        seen.add(offset)
        try:
            entries = _number(block, count_format, offset)
            yield offset
            offset = _number(block, next_format, offset + struct.calcsize(f"<{count_format}") + entries * entry_size)
        except EndsEarly:
            return


def short(order: Order, *values: int) -> Entry:
    """A SHORT entry."""
    return Entry(kind=SHORT, count=len(values), value=struct.pack(f"{order}{len(values)}H", *values))


def long(order: Order, *values: int) -> Entry:
    """A LONG entry."""
    return Entry(kind=LONG, count=len(values), value=struct.pack(f"{order}{len(values)}I", *values))


def ascii_text(text: str) -> Entry:
    """An ASCII entry with its closing zero."""
    value = text.encode("ascii") + b"\0"
    return Entry(kind=ASCII, count=len(value), value=value)


def undefined(value: bytes) -> Entry:
    """An UNDEFINED entry."""
    return Entry(kind=UNDEFINED, count=len(value), value=value)


def rational(order: Order, value: float) -> Entry:
    """A RATIONAL entry with three decimals."""
    return Entry(kind=RATIONAL, count=1, value=struct.pack(f"{order}II", round(value * 1000), 1000))


def write_tree(directory: Directory, between: bytes = b"") -> bytes:
    """A classic TIFF block: header, the bytes `between` (samples of a picture), directory, its values, its children."""
    between += bytes(len(between) % 2)  # a directory begins at an even offset
    start = HEADER_BYTES + len(between)
    head = struct.pack(f"{directory.order}2sHI", b"II" if directory.order == "<" else b"MM", 42, start)
    return head + between + _write(directory, start)


def _block(data: bytes) -> _Block:
    order: Order = "<" if data[:2] == b"II" else ">"
    version = int.from_bytes(data[2:4], "little" if order == "<" else "big")
    if data[:2] not in (b"II", b"MM") or version not in (42, 43):
        raise Damaged(f"{data[:4]!r} does not begin a TIFF block")
    big = version == 43
    header = _Block(data=data, order=order, first=0, big=big)
    return replace(header, first=_number(header, "Q" if big else "I", 8 if big else 4))


def _number(block: _Block, code: str, at: int) -> int:
    """The integer of the `struct` code at an offset. Raises EndsEarly if it lies outside the block."""
    if at + struct.calcsize(f"<{code}") > len(block.data):
        raise EndsEarly(f"the TIFF block of {len(block.data)} bytes ends before the directory at byte {at}")
    number: int = struct.unpack_from(block.order + code, block.data, at)[0]
    return number


def _read(block: _Block, offset: int, pointers: tuple[int, ...]) -> Directory:
    entries, damaged = _entries(block, offset)
    plain = Directory(order=block.order, entries=entries)
    below = {tag: _child(block, plain.integer(tag), tag) for tag in pointers if tag in entries}
    return Directory(
        order=block.order,
        entries={tag: entry for tag, entry in entries.items() if tag not in below},
        children={tag: child for tag, child in below.items() if child is not None},
        damaged=damaged,
        broken=tuple(tag for tag, child in below.items() if child is None),
    )


def _child(block: _Block, offset: int, tag: int) -> Directory | None:
    """The directory that `tag` points to; None if there is none at `offset`."""
    try:
        return _read(block, offset, _BELOW.get(tag, ())) if offset else None
    except ValueError:
        return None


def _entries(block: _Block, offset: int) -> tuple[dict[int, Entry], int]:
    count_format, entry_size = ("Q", 20) if block.big else ("H", 12)
    count = _number(block, count_format, offset)
    first = offset + struct.calcsize(f"<{count_format}")
    if count > _MAX_ENTRIES:
        raise Damaged(f"a directory of {count} entries at {offset}, at most {_MAX_ENTRIES} are read")
    if first + count * entry_size > len(block.data):
        message = f"the TIFF block of {len(block.data)} bytes ends inside the directory of {count} entries at {offset}"
        raise EndsEarly(message)
    entries: dict[int, Entry] = {}
    total = damaged = 0
    for at in range(first, first + count * entry_size, entry_size):
        tag, entry = _entry(block, at)
        if entry is None:
            damaged += 1
            continue
        total += len(entry.value)
        if total > len(block.data):  # values that overlap would let a small block grow without bound
            raise Damaged(f"the values of the directory at {offset} overlap")
        entries[tag] = entry
    return entries, damaged


def _entry(block: _Block, at: int) -> tuple[int, Entry | None]:
    fields, inline = ("HHQ", 8) if block.big else ("HHI", 4)
    tag, kind, count = struct.unpack_from(block.order + fields, block.data, at)
    size = _SIZES.get(kind, 0) * count
    start = at + 4 + inline
    if size > inline:
        start = _number(block, "Q" if block.big else "I", start)
    if kind not in _SIZES or start + size > len(block.data):
        return tag, None
    return tag, Entry(kind=kind, count=count, value=block.data[start : start + size])


def _write(directory: Directory, offset: int) -> bytes:
    order = directory.order
    tags = sorted({*directory.entries, *directory.children})
    table = bytearray(struct.pack(f"{order}H", len(tags)))
    # The table's length is known before its values are placed: 2 for the count, 12 an entry, 4 for "no next directory".
    values = bytearray()
    values_at = offset + 2 + 12 * len(tags) + 4
    for tag in tags:
        if tag in directory.children:
            child = _write(directory.children[tag], values_at + len(values))
            table += struct.pack(f"{order}HHII", tag, LONG, 1, values_at + len(values))
            values += child
            continue
        entry = directory.entries[tag]
        table += struct.pack(f"{order}HHI", tag, entry.kind, entry.count)
        if len(entry.value) <= 4:
            table += entry.value.ljust(4, b"\0")
            continue
        table += struct.pack(f"{order}I", values_at + len(values))
        values += entry.value + bytes(len(entry.value) % 2)  # offsets are even
    return bytes(table + struct.pack(f"{order}I", 0) + values + bytes(len(values) % 2))
