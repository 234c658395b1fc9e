"""The estimate adds up, follows its inputs, and says what it is made of."""

import json
from dataclasses import replace
from datetime import date

import pytest
from click.testing import CliRunner

from darkroom.cli.main import cli
from darkroom.costs.estimate import (
    FOLDER,
    Assumptions,
    Estimate,
    Size,
    Work,
    estimate,
    preset_estimate,
    prices_as_of,
    read_figures,
    read_prices,
    stages_of,
    steps_of,
)
from darkroom.domain.errors import ConfigurationError
from darkroom.domain.parameters import PARAMETERS
from darkroom.domain.presets import PRESET_RULES
from darkroom.inference.figures import Cost
from darkroom.inference.registry import Registry
from darkroom.runtime.settings import DEFAULT_REGISTRY
from infra.simulation.measure import widest_instructions

REGISTRY = Registry.load(DEFAULT_REGISTRY)


def bill(pictures: int = 1000, megapixels: float = 1.0, size: Size | None = None) -> Estimate:
    return preset_estimate(pictures, megapixels, "product", registry=REGISTRY, size=size)


def line(told: Estimate, what: str) -> float:
    return next(each.dollars for each in told.lines if each.what == what)


def test_the_bill_is_the_sum_of_its_lines_and_every_line_costs_something() -> None:
    told = bill()
    assert told.dollars == pytest.approx(sum(each.dollars for each in told.lines))
    assert all(each.dollars > 0 for each in told.lines)


def test_a_thousand_times_the_pictures_cost_a_thousand_times_as_much_but_for_the_ticks_of_the_sweep() -> None:
    few, many = bill(1000), bill(1_000_000)
    ticks = line(few, "sweep: ticks")
    assert line(many, "sweep: ticks") == ticks
    assert many.dollars - ticks == pytest.approx(1000 * (few.dollars - ticks))


def test_the_sweep_of_fifty_thousand_pictures_costs_less_than_a_dollar_a_month() -> None:
    sweeps = [each for each in bill(50_000).lines if each.what.startswith("sweep: ")]
    assert len(sweeps) == 3
    assert 0.5 < sum(each.dollars for each in sweeps) < 1.0


def test_the_sweep_is_billed_for_what_it_does() -> None:
    told, prices = bill(50_000), read_prices()
    assert line(told, "sweep: look-ups") == pytest.approx(
        50_000 * 2 * prices["firestore"]["read"] + 30 * 24 * 50 * prices["storage"]["write"]
    )
    purged = prices["firestore"]["read"] + prices["firestore"]["delete"] + prices["storage"]["write"]
    assert line(told, "sweep: purge") > 50_000 * purged


def test_larger_pictures_and_slower_or_more_processors_cost_more() -> None:
    usual = bill()
    assert bill(megapixels=4.0).dollars > usual.dollars
    assert line(bill(size=Size(slowdown=4.0)), "processors") > line(usual, "processors")
    assert line(bill(size=Size(memory_gib=4.0)), "memory") > 1.9 * line(usual, "memory")


def test_an_installed_network_counts_with_the_seconds_that_it_states() -> None:
    cost = Cost(cpu_s=7.0, per="picture", memory_mb=1000, processor="AVX2")
    built_in = REGISTRY.default("background")
    assert built_in is not None
    installed = replace(built_in, installed=True, preferred=True, default=False, cost=cost)
    registry = replace(REGISTRY, entries=(*REGISTRY.entries, installed))
    told = preset_estimate(1, 2.0, "cutout", registry=registry)
    seconds = next(step.seconds for step in told.steps if step.stage == "background")
    assert seconds == pytest.approx(7.0 + Assumptions().io_s)


def test_the_free_tier_takes_off_no_more_than_it_holds_and_no_more_than_was_used() -> None:
    run = read_prices()["run"]
    most = sum(run[key] * run[f"free_{key}s"] for key in ("vcpu_second", "gib_second", "request"))
    assert bill(1_000_000).free_tier == pytest.approx(most)
    small = bill(10)
    assert small.free_tier == pytest.approx(sum(line(small, what) for what in ("processors", "memory", "requests")))


