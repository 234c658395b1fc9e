"""Small ICC profiles, made from numbers: matrix, grey and lookup-table ones.

Format: ICC.1:2001-04 (version 2.4), International Color Consortium.
"""

import struct
from collections.abc import Mapping

import numpy as np

D50 = (0.9642, 1.0, 0.8249)

#: Colorants of Display P3 (SMPTE EG 432-1 primaries, D65 adapted to D50 by the Bradford transform).
_P3 = ((0.515121, 0.241196, -0.001053), (0.291977, 0.692245, 0.041885), (0.157104, 0.066574, 0.784073))
#: Colorants of sRGB, likewise adapted.
_SRGB = ((0.436066, 0.222488, 0.013916), (0.385147, 0.716873, 0.097076), (0.143066, 0.060608, 0.714096))


def display_p3() -> bytes:
    """Display P3: wider than sRGB, the same curve."""
    return matrix_profile("Display P3", _P3, _srgb_curve())


def plain_srgb() -> bytes:
    """sRGB as a camera's version 2 profile states it, with a table for a curve."""
    return matrix_profile("sRGB", _SRGB, _srgb_curve())


def srgb_with_gamma(gamma: float) -> bytes:
    """sRGB's primaries under a plain power curve."""
    return matrix_profile(f"gamma {gamma}", _SRGB, gamma_curve(gamma))


def grey_gamma(gamma: float) -> bytes:
    """A grey profile with a power curve."""
    return _profile("GRAY", "XYZ ", {b"desc": _text("grey"), b"wtpt": _xyz(D50), b"kTRC": gamma_curve(gamma)})


def swapping_table() -> bytes:
    """An RGB lookup-table profile for which red is blue and blue is red: no conversion can be overlooked."""
    corners = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1).reshape(-1, 3).astype(float)
    return _table_profile("RGB ", corners[:, ::-1])


def simple_cmyk() -> bytes:
    """A CMYK profile of sixteen corners: each ink takes its complement away, black takes all, white is paper."""
    inks = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), axis=-1).reshape(-1, 4).astype(float)
    # Real inks are no pure complements: cyan leaves a little red, so that the conversion differs from the naive one.
    left = (1 - 0.8 * inks[:, :3]) * (1 - 0.9 * inks[:, 3:])
    return _table_profile("CMYK", left)


def matrix_profile(name: str, colorants: tuple[tuple[float, float, float], ...], curve: bytes) -> bytes:
    """An RGB display profile from three colorants and one curve."""
    tags = {b"desc": _text(name), b"cprt": _copyright(), b"wtpt": _xyz(D50)}
    for letter, colorant in zip("rgb", colorants, strict=True):
        tags[f"{letter}XYZ".encode()] = _xyz(colorant)
        tags[f"{letter}TRC".encode()] = curve
    return _profile("RGB ", "XYZ ", tags)


def gamma_curve(gamma: float) -> bytes:
    """A power curve."""
    return b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"


def _srgb_curve() -> bytes:
    encoded = np.linspace(0, 1, 1024)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return b"curv" + struct.pack(">II", 0, 1024) + np.rint(linear * 65535).astype(">u2").tobytes()


def _table_profile(space: str, corners_rgb: np.ndarray) -> bytes:
    """A lut8 profile with two grid points an axis, whose corners are the given sRGB colours."""
    channels = len(space.strip()) if space != "CMYK" else 4
    identity = np.arange(256, dtype=np.uint8).tobytes()
    matrix = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table = b"mft1" + struct.pack(">IBBBB", 0, channels, 3, 2, 0) + matrix
    table += identity * channels + _lab_bytes(corners_rgb).tobytes() + identity * 3
    tags = {b"desc": _text("table"), b"cprt": _copyright(), b"wtpt": _xyz(D50), b"A2B0": table}
    return _profile(space, "Lab ", tags, kind=b"prtr" if space == "CMYK" else b"mntr")


def _lab_bytes(rgb: np.ndarray) -> np.ndarray:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    relative = linear @ np.array(_SRGB) / np.array(D50)
    bent = np.where(relative > 216 / 24389, np.cbrt(relative), (24389 / 27 * relative + 16) / 116)
    lightness = 116 * bent[:, 1] - 16
    a, b = 500 * (bent[:, 0] - bent[:, 1]), 200 * (bent[:, 1] - bent[:, 2])
    return np.rint(np.stack([lightness * 2.55, a + 128, b + 128], axis=-1)).clip(0, 255).astype(np.uint8)


def _profile(space: str, connection: str, tags: Mapping[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += struct.pack(">4sII", name, start + len(body), len(value))
        body += padded
    header = struct.pack(">I4sI4s", start + len(body), b"\0\0\0\0", 0x02400000, kind)
    header += space.encode() + connection.encode() + struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp"
    header = header.ljust(68, b"\0") + struct.pack(">3i", *(round(value * 65536) for value in D50))
    return header.ljust(128, b"\0") + table + body


def _xyz(value: tuple[float, float, float]) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *(round(part * 65536) for part in value))


def _text(text: str) -> bytes:
    encoded = text.encode() + b"\0"
    return b"desc" + struct.pack(">II", 0, len(encoded)) + encoded + bytes(78)


def _copyright() -> bytes:
    return b"text" + bytes(4) + b"none\0"
