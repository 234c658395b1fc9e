"""Updates an EXIF block for a changed picture.

The result is upright, has another size, is sRGB, and differs from its old thumbnail. All other tags stay as the camera
wrote them. Tags: Exif 2.32 (CIPA DC-008-2019).
"""

from dataclasses import dataclass, replace

from darkroom.imaging.codec.metadata import ifd

#: Value of the Software tag in results.
SOFTWARE = "Darkroom"

_WIDTH, _LENGTH, _ORIENTATION, _SOFTWARE = 0x0100, 0x0101, 0x0112, 0x0131
_COLOR_SPACE, _PIXELS_ACROSS, _PIXELS_DOWN = 0xA001, 0xA002, 0xA003
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _INCH = 0x011A, 0x011B, 0x0128, 2
_PADDING = 0xEA1C

#: Tags that are dropped: layout of the old samples, thumbnail, and blocks that results store elsewhere.
_OF_THE_OLD_FILE = frozenset(
    {_WIDTH, _LENGTH, 0x0103, 0x0111, 0x0115, 0x0116, 0x0117, 0x014A, 0x0201, 0x0202, 0x0203}
    | {700, 33723, 34377, 34675, _PADDING}
)

#: Value of the ColorSpace tag for sRGB. Source: Exif 2.32, section 4.6.5.
SRGB = 1
#: Value of the ColorSpace tag for any other profile. Source: as for `SRGB`.
UNCALIBRATED = 0xFFFF


def orientation(exif: bytes) -> int | None:
    """The orientation tag, 1 to 8, or None if it is absent or out of range. Raises ValueError or struct.error."""
    value = ifd.first_directory(exif).integer(_ORIENTATION)
    return value if 1 <= value <= 8 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Properties of the result that differ from the file."""

    width: int
    height: int
    keep_gps: bool
    #: `SRGB` or `UNCALIBRATED`.
    color_space: int
    #: Pixels per inch, if the file states them; stored here for formats without their own field.
    dpi: tuple[float, float] | None


def cleaned(block: bytes, changes: Changes) -> bytes:
    """The block for the result: upright, resized, marked, without thumbnail, with GPS data on request.

    Raises ValueError or struct.error if the block cannot be parsed. Maker notes are kept as bytes. Their offsets may be
    relative to the old block and then become invalid, as after any rewrite by software other than the maker's.
    """
    tree = ifd.read_tree(block)
    entries = {tag: entry for tag, entry in tree.entries.items() if tag not in _OF_THE_OLD_FILE}
    children = {tag: child for tag, child in tree.children.items() if changes.keep_gps or tag != ifd.GPS}
    if ifd.EXIF in children:
        children[ifd.EXIF] = _cleaned_details(children[ifd.EXIF], changes)
    entries |= _marks(tree.order, changes)
    return ifd.write_tree(ifd.Directory(order=tree.order, entries=entries, children=children))


def marked_only(changes: Changes) -> bytes:
    """A block that holds only the mark and the resolution."""
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
    # The interoperability directory states R98 (sRGB) or R03 (Adobe RGB); without it readers use the colour space.
    return replace(details, entries=entries, children={})
