"""The plan follows from preset, switches and measurements, and every step says why it is there."""

from typing import Any

import pytest

from darkroom.domain.errors import BadPipeline
from darkroom.domain.job import Skipped
from darkroom.domain.messages import ModelRef, Step
from darkroom.domain.parameters import Stage
from darkroom.domain.pipeline import PRESETS, Quality
from darkroom.domain.planner import make_plan
from darkroom.domain.presets import NEEDS, PRESET_RULES
from tests.jobs import BUCKETS, DENOISER, NO_MODELS, ONE_MODEL, Models, new_job, report

NOISY = {"noise_sigma": 20.0}
GREY = {"greyscale": True}


def plan(
    pipeline: object, model_registry: Models = NO_MODELS, **measured: Any
) -> tuple[dict[str, Step], dict[str, str]]:
    """The steps between the two assessments and the skipped stages, by stage."""
    steps, skipped = make_plan(new_job(pipeline), report(**measured), model_registry, BUCKETS)
    assert [step.stage for step in (steps[0], steps[-1])] == ["assess", "assess"]
    assert steps[-2].stage == "finish"
    return {step.stage: step for step in steps[1:-1]}, {each.stage: each.reason for each in skipped}


def stages(pipeline: object, **measured: Any) -> list[str]:
    return [stage for stage in plan(pipeline, **measured)[0] if stage != "finish"]


def test_auto_leaves_a_clean_photograph_alone() -> None:
    steps, skipped = plan({"preset": "auto"})
    assert list(steps) == ["finish"]
    assert set(skipped.values()) == {"the measurements do not call for it"}


@pytest.mark.parametrize(
    ("measured", "stage", "reason"),
    [
        ({"noise_sigma": 12.0}, "denoise", "noise sigma 12.0 above 4"),
        ({"blockiness": 0.4}, "denoise", "blockiness 0.40 above 0.25"),
        ({"blur_radius": 1.5}, "deblur", "blur radius 1.50 px above 1"),
        ({"exposure_median": 0.1}, "low_light", "median luma 0.10 below 0.18"),
        ({"cast_strength": 0.6}, "white_balance", "colour cast 0.60 above 0.45"),
    ],
)
def test_auto_runs_what_the_measurements_call_for_and_says_why(
    measured: dict[str, float], stage: str, reason: str
) -> None:
    steps, _ = plan({"preset": "auto"}, **measured)
    assert list(steps) == [stage, "finish"]
    assert steps[stage].reason == reason


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_makes_a_plan_in_canonical_order(preset: str) -> None:
    order = ["repair", "denoise", "deblur", "low_light", "white_balance", "colorize", "background", "upscale"]
    found = stages({"preset": preset}, **NOISY, **GREY, exposure_median=0.1, blur_radius=3.0)
    assert found == [stage for stage in order if stage in found]


def test_every_rule_that_waits_for_a_need_has_one() -> None:
    waiting = {s for preset in PRESET_RULES.values() for s, rule in preset.stages.items() if rule.when == "needed"}
    assert waiting <= NEEDS.keys()


def test_product_puts_the_subject_on_a_white_square_of_1500_pixels() -> None:
    steps, _ = plan({"preset": "product"})
    assert list(steps) == ["background", "upscale", "finish"]
    assert steps["upscale"].parameters["min_side"] == 1500
    finish = steps["finish"].parameters
    assert (finish["background"], finish["aspect"], finish["min_side"]) == ("#FFFFFF", "1:1", 1500)
    assert finish["format"] == "jpeg"


def test_product_does_not_enlarge_what_is_large_enough() -> None:
    steps, skipped = plan({"preset": "product"}, height=1500, width=2000)
    assert "upscale" not in steps
    assert skipped["upscale"] == "2000x1500 is large enough already"


def test_a_switch_turns_a_stage_off_on_or_changes_its_parameters() -> None:
    steps, skipped = plan(
        {"preset": "product", "stages": {"background": False, "deblur": True, "upscale": {"scale": 3}}}
    )
    assert list(steps) == ["deblur", "upscale", "finish"]
    assert skipped["background"] == "switched off"
    assert steps["deblur"].reason == "asked for"
    assert (steps["upscale"].parameters["scale"], steps["upscale"].parameters["min_side"]) == (3, None)


