"""The low-light model against gamma, equalisation and the classical method, over photographs that lack light.

Photographs that were not trained on: a quarter of the validation split, and some of the research sources. They are
darkened by the functions of `models.training.lighting`, and rounded to 8 bits. Brightness is not scaled to the
reference's: a method must find the exposure. Very dark means what public pairs of short and long exposures show: a mean
of about 0.05, and noise that is plain after lifting.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from darkroom.domain.parameters import LowLightParameters
from darkroom.imaging.color import luma
from darkroom.imaging.picture import Image, Picture, Pixels, to_float
from darkroom.inference.session import Model
from darkroom.stages.restore import restore
from models.evaluation.benchmark import Condition, Method, benchmark, rgb_score
from models.training.degradations import jpeg, to_u8
from models.training.lighting import Exposure, photon_noise, some_exposure, underexposed
from models.training.photographs import is_validation, read_rgb
from models.training.sources import source_of

#: One photograph in so many of the sources that are for research only, none of which is trained on.
RESEARCH_SHARE = 40
#: The mean luma that plain gamma leads to: that of most photographs.
USUAL_MEAN = 0.45


def table(folder: Path, model: Model) -> str:
    """Markdown: mean PSNR in dB and mean SSIM of every method in every condition."""
    photographs = [read_rgb(path) for path in unseen(folder)]
    return f"{len(photographs)} photographs\n\n" + benchmark(photographs, CONDITIONS, methods(model), rgb_score)


def unseen(folder: Path) -> list[Path]:
    """Photographs that the networks of this stage were not trained on."""
    paths = sorted(folder.glob("photos/*.jpg"))
    permitted = [path for path in paths if source_of(path.name).commercial_use and is_validation(path.name)]
    others = [path for path in paths if not source_of(path.name).commercial_use]
    return [*permitted[::4], *others[::RESEARCH_SHARE]]


def methods(model: Model) -> Mapping[str, Method]:
    """Nothing, the simplest two, the classical method, the model without and with its companion."""
    return {
        "as given": lambda given, _: given,
        "gamma": lambda given, _: gamma(given),
        "equalised luma": lambda given, _: equalised(given),
        "stage, classical": lambda given, _: _stage(given, "clahe", None),
        "model, noise left": lambda given, _: _stage(given, "model", replace(model, companion=None)),
        "model": lambda given, _: _stage(given, "model", model),
    }


def _stage(given: Pixels, method: str, model: Model | None) -> Pixels:
    parameters = LowLightParameters()
    return restore("low_light", Picture(pixels=given), parameters, method, model).picture.pixels


def gamma(given: Pixels) -> Pixels:
    """The power that leads the mean luma to `USUAL_MEAN`; brighter pictures as they are."""
    mean = max(float(luma(given).mean()), 1e-3)
    return to_u8(to_float(given) ** np.float32(min(1.0, np.log(USUAL_MEAN) / np.log(mean))))


def equalised(given: Pixels) -> Pixels:
    """Histogram equalization of luma."""
    planes = cv2.cvtColor(given, cv2.COLOR_RGB2YCrCb)
    planes[..., 0] = cv2.equalizeHist(planes[..., 0])
    return cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB)


def _condition(name: str, exposure: Callable[[Image, np.random.Generator], Exposure], quality: int = 0) -> Condition:
    def degrade(photograph: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
        clean = to_float(photograph)
        chosen = exposure(clean, rng)
        noisy = photon_noise(underexposed(clean, chosen), chosen, rng)
        return to_u8(jpeg(noisy, quality) if quality else noisy), photograph

    return Condition(name=name, degrade=degrade)


def _very_dark(clean: Image, rng: np.random.Generator) -> Exposure:
    """The factor at which the mean of the encoded values falls to 0.03 to 0.08."""
    drawn, wanted = some_exposure(rng), rng.uniform(0.03, 0.08)
    factors = np.geomspace(1, 200, 25)
    small = cv2.resize(clean, (64, 64), interpolation=cv2.INTER_AREA)
    means = [float(underexposed(small, replace(drawn, factor=factor)).mean()) for factor in factors]
    factor = float(np.interp(-wanted, -np.array(means), factors))
    return replace(drawn, factor=factor, sigma=float(rng.uniform(1, 3)))


def _dark(_: Image, rng: np.random.Generator) -> Exposure:
    return replace(some_exposure(rng), factor=float(rng.uniform(2.5, 6)), sigma=float(rng.uniform(0.5, 2)))


CONDITIONS = (
    Condition(name="well exposed", degrade=lambda photograph, _: (photograph, photograph)),
    _condition("dark, 2.5 to 6 times too little light", _dark),
    _condition("very dark, mean 0.03 to 0.08", _very_dark),
    _condition("very dark, JPEG 90", _very_dark, quality=90),
)
