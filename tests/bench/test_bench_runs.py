"""The benches run and print their tables. The figures themselves are not checked."""

import json
from pathlib import Path

import pytest

from tests.bench import alternatives, ours
from tests.bench.__main__ import NAMES, main
from tests.bench.photograph import damaged_jpeg

#: Small, and large enough for the scratches not to hide the cast.
TINY_MP = 0.1
#: Benches of more than four seconds even with `--small`: `make bench` runs them at full size.
SLOW = {"networks", "events", "stages", "startup", "sweep", "throughput", "memory"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.endurance if name in SLOW else ()) for name in NAMES]
)
def test_a_bench_prints_a_table_and_keeps_its_figures(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "figures.json"
    main([name, "--small", "--json", str(kept)])
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    assert len(rows) >= 2
    assert len({row.count("|") for row in rows}) == 1
    figures = json.loads(kept.read_text())
    assert figures["machine"] == printed.splitlines()[0]
    assert len(figures[name]["rows"]) == len(rows) - 1
    assert figures[name]["raw"]


@pytest.mark.parametrize(("stage", "method"), ours.methods())
def test_every_method_of_every_stage_can_be_measured(stage: str, method: str) -> None:
    ours.prepare(f"{stage}/{method}", damaged_jpeg(TINY_MP))()


@pytest.mark.parametrize("name", [*alternatives.BESIDE.values(), alternatives.CHAIN])
def test_every_alternative_can_be_measured(name: str) -> None:
    alternatives.prepare(name, damaged_jpeg(TINY_MP))()


def test_every_stage_that_can_run_stands_beside_an_alternative() -> None:
    assert {stage for stage, _ in ours.methods()} <= set(alternatives.BESIDE)


def test_the_parts_of_a_restoration_are_its_steps() -> None:
    parts = ours.prepare("restore", damaged_jpeg(TINY_MP))()
    assert parts is not None
    names = [name.partition("/")[0] for name in parts]
    assert names[:3] == ["assess", "repair", "denoise"]
    assert names[-3:] == ["upscale", "finish", "assess"]
    assert min(parts.values()) > 0.0


def test_an_unknown_bench_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["speed"])
    assert "unknown: speed" in capsys.readouterr().err
