"""Which photograph does `darkroom demo` restore, and how much did it gain?"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.cli.degrade import Damage, degrade
from shared.errors import ConfigurationError
from shared.imaging.picture import Pixels

Rgb = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A photograph to be sent through the service."""

    name: str
    data: bytes
    #: What it is, in a sentence.
    told: str
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
    """A portrait from scikit-image's package (NASA, public domain), damaged in a known way.

    Raises ConfigurationError if scikit-image is not installed.
    """
    reference: Rgb = _skimage("data").astronaut()
    damage = Damage()
    told = f"A portrait of {reference.shape[1]}x{reference.shape[0]} pixels, damaged on purpose: {damage}."
    return Sample(name="portrait.jpg", data=degrade(reference, damage), told=told, reference=reference)


def measured_gain(reference: Rgb, damaged: Pixels, restored: Pixels) -> Gain:
    """What the restoration gained. Pictures are RGB (H, W, 3); a larger result is reduced by area averaging."""
    return Gain(
        damaged=_likeness(reference, damaged),
        restored=_likeness(reference, _reduced(restored, reference)),
        note=_note(restored, reference),
    )


def _likeness(reference: Rgb, picture: Pixels) -> Likeness:
    metrics = _skimage("metrics")
    return Likeness(
        psnr_db=float(metrics.peak_signal_noise_ratio(reference, picture)),
        ssim=float(metrics.structural_similarity(reference, picture, channel_axis=2)),
    )


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


def _skimage(module: str) -> Any:
    try:
        return import_module(f"skimage.{module}")
    except ModuleNotFoundError as exc:
        raise ConfigurationError(
            "the demo's own photograph needs scikit-image: install requirements-dev.txt, or give a photograph"
        ) from exc