def test_an_explicit_list_means_exactly_these_stages_in_this_order() -> None:
    steps, skipped = plan({"stages": ["deblur", {"stage": "denoise", "strength": 0.5}]}, **NOISY)
    assert list(steps) == ["deblur", "denoise", "finish"]
    assert steps["denoise"].parameters["strength"] == 0.5
    assert skipped == {}
    changes = ("smooth", "sharpen", "brightness", "contrast", "saturation", "temperature")
    assert [steps["finish"].parameters[name] for name in changes] == [0.0] * 6


def test_output_wishes_stand_above_the_preset() -> None:
    steps, _ = plan({"preset": "product", "output": {"background": "#000000", "target_size_kb": 200}})
    finish = steps["finish"].parameters
    assert (finish["background"], finish["target_size_kb"], finish["min_side"]) == ("#000000", 200, 1500)


def test_a_registered_model_is_used_and_otherwise_the_first_classical_method() -> None:
    with_model, _ = plan({"preset": "denoise"}, ONE_MODEL)
    without, _ = plan({"preset": "denoise"}, NO_MODELS)
    assert (with_model["denoise"].method, with_model["denoise"].model) == ("model", DENOISER)
    assert (without["denoise"].method, without["denoise"].model) == ("nlm", None)


def test_a_method_asked_for_by_name_is_used() -> None:
    steps, _ = plan({"stages": [{"stage": "denoise", "method": "bilateral"}]}, ONE_MODEL)
    assert (steps["denoise"].method, steps["denoise"].model) == ("bilateral", None)


def test_colorize_without_a_model_is_left_out_and_says_so() -> None:
    steps, skipped = plan({"preset": "colorize"}, **GREY)
    assert list(steps) == ["finish"]
    assert skipped["colorize"] == "no model is installed and there is no classical method"


def test_colorize_leaves_coloured_pictures_alone_unless_forced() -> None:
    colorizer = Models(("colorize", ModelRef(id="c", version="1", sha256="b" * 64, licence="Apache-2.0")))
    assert "colour already" in plan({"preset": "colorize"}, colorizer)[1]["colorize"]
    assert "colorize" in plan({"stages": [{"stage": "colorize", "force": True}]}, colorizer)[0]
    assert "colorize" in plan({"preset": "colorize"}, colorizer, **GREY)[0]


def test_an_impossible_enlargement_is_refused_with_both_numbers() -> None:
    with pytest.raises(BadPipeline, match=r"exceeds 100000000 pixels"):
        plan({"stages": [{"stage": "upscale", "scale": 8}]}, height=4000, width=4000)


@pytest.mark.parametrize(
    ("measured", "extension"),
    [({}, "webp"), ({"bits": 16}, "png"), ({"width": 20_000, "height": 100}, "png")],
)
def test_artifacts_are_lossless_in_a_format_that_can_hold_them(measured: dict[str, int], extension: str) -> None:
    steps, _ = plan({"preset": "denoise"}, **measured)
    assert steps["denoise"].output_name.endswith(f".{extension}")


def test_the_result_lies_under_the_uploads_path_with_the_jobs_short_id() -> None:
    job = new_job({"preset": "restore"}, name="restore/1931/wedding.photo.JPG")
    steps, _ = make_plan(job, report(), NO_MODELS, BUCKETS)
    assert (steps[-2].output_bucket, steps[-2].output_name) == (
        "results",
        f"restore/1931/wedding.photo.{job.short_id}.jpg",
    )


def test_names_of_artifacts_change_from_the_first_changed_step_on() -> None:
    def names(sigma: float, radius: float) -> list[str]:
        pipeline = {"stages": [{"stage": "denoise", "sigma": sigma}, {"stage": "deblur", "radius": radius}]}
        steps, _ = make_plan(new_job(pipeline), report(), NO_MODELS, BUCKETS)
        return [step.output_name for step in steps if step.output_bucket == "artifacts"]

    one, same, other_radius, other_sigma = names(10, 1), names(10, 1), names(10, 2), names(20, 1)
    assert one == same
    assert [a == b for a, b in zip(one, other_radius, strict=True)] == [True, True, False, False]
    assert [a == b for a, b in zip(one, other_sigma, strict=True)] == [True, False, False, False]


