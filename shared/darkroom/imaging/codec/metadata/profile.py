"""Converts the colours of a file to sRGB.

LittleCMS converts embedded profiles: relative colorimetric with black point compensation. This keeps every colour
inside sRGB and the shadows of printing profiles. LittleCMS in Pillow has 8 bits. 16-bit pictures with a matrix or grey
profile are converted by the curves and the matrix of the profile instead, band by band.
"""

import struct
from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from darkroom.imaging.codec.damage import Damaged
from darkroom.imaging.codec.decode_errors import reason
from darkroom.imaging.codec.intermediate import grey_to_rgb
from darkroom.imaging.codec.metadata import icc
from darkroom.imaging.codec.samples import Samples, Space, narrow
from darkroom.imaging.color import srgb_from_linear
from darkroom.imaging.picture import Pixels

#: What LittleCMS and the parser of this project raise on a profile that cannot be used.
PROFILE_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError, ArithmeticError, struct.error)

_CMS_SPACES: dict[Space, str] = {"grey": "GRAY", "rgb": "RGB", "cmyk": "CMYK", "lab": "Lab"}
_CMS_MODES: dict[Space, str] = {"grey": "L", "rgb": "RGB", "cmyk": "CMYK", "lab": "LAB"}

#: Rows that are converted at once; limits the memory.
_BAND_ROWS = 128

#: Largest difference from sRGB, in 8-bit steps, of a profile that counts as sRGB.
_SAME_STEPS = 1

#: Fixed creation date for bytes 24 to 36 of a profile; LittleCMS would write the current time.
_FIXED_DATE = struct.pack(">6H", 2024, 1, 1, 0, 0, 0)

Transform = Callable[[NDArray[Any]], NDArray[Any]]


def to_srgb(samples: Samples, profile: bytes | None) -> tuple[Pixels, tuple[str, ...]]:
    """The samples as sRGB (H, W, 3) of the same depth, with notes about what was converted, assumed or given up."""
    if profile is None:
        return _without_profile(samples)
    try:
        return _by_profile(samples, profile)
    except PROFILE_ERRORS as exc:
        pixels, notes = _without_profile(samples)
        return pixels, (f"the embedded colour profile cannot be used and was ignored: {reason(exc)}", *notes)


def from_srgb(pixels: Pixels, profile: bytes) -> Pixels:
    """sRGB pixels in the colours of an RGB `profile`, same depth.

    Raises one of `PROFILE_ERRORS` if the profile is for another kind of picture or has no way back.
    """
    if icc.color_space(profile) != "RGB":
        raise Damaged(f"it is for {icc.color_space(profile)} pictures and the result is RGB")
    if is_srgb(profile):
        return pixels
    if pixels.dtype == np.uint8:
        return _in_bands(pixels, _cms_transform(_srgb(), _opened(profile), "RGB", "RGB"))
    matrix = icc.matrix_profile(profile)
    if matrix is None:
        raise Damaged("it is made of lookup tables, which have no way back at 16 bits")
    return _in_bands(pixels, _back_transform(matrix))


def is_srgb(profile: bytes) -> bool:
    """Whether an RGB profile maps a grid of colours to where sRGB has them."""
    if icc.color_space(profile) != "RGB":
        return False
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    mapped = _cms_transform(_opened(profile), _srgb(), "RGB", "RGB")(grid)
    return bool(cv2.absdiff(mapped, grid).max() <= _SAME_STEPS)


