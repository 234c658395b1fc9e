"""Describes how a TIFF stores its samples, from the tags of one directory.

Format: TIFF Revision 6.0, Adobe, 1992, sections 8 and 15; Adobe Photoshop TIFF Technical Notes, 2002.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec.metadata import ifd

SampleFormat = Literal["unsigned", "signed", "float"]

#: Photometric interpretations that are read.
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, CIE_LAB, ICC_LAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
#: Compressions that other modules treat apart.
UNCOMPRESSED, CCITT_RLE, CCITT_T4, CCITT_T6, OLD_JPEG, JPEG = 1, 2, 3, 4, 6, 7

_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_SIZES, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_SIZES, _EXTRA, _FORMAT = 322, 323, 324, 325, 338, 339
_SUBSAMPLING = 530

_FORMATS: Mapping[int, SampleFormat] = MappingProxyType(
    {0: "unsigned", 1: "unsigned", 2: "signed", 3: "float", 4: "unsigned"}
)
_FLOAT_BITS, _INTEGER_BITS = frozenset({16, 24, 32, 64}), frozenset({*range(1, 33), 64})
_MSB_FIRST, _SEPARATE = 1, 2

#: Number of samples that carry colour, by photometric interpretation.
COLORS: Mapping[int, int] = MappingProxyType(
    {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, PALETTE: 1, MASK: 1, RGB: 3, CMYK: 4, YCBCR: 3, CIE_LAB: 3, ICC_LAB: 3}
)

#: Largest number of samples per pixel that is read: protects the memory.
_MAX_SAMPLES = 16
#: Largest area of a tile in pixels where the picture itself is smaller.
_MAX_TILE_AREA = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the samples of one picture lie in the file."""

    height: int
    width: int
    #: Samples per pixel, those beside the colours included.
    samples: int
    #: Bits per sample.
    bits: int
    format: SampleFormat
    photometric: int
    compression: int
    #: 1: none; 2: horizontal differences; 3: differences of floats.
    predictor: int
    #: Whether the lowest bit of each byte comes first.
    bits_reversed: bool
    #: Whether each channel is stored as a picture of its own.
    separate: bool
    #: Height and width of a tile, or of a strip, in pixels.
    block_height: int
    block_width: int
    tiled: bool
    #: Where each strip or tile begins, and its length, in bytes; the lengths may be missing or wrong.
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    #: ExtraSamples: meaning of each sample beside the colours.
    extra: tuple[int, ...]
    #: Horizontal and vertical subsampling of chroma.
    subsampling: tuple[int, int]
    tags: ifd.Directory

    @property
    def colors(self) -> int:
        """Number of samples that carry colour."""
        return COLORS[self.photometric]

    @property
    def block_samples(self) -> int:
        """Samples per pixel in one strip or tile."""
        return 1 if self.separate else self.samples

    @property
    def across(self) -> int:
        """Number of strips or tiles in a row."""
        return -(-self.width // self.block_width)

    @property
    def down(self) -> int:
        """Number of strips or tiles in a column."""
        return -(-self.height // self.block_height)

    @property
    def unit(self) -> str:
        return "tile" if self.tiled else "strip"

    @property
    def is_subsampled(self) -> bool:
        """Whether uncompressed bytes hold fewer chroma samples than pixels."""
        return self.photometric == YCBCR and self.subsampling != (1, 1)

    @property
    def is_converted(self) -> bool:
        """Whether the decoder of a strip or tile makes RGB of YCbCr: JPEG does, where nothing but colours is stored."""
        plain = self.samples == COLORS[YCBCR] and not self.separate
        return self.photometric == YCBCR and self.compression == JPEG and plain


def read_layout(tags: ifd.Directory) -> Layout:
    """The layout that the tags state.

    Raises `BadImage` with the code unsupported_format for a kind of samples that is not read, and corrupt for a
    layout that contradicts itself.
    """
    height, width = tags.integer(_LENGTH), tags.integer(_WIDTH)
    compression = tags.integer(_COMPRESSION, UNCOMPRESSED)
    samples = _samples(tags)
    bits = _one_of(tags.integers(_BITS)[:samples] or (8 if compression == JPEG else 1,), "bits per sample")
    sample_format = _format(_one_of(tags.integers(_FORMAT)[:samples] or (1,), "sample format"), bits)
    photometric = _photometric(tags, samples, compression)
    offsets = tags.integers(_TILE_OFFSETS) or tags.integers(_STRIP_OFFSETS)
    tiled = bool(tags.integer(_TILE_WIDTH) and tags.integer(_TILE_LENGTH))
    block_height, block_width = (
        _tile(tags, height, width) if tiled else (_strip_rows(tags, height, len(offsets)), width)
    )
    separate = tags.integer(_PLANAR, 1) == _SEPARATE and samples > 1
    return Layout(
        height=height,
        width=width,
        samples=samples,
        bits=bits,
        format=sample_format,
        photometric=photometric,
        compression=compression,
        predictor=tags.integer(_PREDICTOR, 1),
        bits_reversed=tags.integer(_FILL_ORDER, _MSB_FIRST) != _MSB_FIRST,
        separate=separate,
        block_height=block_height,
        block_width=block_width,
        tiled=tiled,
        offsets=offsets,
        sizes=tags.integers(_TILE_SIZES) or tags.integers(_STRIP_SIZES),
        extra=tags.integers(_EXTRA),
        subsampling=_subsampling(tags, separate=separate) if photometric == YCBCR else (1, 1),
        tags=tags,
    )


def unsupported(what: str) -> BadImage:
    """The error for a kind of TIFF that is not read."""
    return BadImage(f"the TIFF has {what}, which is not read", code="unsupported_format")


def _samples(tags: ifd.Directory) -> int:
    samples = tags.integer(_SAMPLES) or max(1, len(tags.integers(_BITS)))
    if samples > _MAX_SAMPLES:
        raise unsupported(f"{samples} samples per pixel, more than {_MAX_SAMPLES}")
    return samples


def _one_of(values: tuple[int, ...], name: str) -> int:
    if len(set(values)) != 1:
        raise unsupported(f"channels of different {name} {values}")
    return values[0]


def _format(code: int, bits: int) -> SampleFormat:
    if code not in _FORMATS:
        raise unsupported(f"complex samples (sample format {code})" if code in (5, 6) else f"sample format {code}")
    name = _FORMATS[code]
    if bits not in (_FLOAT_BITS if name == "float" else _INTEGER_BITS):
        raise unsupported(f"{bits}-bit {name} samples")
    return name


def _photometric(tags: ifd.Directory, samples: int, compression: int) -> int:
    """The stated photometric interpretation, or what libtiff takes where none is stated."""
    fax = compression in (CCITT_RLE, CCITT_T4, CCITT_T6)
    assumed = RGB if samples >= 3 else WHITE_IS_ZERO if fax else BLACK_IS_ZERO
    photometric = tags.integer(_PHOTOMETRIC, assumed)
    if photometric not in COLORS:
        raise unsupported(f"photometric interpretation {photometric}")
    if samples < COLORS[photometric]:
        raise unsupported(f"photometric interpretation {photometric} with {samples} samples per pixel")
    return photometric


def _subsampling(tags: ifd.Directory, *, separate: bool) -> tuple[int, int]:
    """Horizontal and vertical subsampling; 2 and 2 where nothing is stated, none in separate planes."""
    if separate and _SUBSAMPLING not in tags.entries:
        return 1, 1
    stated = tags.integers(_SUBSAMPLING)
    across, down = stated if len(stated) == 2 else (2, 2)
    if across not in (1, 2, 4) or down not in (1, 2, 4):
        raise unsupported(f"chroma subsampling {across}x{down}")
    if separate and (across, down) != (1, 1):
        raise unsupported(f"chroma subsampling {across}x{down} in separate planes")
    return across, down


def _strip_rows(tags: ifd.Directory, height: int, strips: int) -> int:
    rows = tags.integer(_ROWS_PER_STRIP) or (-(-height // strips) if strips else height)
    return max(1, min(rows, height))


def _tile(tags: ifd.Directory, height: int, width: int) -> tuple[int, int]:
    rows, columns = tags.integer(_TILE_LENGTH), tags.integer(_TILE_WIDTH)
    if rows * columns > max(_MAX_TILE_AREA, 4 * height * width):
        message = f"the TIFF file is damaged: tiles of {columns}x{rows} pixels in a picture of {width}x{height}"
        raise BadImage(message, code="corrupt")
    return rows, columns
