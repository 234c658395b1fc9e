"""The upscaler against interpolation."""

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from models.evaluation.contest import Condition, Method, contest, luma_score
from models.training.degradations import gaussian_noise, halve, jpeg, to_u8
from shared.imaging.picture import Image, Pixels, to_float
from shared.inference.session import Model


def table(photographs: Sequence[Pixels], model: Model) -> str:
    """PSNR and SSIM on luma."""
    methods: Mapping[str, Method] = {
        "bicubic": lambda given, _: enlarged(given, cv2.INTER_CUBIC),
        "Lanczos": lambda given, _: enlarged(given, cv2.INTER_LANCZOS4),
        "model": lambda given, _: model.apply(given),
    }
    return contest(photographs, CONDITIONS, methods, luma_score)


def enlarged(given: Pixels, interpolation: int) -> Pixels:
    """Twice as high and wide, by OpenCV."""
    return cv2.resize(given, None, fx=2, fy=2, interpolation=interpolation)


def averaged(image: Image) -> Image:
    """Half the size by averaging 2x2 pixels, as sensors and many programs do."""
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _condition(name: str, reduce: Callable[[Image, np.random.Generator], Image]) -> Condition:
    def degrade(clean: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
        even = clean[: clean.shape[0] // 2 * 2, : clean.shape[1] // 2 * 2]
        return to_u8(reduce(to_float(even), rng)), even

    return Condition(name=name, degrade=degrade)


CONDITIONS = (
    _condition("bicubic half", lambda image, _: halve(image)),
    _condition("averaged half", lambda image, _: averaged(image)),
    _condition("bicubic half, JPEG 85", lambda image, _: jpeg(halve(image), 85)),
    _condition("bicubic half, white noise 3", lambda image, rng: gaussian_noise(halve(image), 3, rng)),
)
