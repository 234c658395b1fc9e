"""The upscalers against interpolation."""

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from darkroom.imaging.picture import Image, Pixels, to_float
from darkroom.inference.session import Model
from models.evaluation.benchmark import Condition, Method, benchmark, luma_score
from models.training.degradations import gaussian_noise, jpeg, reduced, to_u8
from models.training.lettering import lettered


def table(photographs: Sequence[Pixels], model: Model, built_in: Model | None = None) -> str:
    """PSNR and SSIM on luma without a border of as many pixels as the model enlarges; the built-in one of its scale."""
    scale = model.scale
    methods: Mapping[str, Method] = {
        "bicubic": lambda given, _: enlarged(given, scale, cv2.INTER_CUBIC),
        "Lanczos": lambda given, _: enlarged(given, scale, cv2.INTER_LANCZOS4),
        **({"built-in": lambda given, _: built_in.apply(given)} if built_in else {}),
        "model": lambda given, _: model.apply(given),
    }
    return benchmark(photographs, conditions(scale), methods, luma_score(scale))


def enlarged(given: Pixels, scale: int, interpolation: int) -> Pixels:
    """`scale` times as high and wide, by OpenCV."""
    return cv2.resize(given, None, fx=scale, fy=scale, interpolation=interpolation)


def averaged(image: Image, scale: int) -> Image:
    """Smaller by averaging squares of pixels, as sensors and many programs do."""
    return cv2.resize(image, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)


def conditions(scale: int) -> tuple[Condition, ...]:
    """The methods that reduce a photograph."""

    def small(image: Image) -> Image:
        return reduced(image, scale)

    return (
        _condition("bicubic", scale, lambda image, _: small(image)),
        _condition("averaged", scale, lambda image, _: averaged(image, scale)),
        _condition("bicubic, JPEG 85", scale, lambda image, _: jpeg(small(image), 85)),
        _condition("bicubic, JPEG 60", scale, lambda image, _: jpeg(small(image), 60)),
        _condition("bicubic, white noise 3", scale, lambda image, rng: gaussian_noise(small(image), 3, rng)),
        _condition("print, bicubic", scale, lambda image, _: small(image), prepare=lettered),
    )


def _condition(
    name: str,
    scale: int,
    reduce: Callable[[Image, np.random.Generator], Image],
    *,
    prepare: Callable[[Image, np.random.Generator], Image] = lambda image, _: image,
) -> Condition:
    def degrade(clean: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
        height, width = (extent // scale * scale for extent in clean.shape[:2])
        whole = to_u8(prepare(to_float(clean[:height, :width]), rng))
        return to_u8(reduce(to_float(whole), rng)), whole

    return Condition(name=name, degrade=degrade)
