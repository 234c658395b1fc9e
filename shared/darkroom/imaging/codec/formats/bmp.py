"""Reads fields of a BMP's header.

Format: Microsoft, "Bitmap Header Types" (BITMAPINFOHEADER to BITMAPV5HEADER).
"""

import struct

_HEADER_AT = 14
#: Size of the shortest header with a mask for alpha, and offset of that mask in the file.
_ALPHA_HEADER_BYTES, _ALPHA_MASK_AT = 56, 66
_BITFIELDS, _ALPHA_BITFIELDS = 3, 6


def alpha_mask(data: bytes) -> int:
    """The bits of a pixel that hold alpha; 0 without alpha. The data begin with a whole header."""
    size, compression = struct.unpack_from("<I", data, _HEADER_AT)[0], struct.unpack_from("<I", data, 30)[0]
    if compression not in (_BITFIELDS, _ALPHA_BITFIELDS) or size < _ALPHA_HEADER_BYTES:
        return 0
    mask: int = struct.unpack_from("<I", data, _ALPHA_MASK_AT)[0]
    return mask