@cache
def srgb_bytes() -> bytes:
    """The sRGB profile that results carry: about 600 bytes, made by LittleCMS, the same at every run."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return made[:24] + _FIXED_DATE + made[36:]


def describe(profile: bytes) -> str:
    """The name that a profile gives itself, or its colour space if it has none."""
    try:
        return ImageCms.getProfileDescription(_opened(profile)).strip() or icc.color_space(profile)
    except PROFILE_ERRORS:
        return icc.color_space(profile)


def _by_profile(samples: Samples, profile: bytes) -> tuple[Pixels, tuple[str, ...]]:
    space, expected = icc.color_space(profile), _CMS_SPACES[samples.space]
    if space != expected:
        raise Damaged(f"it is for {space} pictures and this one is {expected}")
    if space == "RGB" and is_srgb(profile):
        return samples.values, ()
    note = f"converted from the profile '{describe(profile)}' to sRGB"
    if samples.values.dtype == np.uint8 and samples.space != "grey":
        return _in_bands(samples.values, _cms_transform(_opened(profile), _srgb(), _CMS_MODES[samples.space], "RGB")), (
            note,
        )
    deep = _deep_transform(samples.space, profile)
    if deep is not None:
        return _in_bands(samples.values, deep), (note,)
    if samples.values.dtype == np.uint8:
        transform = _cms_transform(_opened(profile), _srgb(), _CMS_MODES[samples.space], "RGB")
        return _in_bands(samples.values, transform), (note,)
    return _through_8_bits(samples, profile), (f"{note} through 8 bits: the profile is made of lookup tables",)


def _without_profile(samples: Samples) -> tuple[Pixels, tuple[str, ...]]:
    """Grey and RGB count as sRGB, as browsers take them; CMYK and Lab are converted by their definitions."""
    if samples.space == "rgb":
        return samples.values, ()
    if samples.space == "grey":
        return grey_to_rgb(samples.values), ()
    if samples.space == "lab":
        return _in_bands(samples.values, _srgb_from_lab), ()
    note = "CMYK converted without a profile: colours are approximate"
    return _in_bands(samples.values, _naive_cmyk), (note,)


def _srgb_from_lab(band: NDArray[Any]) -> NDArray[Any]:
    """sRGB from CIE Lab of white D50, both of 8 or 16 bits. Source: CIE 15:2018, section 8.2.1.

    LittleCMS at 8 bits is off by up to 16 levels here.
    """
    top = np.float32(np.iinfo(band.dtype).max)
    signed, unit = (np.dtype(np.int8), 1.0) if band.dtype == np.uint8 else (np.dtype(np.int16), 256.0)
    middle = (band[..., 0].astype(np.float32) * (100 / top) + 16) / 116
    red_green, yellow_blue = (band[..., each].view(signed).astype(np.float32) / unit for each in (1, 2))
    roots = np.stack((middle + red_green / 500, middle, middle - yellow_blue / 200), axis=-1)
    xyz = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29)) * icc.D50
    encoded: NDArray[np.float32] = srgb_from_linear(np.clip(icc.linear_srgb_from_xyz(xyz), 0.0, 1.0))
    scaled: NDArray[np.float32] = np.rint(encoded * top)
    return scaled


def _naive_cmyk(band: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(Image.fromarray(band, "CMYK").convert("RGB"))


def _through_8_bits(samples: Samples, profile: bytes) -> Pixels:
    transform = _cms_transform(_opened(profile), _srgb(), _CMS_MODES[samples.space], "RGB")

    def convert(band: NDArray[Any]) -> NDArray[Any]:
        return transform(narrow(band)).astype(np.uint16) * np.uint16(257)

    return _in_bands(samples.values, convert)


def _in_bands(values: NDArray[Any], transform: Transform) -> NDArray[Any]:
    converted = np.empty((*values.shape[:2], 3), values.dtype)
    for top in range(0, values.shape[0], _BAND_ROWS):
        converted[top : top + _BAND_ROWS] = transform(values[top : top + _BAND_ROWS])
    result: NDArray[Any] = converted
    return result


def _opened(profile: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(BytesIO(profile))


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return _opened(srgb_bytes())


def _cms_transform(
    source: ImageCms.ImageCmsProfile, target: ImageCms.ImageCmsProfile, source_mode: str, target_mode: str
) -> Transform:
    transform = ImageCms.buildTransform(
        source,
        target,
        source_mode,
        target_mode,
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )

    def convert(band: NDArray[Any]) -> NDArray[Any]:
        converted = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(band), source_mode), transform)
        return np.asarray(converted)

    return convert


def _deep_transform(space: Space, profile: bytes) -> Transform | None:
    """A conversion of uint16 samples by the profile's own curves; None if it has lookup tables instead."""
    if space == "grey":
        curve = icc.grey_curve(profile)
        return None if curve is None else _grey_transform(curve)
    matrix = icc.matrix_profile(profile)
    return None if matrix is None else _matrix_transform(matrix)


def _grey_transform(curve: NDArray[np.float32]) -> Transform:
    """Grey of 8 or 16 bits by one table: LittleCMS at 8 bits is off by up to 10 levels in the shadows."""
    encoded = srgb_from_linear(np.clip(curve, 0.0, 1.0))
    deep, plain = np.rint(encoded * 65535).astype(np.uint16), np.rint(encoded[::257] * 255).astype(np.uint8)
    return lambda band: (plain if band.dtype == np.uint8 else deep)[band][..., np.newaxis]


def _matrix_transform(profile: icc.MatrixProfile) -> Transform:
    def convert(band: NDArray[Any]) -> NDArray[Any]:
        linear = np.stack([profile.curves[channel][band[..., channel]] for channel in range(3)], axis=-1)
        encoded: NDArray[np.float32] = np.rint(srgb_from_linear(np.clip(linear @ profile.matrix.T, 0.0, 1.0)) * 65535)
        return encoded

    return convert


def _back_transform(profile: icc.MatrixProfile) -> Transform:
    back = np.linalg.inv(profile.matrix.astype(np.float64)).astype(np.float32).T
    encoded = np.arange(65536, dtype=np.float32)
    linear_srgb = icc.decode_srgb(encoded / np.float32(65535.0))

    def convert(band: NDArray[Any]) -> NDArray[Any]:
        linear = np.clip(linear_srgb[band] @ back, 0.0, 1.0)
        planes = [np.interp(linear[..., channel], profile.curves[channel], encoded) for channel in range(3)]
        restored: NDArray[np.float64] = np.rint(np.stack(planes, axis=-1))
        return restored

    return convert
