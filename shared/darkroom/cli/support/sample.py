"""The photograph that `darkroom demo` restores, and what the restoration gained."""

from dataclasses import dataclass
from importlib import import_module

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.cli.support.degrade import Damage, degrade
from darkroom.cli.support.scene import landscape
from darkroom.imaging.picture import Pixels

Rgb = NDArray[np.uint8]

#: Side in pixels of the window over which structural similarity compares (the default of scikit-image).
_SSIM_SIDE = 7
#: Stabilising constants of structural similarity for 8 bits (Wang et al. 2004: K1 0.01, K2 0.03, range 255).
_SSIM_C1, _SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
#: Factors on red, green and blue that tint the landscape: its own colours are muted, so the portrait's cast would hide.
_LANDSCAPE_CAST = (1.0, 0.82, 0.54)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A photograph to be sent through the service."""

    name: str
    data: bytes
    #: What it is, in a sentence.
    description: str
    #: The undamaged photograph, uint8 RGB (H, W, 3), if there is one.
    reference: Rgb | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How close a picture is to the reference."""

    #: Peak signal-to-noise ratio over all channels, in dB.
    psnr_db: float
    #: Mean structural similarity over the channels, up to 1.
    ssim: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """The damaged and the restored picture beside the reference."""

    damaged: Likeness
    restored: Likeness
    #: How the result was brought to the size of the reference; empty if it has that size.
    note: str


def sample() -> Sample:
    """A photograph damaged in a known way.

    The portrait of an astronaut (NASA, public domain) where scikit-image is installed, otherwise a drawn landscape.
    """
    portrait = _portrait()
    if portrait is None:
        return _damaged("landscape", landscape(), Damage(cast=_LANDSCAPE_CAST))
    return _damaged("portrait", portrait, Damage())


def _damaged(name: str, reference: Rgb, damage: Damage) -> Sample:
    description = f"A {name} of {reference.shape[1]}x{reference.shape[0]} pixels, damaged on purpose: {damage}."
    return Sample(name=f"{name}.jpg", data=degrade(reference, damage), description=description, reference=reference)


def _portrait() -> Rgb | None:
    try:
        portrait: Rgb = import_module("skimage.data").astronaut()
    except ModuleNotFoundError:
        return None
    return portrait


def measured_gain(reference: Rgb, damaged: Pixels, restored: Pixels) -> Gain:
    """What the restoration gained. Pictures are RGB (H, W, 3); a larger result is reduced by area averaging."""
    return Gain(
        damaged=likeness(reference, damaged),
        restored=likeness(reference, _reduced(restored, reference)),
        note=_note(restored, reference),
    )


def likeness(reference: Rgb, picture: Pixels) -> Likeness:
    """How close `picture` is to `reference`, both uint8 RGB (H, W, 3) of at least 7x7 pixels."""
    planes = zip(cv2.split(reference), cv2.split(picture), strict=True)
    ssim = float(np.mean([_structural_similarity(ours, theirs) for ours, theirs in planes]))
    return Likeness(psnr_db=float(cv2.PSNR(reference, picture)), ssim=ssim)


def _structural_similarity(one: cv2.typing.MatLike, other: cv2.typing.MatLike) -> float:
    """Mean SSIM of two uint8 planes (H, W), over the windows wholly inside the planes (Wang et al. 2004)."""
    x, y = one.astype(np.float64), other.astype(np.float64)
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    sample = _SSIM_SIDE**2 / (_SSIM_SIDE**2 - 1)
    var_x, var_y = sample * (_window_mean(x * x) - mean_x**2), sample * (_window_mean(y * y) - mean_y**2)
    covariance = sample * (_window_mean(x * y) - mean_x * mean_y)
    light = (2 * mean_x * mean_y + _SSIM_C1) / (mean_x**2 + mean_y**2 + _SSIM_C1)
    structure = (2 * covariance + _SSIM_C2) / (var_x + var_y + _SSIM_C2)
    rim = _SSIM_SIDE // 2
    return float((light * structure)[rim:-rim, rim:-rim].mean())


def _window_mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    return cv2.blur(plane, (_SSIM_SIDE, _SSIM_SIDE))  # type: ignore[return-value]


def _reduced(picture: Pixels, reference: Rgb) -> Pixels:
    if picture.shape == reference.shape:
        return picture
    reduced: Rgb = np.asarray(cv2.resize(picture, reference.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
    return reduced


def _note(picture: Pixels, reference: Rgb) -> str:
    if picture.shape == reference.shape:
        return ""
    height, width = reference.shape[:2]
    return f"the result of {picture.shape[1]}x{picture.shape[0]} was reduced to {width}x{height} by area averaging"
