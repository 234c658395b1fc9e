"""What the stages ask of a model, and what they do with its answer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import PARAMETERS, RestorationParameters, Stage
from darkroom.imaging.picture import Picture, Pixels
from darkroom.stages import StageOutput
from darkroom.stages.restore import restore
from tests.degradations import blurred, in_light, noisy, part


@dataclass
class RepeatingModel:
    """Enlarges by repeating pixels, and remembers what it was told."""

    scale: int = 1
    scalars: Collection[str] = ()
    #: What every channel of the pixels is that come back, if given.
    reply: Pixels | None = None
    answer: str = "pixels"
    extra: Collection[str] = ()
    told: list[Mapping[str, float]] = field(default_factory=list)
    sizes: list[tuple[int, ...]] = field(default_factory=list)

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        self.told.append(scalars or {})
        self.sizes.append(pixels.shape[:2])
        if self.reply is not None:
            return np.repeat(self.reply[..., np.newaxis], 3, axis=2)
        return pixels.repeat(self.scale, axis=0).repeat(self.scale, axis=1)


def run(stage: Stage, picture: Picture, model: RepeatingModel, **given: object) -> StageOutput:
    parameters = PARAMETERS[stage].model_validate(given)
    assert isinstance(parameters, RestorationParameters)
    return restore(stage, picture, parameters, "model", model)


def test_denoise_tells_the_noise_that_it_found() -> None:
    model = RepeatingModel(scalars=("sigma",))
    output = run("denoise", Picture(pixels=noisy(part(), 20.0)), model)
    assert model.told[0]["sigma"] == pytest.approx(20.0, rel=0.1)
    assert output.values["sigma"] == pytest.approx(20.0, rel=0.1)


def test_the_noise_that_was_given_is_believed() -> None:
    model = RepeatingModel(scalars=("sigma",))
    run("denoise", Picture(pixels=part(side=64)), model, sigma=7.0)
    assert model.told == [{"sigma": 7.0}]


def test_a_model_is_told_only_what_it_asks_for() -> None:
    model = RepeatingModel()
    run("denoise", Picture(pixels=part(side=64)), model, sigma=7.0)
    assert model.told == [{}]


def test_a_clean_picture_runs_no_model() -> None:
    model = RepeatingModel()
    picture = Picture(pixels=blurred(part(), 1.0))
    output = run("denoise", picture, model)
    assert output.picture is picture
    assert model.told == []
    assert output.notes == ("no noise and no JPEG blocks found",)


@pytest.mark.parametrize("stage", ["denoise", "deblur", "low_light", "white_balance"])
def test_a_model_that_enlarges_is_refused_where_the_size_must_stay(stage: Stage) -> None:
    given = {"sigma": 5.0} if stage == "denoise" else {}
    with pytest.raises(ModelUnusable, match="enlarges 2 times"):
        run(stage, Picture(pixels=part(side=32)), RepeatingModel(scale=2), **given)


@pytest.mark.parametrize(
    ("scale", "wanted", "passes", "size"),
    [(2, 2.0, 1, 40), (2, 3.0, 2, 60), (4, 2.0, 1, 40), (2, 1.5, 1, 30), (2, 8.0, 3, 160), (2, 1.01, 0, 20)],
)
def test_as_many_passes_run_as_reach_the_size(scale: int, wanted: float, passes: int, size: int) -> None:
    model = RepeatingModel(scale=scale)
    output = run("upscale", Picture(pixels=part(side=20)), model, scale=wanted)
    assert len(model.sizes) == passes
    assert output.picture.pixels.shape == (size, size, 3)


def test_a_pass_that_would_exceed_the_limit_is_left_to_interpolation() -> None:
    model = RepeatingModel(scale=8)
    picture = Picture(pixels=np.zeros((1000, 2000, 3), np.uint8))
    output = run("upscale", picture, model, scale=2.0)
    assert model.sizes == []
    assert output.picture.pixels.shape == (2000, 4000, 3)
    assert "1 of 1 passes of the model skipped" in output.notes[0]


def test_the_same_size_is_enlarged_by_the_model_and_reduced_again() -> None:
    model = RepeatingModel(scale=2)
    picture = Picture(pixels=part(side=20))
    output = run("upscale", picture, model, same_size=True)
    assert model.sizes == [(20, 20)]
    assert (output.picture.pixels == picture.pixels).all()


def test_alpha_grows_with_the_picture() -> None:
    alpha = np.full((20, 20), 77, np.uint8)
    output = run("upscale", Picture(pixels=part(side=20), alpha=alpha), RepeatingModel(scale=2), scale=2.0)
    assert output.picture.alpha is not None
    assert (output.picture.alpha == 77).all()
    assert output.picture.alpha.shape == (40, 40)


def test_colorize_leaves_colours_alone_unless_forced() -> None:
    picture = Picture(pixels=part(side=32))
    grey = Picture(pixels=np.repeat(picture.pixels[..., :1], 3, axis=2))
    kept, forced, coloured = RepeatingModel(), RepeatingModel(), RepeatingModel()
    assert run("colorize", picture, kept).picture is picture
    run("colorize", picture, forced, force=True)
    run("colorize", grey, coloured)
    assert (len(kept.told), len(forced.told), len(coloured.told)) == (0, 1, 1)


def test_white_balance_and_low_light_models_run_on_the_picture() -> None:
    dark = Picture(pixels=in_light(part(side=64), (0.1, 0.1, 0.05)))
    balance, light = RepeatingModel(scalars=("strength",)), RepeatingModel(scalars=("gamma",))
    run("white_balance", dark, balance)
    run("low_light", dark, light)
    assert 0 < balance.told[0]["strength"] <= 1
    assert 0.3 < light.told[0]["gamma"] < 0.8
