"""Updates an EXIF block for a changed picture.

The picture is upright now, has another size, is sRGB, and no longer looks like its thumbnail. Everything else stays as
the camera wrote it. Tags: Exif 2.32 (CIPA DC-008-2019).
"""

from dataclasses import dataclass, replace

from darkroom.imaging.codec.metadata import ifd

#: The mark that a result carries, in the tag that names the software.
SOFTWARE = "Darkroom"

_WIDTH, _LENGTH, _ORIENTATION, _SOFTWARE = 0x0100, 0x0101, 0x0112, 0x0131
_COLOR_SPACE, _PIXELS_ACROSS, _PIXELS_DOWN = 0xA001, 0xA002, 0xA003
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _INCH = 0x011A, 0x011B, 0x0128, 2
_PADDING = 0xEA1C

#: Layout of the old file's samples and its thumbnail, and blocks that results carry in places of their own.
_OF_THE_OLD_FILE = frozenset(
    {_WIDTH, _LENGTH, 0x0103, 0x0111, 0x0115, 0x0116, 0x0117, 0x014A, 0x0201, 0x0202, 0x0203}
    | {700, 33723, 34377, 34675, _PADDING}
)

SRGB, UNCALIBRATED = 1, 0xFFFF


def orientation(exif: bytes) -> int | None:
    """The orientation tag, 1 to 8, or None if it is absent or out of range. Raises ValueError or struct.error."""
    value = ifd.first_directory(exif).integer(_ORIENTATION)
    return value if 1 <= value <= 8 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is true of the result and was not of the file."""

    width: int
    height: int
    keep_gps: bool
    #: `SRGB` or `UNCALIBRATED`.
    color_space: int
    #: Pixels per inch, if the file stated any: formats without a field of their own carry it here.
    dpi: tuple[float, float] | None


def cleaned(block: bytes, changes: Changes) -> bytes:
    """The block for the result: upright, resized, marked, without thumbnail, with places on request.

    Raises ValueError or struct.error if the block cannot be parsed. Maker notes are kept as bytes: entries inside them
    that count from the start of the old block may point elsewhere now, as with every rewrite by one who does not know
    the maker.
    """
    tree = ifd.read_tree(block)
    entries = {tag: entry for tag, entry in tree.entries.items() if tag not in _OF_THE_OLD_FILE}
    children = {tag: child for tag, child in tree.children.items() if changes.keep_gps or tag != ifd.GPS}
    if ifd.EXIF in children:
        children[ifd.EXIF] = _cleaned_details(children[ifd.EXIF], changes)
    entries |= _marks(tree.order, changes)
    return ifd.write_tree(ifd.Directory(order=tree.order, entries=entries, children=children))


def marked_only(changes: Changes) -> bytes:
    """A block that holds nothing but the mark and the density."""
    return ifd.write_tree(ifd.Directory(order="<", entries=_marks("<", changes)))


def _marks(order: ifd.Order, changes: Changes) -> dict[int, ifd.Entry]:
    marks = {_ORIENTATION: ifd.short(order, 1), _SOFTWARE: ifd.ascii_text(SOFTWARE)}
    if changes.dpi is None:
        return marks
    across, down = changes.dpi
    density = {_X_RESOLUTION: ifd.rational(order, across), _Y_RESOLUTION: ifd.rational(order, down)}
    return marks | density | {_RESOLUTION_UNIT: ifd.short(order, _INCH)}


def _cleaned_details(details: ifd.Directory, changes: Changes) -> ifd.Directory:
    entries = {tag: entry for tag, entry in details.entries.items() if tag != _PADDING}
    entries |= {
        _COLOR_SPACE: ifd.short(details.order, changes.color_space),
        _PIXELS_ACROSS: ifd.long(details.order, changes.width),
        _PIXELS_DOWN: ifd.long(details.order, changes.height),
    }
    # The interoperability directory says R98 (sRGB) or R03 (Adobe RGB); without it readers go by the colour space.
    return replace(details, entries=entries, children={})