def test_another_generation_of_the_upload_shares_no_artifact() -> None:
    def names(generation: int) -> set[str]:
        job = new_job({"preset": "full"}, generation=generation)
        return {step.output_name for step in make_plan(job, report(), NO_MODELS, BUCKETS)[0]}

    assert names(1) & names(2) == set()


def test_another_model_means_another_artifact() -> None:
    newer = Models(("denoise", DENOISER.model_copy(update={"sha256": "c" * 64})))
    old, new = (plan({"preset": "denoise"}, model_registry)[0]["denoise"] for model_registry in (ONE_MODEL, newer))
    assert old.output_name != new.output_name


def test_skipped_stages_are_values_of_the_domain() -> None:
    _, skipped = make_plan(new_job({"preset": "auto"}), report(), NO_MODELS, BUCKETS)
    assert skipped[0] == Skipped(stage="denoise", reason="the measurements do not call for it")


class Scales(Models):
    """A model registry that remembers for which enlargement it was asked."""

    def __init__(self) -> None:
        super().__init__(("upscale", DENOISER))
        self.asked: list[float] = []

    def model_ref(
        self, stage: Stage, model_id: str | None, factor: float = 1.0, *, quality: Quality = "best"
    ) -> ModelRef | None:
        if stage == "upscale":
            self.asked.append(factor)
        return super().model_ref(stage, model_id, factor, quality=quality)


@pytest.mark.parametrize(
    ("parameters", "factor"),
    [({"scale": 3.0}, 3.0), ({}, 2.0), ({"width": 1600}, 2.5), ({"min_side": 1200}, 2.5), ({"same_size": True}, 2.0)],
)
def test_upscale_asks_for_a_model_of_the_factor_that_is_wanted(parameters: dict[str, Any], factor: float) -> None:
    model_registry = Scales()
    plan({"stages": [{"stage": "upscale", "parameters": parameters}]}, model_registry)
    assert model_registry.asked[-1] == pytest.approx(factor)


@pytest.mark.parametrize("preset", ["color_cast", "auto", "restore", "full"])
def test_a_colour_over_the_picture_is_removed_by_a_stretch_of_the_channels(preset: str) -> None:
    methods = {}
    for veil in (0.2, 0.95):
        job = new_job({"preset": preset})
        steps, _ = make_plan(job, report(veil=veil, cast_strength=0.8), NO_MODELS, BUCKETS)
        methods[veil] = next(step.method for step in steps if step.stage == "white_balance")
    assert methods == {0.2: "shades_of_grey", 0.95: "channel_stretch"}


@pytest.mark.parametrize("preset", ["color_cast", "auto", "restore", "full"])
@pytest.mark.parametrize("measured", [{"veil": 0.95}, {"cast_strength": 0.8}, {"cast_strength": 0.05}])
def test_a_network_decides_on_every_colour_that_may_be_a_cast(preset: str, measured: dict[str, float]) -> None:
    model_registry = Models(("white_balance", DENOISER))
    steps, _ = make_plan(new_job({"preset": preset}), report(**measured), model_registry, BUCKETS)
    assert [step.method for step in steps if step.stage == "white_balance"] == ["model"]


@pytest.mark.parametrize("measured", [{"cast_strength": 0.01}, {"cast_strength": 0.3, "greyscale": True}])
def test_a_network_is_not_asked_where_no_cast_is_possible(measured: dict[str, Any]) -> None:
    model_registry = Models(("white_balance", DENOISER))
    steps, _ = make_plan(new_job({"preset": "auto"}), report(**measured), model_registry, BUCKETS)
    assert "white_balance" not in [step.stage for step in steps]


def test_a_classical_method_needs_a_clear_cast() -> None:
    steps, _ = make_plan(new_job({"preset": "auto"}), report(cast_strength=0.3), NO_MODELS, BUCKETS)
    assert "white_balance" not in [step.stage for step in steps]


def test_a_named_method_stays_where_a_colour_lies_over_the_picture() -> None:
    job = new_job({"preset": "color_cast", "stages": {"white_balance": {"method": "grey_world"}}})
    steps, _ = make_plan(job, report(veil=0.95), NO_MODELS, BUCKETS)
    assert [step.method for step in steps if step.stage == "white_balance"] == ["grey_world"]