def test_processor_seconds_are_measured_seconds_slowed_down_and_the_time_of_reading_and_writing() -> None:
    (first, *_) = steps_of((), 2.0, REGISTRY, Size(slowdown=3.0))
    assert first.seconds == pytest.approx(read_figures()["assess/model"] * 2.0 * 3.0 + Assumptions().io_s)


def test_a_bill_worked_by_hand() -> None:
    steps = steps_of((), 1.0, REGISTRY, Size())
    told = estimate(100, 1.0, steps, size=Size(), assumed=Assumptions())
    prices = read_prices()
    assert len(steps) == 3
    assert line(told, "objects written") == pytest.approx(100 * 5 * prices["storage"]["write"])
    assert line(told, "jobs saved") == pytest.approx(100 * 4 * prices["firestore"]["write"])
    assert line(told, "requests") == pytest.approx(100 * (3 + 4) * prices["run"]["request"])


def test_every_stage_that_has_a_classical_method_was_measured() -> None:
    measured = {name.partition("/")[0] for name in read_figures()}
    assert {stage for stage, kind in PARAMETERS.items() if kind.classical} | {"assess", "finish"} <= measured


def test_every_model_that_runs_by_default_was_measured() -> None:
    defaults = {stage for stage in PARAMETERS if stage != "finish" and REGISTRY.default(stage) is not None}
    assert {"assess", "background", "upscale"} <= defaults
    assert {f"{stage}/model" for stage in defaults} <= set(read_figures())


def test_what_lies_between_the_stages_is_smaller_once_it_is_a_cut_out() -> None:
    whole, cut = (
        (Work(stage=stage, method="model", seconds=1.0, megapixels=2.0),) for stage in ("denoise", "background")
    )
    kept = Assumptions(upload_bytes=0.0, result_bytes=0.0)
    bills = [estimate(1000, 1.0, steps, size=Size(), assumed=kept) for steps in (whole, cut)]
    assert line(bills[1], "storage") / line(bills[0], "storage") == pytest.approx(1.36 / 1.9)


def test_a_stage_that_was_never_measured_is_refused(tmp_path: object) -> None:
    from darkroom.costs.estimate import _measured

    with pytest.raises(ConfigurationError, match="colorize was never measured"):
        _measured({"denoise/model": 1.0}, "colorize", "model")


def test_stages_that_run_only_where_they_are_needed_count_only_if_asked() -> None:
    rules = PRESET_RULES["product"]
    assert set(stages_of(rules)) < set(stages_of(rules, everything=True))


def test_prices_and_figures_say_when_and_how_they_came() -> None:
    figures = json.loads((FOLDER / "figures.json").read_text(encoding="utf-8"))
    assert figures["command"] == "python -m infra.simulation.measure"
    assert figures["machine"]
    assert figures["instructions"] in {"AVX2", "AVX-512", "AVX-512 with VNNI"}
    text = (FOLDER / "prices.toml").read_text(encoding="utf-8")
    assert date.fromisoformat(prices_as_of())
    assert text.count("https://") >= len(read_prices())


def test_the_instructions_of_the_machine_stand_beside_its_seconds() -> None:
    assert widest_instructions("flags : fma avx avx2 bmi1") == "AVX2"
    assert widest_instructions("flags : avx2 avx512f avx512_vnni") == "AVX-512 with VNNI"


def test_the_command_prints_the_same_for_people_and_machines() -> None:
    arguments = ["estimate", "--pictures", "50000"]
    people = CliRunner().invoke(cli, arguments)
    machines = CliRunner().invoke(cli, [*arguments, "--json"])
    assert (people.exit_code, machines.exit_code) == (0, 0)
    told = json.loads(machines.output)
    assert f"{told['dollars']:.2f} USD" in people.output
    assert told["pictures"] == 50_000
