"""Writes TIFF files of 8 or 16 bits with their metadata.

Deflate with horizontal differencing, in strips. Format: TIFF Revision 6.0, Adobe, 1992; deflate: Adobe Photoshop TIFF
Technical Notes, 2002.
"""

import zlib

import numpy as np

from darkroom.imaging.codec.metadata import ifd
from darkroom.imaging.codec.metadata.metadata import Metadata
from darkroom.imaging.picture import Pixels

_DEFLATE, _RGB, _CHUNKY, _DIFFERENCING, _STRAIGHT_ALPHA = 8, 2, 1, 2, 2

#: Uncompressed size of a strip: large enough to compress well, small enough for readers that decode by strips.
_STRIP_BYTES = 262_144

_LEVEL = 6


def tiff_bytes(channels: Pixels, metadata: Metadata) -> bytes:
    """A TIFF of (H, W, 3) or (H, W, 4) in RGB order with its descriptions; EXIF tags stand in its first directory."""
    described = ifd.read_tree(metadata.exif) if metadata.exif else ifd.Directory(order="<", entries={})
    order = described.order
    strips, rows = _strips(channels, order)
    entries = dict(described.entries) | _layout(channels, strips, rows, order) | _blocks(metadata)
    directory = ifd.Directory(order=order, entries=entries, children=described.children)
    return ifd.write_tree(directory, between=b"".join(strips))


def _strips(channels: Pixels, order: ifd.Order) -> tuple[list[bytes], int]:
    row_bytes = channels[0].nbytes
    rows = min(max(1, _STRIP_BYTES // row_bytes), channels.shape[0])
    tops = range(0, channels.shape[0], rows)
    return [_strip(channels[top : top + rows], order) for top in tops], rows


def _strip(rows: Pixels, order: ifd.Order) -> bytes:
    differences = rows.copy()
    differences[:, 1:] -= rows[:, :-1]  # modulo 2^bits, as the format wants it
    return zlib.compress(differences.astype(differences.dtype.newbyteorder(order), copy=False).tobytes(), _LEVEL)


def _layout(channels: Pixels, strips: list[bytes], rows: int, order: ifd.Order) -> dict[int, ifd.Entry]:
    height, width, count = channels.shape
    sizes = [len(strip) for strip in strips]
    offsets = np.cumsum([ifd.HEADER_BYTES, *sizes[:-1]]).tolist()
    layout = {
        256: ifd.long(order, width),
        257: ifd.long(order, height),
        258: ifd.short(order, *[channels.itemsize * 8] * count),
        259: ifd.short(order, _DEFLATE),
        262: ifd.short(order, _RGB),
        273: ifd.long(order, *offsets),
        277: ifd.short(order, count),
        278: ifd.long(order, rows),
        279: ifd.long(order, *sizes),
        284: ifd.short(order, _CHUNKY),
        317: ifd.short(order, _DIFFERENCING),
    }
    return layout if count == 3 else layout | {338: ifd.short(order, _STRAIGHT_ALPHA)}


def _blocks(metadata: Metadata) -> dict[int, ifd.Entry]:
    blocks = {700: metadata.xmp, 33723: metadata.iptc, 34675: metadata.profile}
    return {tag: ifd.undefined(value) for tag, value in blocks.items() if value}
