"""Reads matrix and grey ICC profiles as curves and a matrix for any bit depth.

Format: ICC.1:2022 (profile version 4.4), International Color Consortium, sections 7, 9.2, 10.6 and 10.18; version 2
profiles have the same tags. sRGB: IEC 61966-2-1:1999.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.codec.damage import Damaged

#: Linear sRGB from XYZ with the D50 white of the profile connection space: the inverse of the sRGB colorants,
#: adapted from D65 by the Bradford transform, as in the sRGB profile that the ICC publishes.
_SRGB_COLORANTS = np.array(
    [[0.43606567, 0.38514709, 0.14306641], [0.22248840, 0.71687317, 0.06060791], [0.01391602, 0.09707642, 0.71409607]]
)
_LINEAR_FROM_XYZ = np.linalg.inv(_SRGB_COLORANTS)

#: White of the profile connection space: XYZ of D50. Source: ICC.1:2022, section 7.2.16.
D50 = np.array([0.9642, 1.0, 0.8249], np.float32)

#: Coefficients that each type of parametric curve has (section 10.18).
_PARAMETERS = {0: "g", 1: "gab", 2: "gabc", 3: "gabcd", 4: "gabcdef"}

_CURVE_SIZE = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixProfile:
    """Three curves and a matrix: how encoded RGB becomes linear sRGB."""

    #: (3, 65536): linear light in [0, 1] for each 16-bit value of R, G, B.
    curves: NDArray[np.float32]
    #: (3, 3): linear RGB of the profile to linear sRGB; may leave [0, 1] for colours that sRGB lacks.
    matrix: NDArray[np.float32]


def color_space(profile: bytes) -> str:
    """The four letters of the profile's device colour space, stripped: RGB, GRAY, CMYK, Lab."""
    return profile[16:20].decode("latin-1").strip()


def matrix_profile(profile: bytes) -> MatrixProfile | None:
    """Curves and matrix of an RGB profile; None if it works by lookup tables. Raises ValueError or struct.error."""
    tags = _tags(profile)
    if b"A2B0" in tags or not {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"} <= tags.keys():
        return None
    colorants = np.array([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
    curves = np.stack([_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")])
    return MatrixProfile(curves=curves, matrix=(_LINEAR_FROM_XYZ @ colorants).astype(np.float32))


def grey_curve(profile: bytes) -> NDArray[np.float32] | None:
    """(65536,): linear light for each 16-bit value of a grey profile; None if it works by lookup tables."""
    tags = _tags(profile)
    return None if b"A2B0" in tags or b"kTRC" not in tags else _curve(tags[b"kTRC"])


def linear_srgb_from_xyz(xyz: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 3) XYZ with white D50 to linear sRGB; colours that sRGB lacks leave [0, 1]."""
    linear: NDArray[np.float32] = xyz.astype(np.float32) @ _LINEAR_FROM_XYZ.T.astype(np.float32)
    return linear


def decode_srgb(encoded: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB-encoded values in [0, 1] to linear light.

    `color.linear_from_srgb` multiplies by rounded reciprocals and differs by up to 3e-7, which would change 16-bit
    results of the conversion back to a profile.
    """
    power = np.power((encoded + np.float32(0.055)) / np.float32(1.055), np.float32(2.4))
    linear: NDArray[np.float32] = np.where(encoded <= 0.04045, encoded / np.float32(12.92), power)
    return linear


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = struct.unpack_from(">I", profile, 128)[0]
    if 132 + 12 * count > len(profile):
        raise Damaged(f"the profile of {len(profile)} bytes says that it has {count} tags")
    tags = {}
    for at in range(132, 132 + 12 * count, 12):
        name, offset, size = struct.unpack_from(">4sII", profile, at)
        tags[name] = profile[offset : offset + size]
    return tags


def _xyz(tag: bytes) -> tuple[float, float, float]:
    x, y, z = struct.unpack_from(">3i", tag, 8)
    return x / 65536, y / 65536, z / 65536


def _curve(tag: bytes) -> NDArray[np.float32]:
    encoded = np.linspace(0.0, 1.0, _CURVE_SIZE)
    if tag[:4] == b"para":
        return _parametric(tag, encoded)
    if tag[:4] != b"curv":
        raise Damaged(f"a curve of type {tag[:4]!r} is neither curv nor para")
    count = struct.unpack_from(">I", tag, 8)[0]
    if count == 0:
        return encoded.astype(np.float32)
    if count == 1:
        gamma: float = struct.unpack_from(">H", tag, 12)[0] / 256
        return np.power(encoded, gamma).astype(np.float32)
    points = np.frombuffer(tag, ">u2", count, 12) / 65535
    return np.interp(encoded, np.linspace(0.0, 1.0, count), points).astype(np.float32)


def _parametric(tag: bytes, encoded: NDArray[np.float64]) -> NDArray[np.float32]:
    kind = struct.unpack_from(">H", tag, 8)[0]
    names = _PARAMETERS.get(kind)
    if names is None:
        raise Damaged(f"a parametric curve of kind {kind} is unknown")
    numbers = (value / 65536 for value in struct.unpack_from(f">{len(names)}i", tag, 12))
    p = dict.fromkeys("gabcdef", 0.0) | {"a": 1.0} | dict(zip(names, numbers, strict=True))
    # Kinds 1 and 2 have no d: they bend where a x + b reaches zero, and have c below it (kind 1: zero, kind 2: c).
    bend = -p["b"] / p["a"] if kind in (1, 2) else p["d"]
    offset = p["c"] if kind == 2 else p["e"]
    below = p["f"] + (p["c"] * encoded if kind in (3, 4) else offset)
    power = np.power(np.maximum(p["a"] * encoded + p["b"], 0.0), p["g"]) + offset
    curve: NDArray[np.float32] = np.clip(np.where(encoded >= bend, power, below), 0.0, 1.0).astype(np.float32)
    return curve
