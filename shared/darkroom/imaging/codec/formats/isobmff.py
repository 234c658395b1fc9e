"""Reads the boxes of AVIF and HEIC files.

    ftyp, meta ┬ pitm: number of the primary item        mdat: the items' bytes
               ├ iinf ─ infe: type of each item
               ├ iloc: where each item's bytes lie
               └ iprp ┬ ipco: properties (size, colours, rotation, bits)
                      └ ipma: which properties each item has

Formats: ISO/IEC 14496-12 (ISO base media files), ISO/IEC 23008-12 (HEIF), AV1 Image File Format 1.1.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from darkroom.imaging.codec.damage import EndsEarly

#: Item types that hold EXIF and XMP.
_EXIF, _XMP = b"Exif", b"mime"
#: Most boxes of one level, items and properties that are read: protects against hostile files.
_MAX_COUNT = 10_000


@dataclass(slots=True)
class Container:
    """What the meta box holds about the primary item; empty where it cannot be parsed."""

    primary: int = 0
    #: Item number ─▶ type, and the offset of that type in the file.
    types: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    #: Item number ─▶ (offset, length) of its parts in the file.
    parts: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    #: Type and payload of each property, in the order of ipco.
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    #: Item number ─▶ places of its properties in `properties`.
    associated: dict[int, list[int]] = field(default_factory=dict)

    def property(self, kind: bytes) -> bytes | None:
        """The payload of a property of the primary item."""
        return next((payload for name, payload in self._of_primary() if name == kind), None)

    def colors(self) -> list[bytes]:
        """The payloads of the primary item's colr properties."""
        return [payload for name, payload in self._of_primary() if name == b"colr"]

    def size(self) -> tuple[int, int] | None:
        """Width and height of the primary item before rotation: of its clean aperture if it has one."""
        found, aperture = self.property(b"ispe"), self.property(b"clap")
        if aperture is not None and len(aperture) == 32:
            across, across_divisor, down, down_divisor = struct.unpack_from(">4I", aperture)
            if across_divisor and down_divisor:
                return across // across_divisor, down // down_divisor
        if found is None or len(found) < 12:
            return None
        width, height = struct.unpack_from(">II", found, 4)
        return width, height

    def turned(self) -> bool:
        """Whether the container rotates or mirrors the primary item."""
        return bool((self.property(b"irot") or b"\0")[0] & 3) or self.property(b"imir") is not None

    def exif(self, data: bytes) -> bytes | None:
        """The TIFF block of the first EXIF item."""
        for number, (kind, _) in self.types.items():
            block = b"".join(data[at : at + size] for at, size in self.parts.get(number, ()))
            if kind == _EXIF and len(block) > 4:
                return block[4 + int.from_bytes(block[:4]) :]
        return None

    def _of_primary(self) -> list[tuple[bytes, bytes]]:
        places = self.associated.get(self.primary, ())
        return [self.properties[place] for place in places if place < len(self.properties)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    kind: bytes
    #: Offsets of the payload.
    start: int
    end: int


def container(data: bytes) -> Container:
    """The contents of the meta box. What cannot be parsed stays empty: the decoder then finds the damage."""
    found = Container()
    try:
        for box in _boxes(data, 0, len(data)):
            if box.kind == b"meta":
                _read_meta(data, box, found)
    except (struct.error, EndsEarly):
        pass
    return found


def require_whole(data: bytes) -> None:
    """Raise `EndsEarly` if a box or a part of an item reaches beyond the end of the file."""
    for _ in _boxes(data, 0, len(data)):
        pass
    for parts in container(data).parts.values():
        for at, size in parts:
            if at + size > len(data):
                raise EndsEarly(f"end of file after {len(data)} bytes, its pixel data reach to {at + size}")


def without_descriptions(data: bytes) -> bytes:
    """The same file whose EXIF and XMP items have an unknown type, so that decoders pass them over."""
    changed = bytearray(data)
    for kind, at in container(data).types.values():
        if kind in (_EXIF, _XMP):
            changed[at : at + 4] = b"skip"
    return bytes(changed)


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    at = start
    for _ in range(_MAX_COUNT):
        if at + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            if at + 16 > end:
                raise EndsEarly(f"end of file inside a box, after {len(data)} bytes")
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        stop = at + size if size else end
        if stop > end or stop < at + head:
            message = f"end of file after {end} bytes, its box {kind.decode('latin-1')!r} reaches to {stop}"
            raise EndsEarly(message)
        yield _Box(kind=kind, start=at + head, end=stop)
        at = stop


def _read_meta(data: bytes, meta: _Box, found: Container) -> None:
    for box in _boxes(data, meta.start + 4, meta.end):
        if box.kind == b"pitm":
            wide = data[box.start] > 0
            found.primary = struct.unpack_from(">I" if wide else ">H", data, box.start + 4)[0]
        elif box.kind == b"iinf":
            _read_items(data, box, found)
        elif box.kind == b"iloc":
            _read_locations(data, box, found)
        elif box.kind == b"iprp":
            _read_properties(data, box, found)


def _read_items(data: bytes, box: _Box, found: Container) -> None:
    start = box.start + (8 if data[box.start] else 6)
    for item in _boxes(data, start, box.end):
        version = data[item.start]
        if item.kind == b"infe" and version >= 2:
            code, kind_at = (">H", item.start + 8) if version == 2 else (">I", item.start + 10)
            number = struct.unpack_from(code, data, item.start + 4)[0]
            found.types[number] = (data[kind_at : kind_at + 4], kind_at)


def _read_locations(data: bytes, box: _Box, found: Container) -> None:
    version, sizes = data[box.start], struct.unpack_from(">H", data, box.start + 4)[0]
    offset_bytes, length_bytes, base_bytes = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_bytes = sizes & 15 if version else 0
    reader = _Reader(data, box.start + 6)
    for _ in range(min(reader.take(4 if version == 2 else 2), _MAX_COUNT)):
        number = reader.take(4 if version == 2 else 2)
        method = reader.take(2) & 15 if version else 0
        reader.take(2)
        base, parts = reader.take(base_bytes), []
        for _ in range(min(reader.take(2), _MAX_COUNT)):
            reader.take(index_bytes)
            offset, length = reader.take(offset_bytes), reader.take(length_bytes)
            parts.append((base + offset, length))
        if method == 0:  # the others count from a box or from another item
            found.parts[number] = parts


def _read_properties(data: bytes, box: _Box, found: Container) -> None:
    for child in _boxes(data, box.start, box.end):
        if child.kind == b"ipco":
            found.properties = [
                (each.kind, data[each.start : each.end]) for each in _boxes(data, child.start, child.end)
            ]
        elif child.kind == b"ipma":
            _read_associations(data, child, found)


def _read_associations(data: bytes, box: _Box, found: Container) -> None:
    version, wide = data[box.start], data[box.start + 3] & 1
    reader = _Reader(data, box.start + 4)
    for _ in range(min(reader.take(4), _MAX_COUNT)):
        number = reader.take(4 if version else 2)
        places = [reader.take(2) & 0x7FFF if wide else reader.take(1) & 0x7F for _ in range(reader.take(1))]
        found.associated[number] = [place - 1 for place in places if place]


@dataclass(slots=True)
class _Reader:
    data: bytes
    at: int

    def take(self, count: int) -> int:
        """The next `count` bytes as a big-endian number."""
        if self.at + count > len(self.data):
            raise EndsEarly(f"end of file inside a box, after {len(self.data)} bytes")
        self.at += count
        return int.from_bytes(self.data[self.at - count : self.at])
