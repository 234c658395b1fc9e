"""How fast are our networks beside the well-known ones for the same work?

The others are built here after their papers with random weights, since speed does not depend on them. All run through
the same code, session options and tiles, one picture at a time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from darkroom.domain.messages import ModelRef
from darkroom.domain.parameters import Stage
from darkroom.imaging.picture import Pixels
from darkroom.inference.contract import Contract
from darkroom.inference.known_models import known_networks
from darkroom.inference.registry import Registry
from darkroom.inference.runtime import load
from darkroom.inference.session import Model
from darkroom.runtime.bootstrap import build_local_runner, processors
from darkroom.runtime.settings import Settings
from tests import networks
from tests.bench.cost import Cost, measured
from tests.bench.effort import Effort
from tests.bench.table import Table, ratio, seconds

#: A slow network is shown a part of the picture of so many pixels a side, and its time is scaled up to the whole.
PART = 128
NARROW = "narrow "


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A network of others for a stage."""

    stage: Stage
    name: str
    #: The graph, as wide as published, or narrow for a trial.
    full: Callable[[], bytes]
    narrow: Callable[[], bytes]
    contract: Mapping[str, Any]
    #: Whether only a part of the picture is shown to it.
    part: bool = False


def _known(name: str) -> dict[str, Any]:
    network = next(each for each in known_networks() if each.id == name)
    return dict(network.contract)


RIVALS = (
    Rival(
        stage="denoise",
        name="DnCNN",
        full=networks.dncnn,
        narrow=lambda: networks.dncnn(4, 3),
        contract={"range": (0, 1), "halo": 17},
    ),
    Rival(
        stage="denoise",
        name="FFDNet",
        full=networks.ffdnet,
        narrow=lambda: networks.ffdnet(4, 3),
        contract={"range": (0, 1), "halo": 24, "multiple_of": 2, "scalars": ["sigma"]},
    ),
    Rival(
        stage="low_light",
        name="Zero-DCE",
        full=networks.zero_dce,
        narrow=lambda: networks.zero_dce(4),
        contract={**_known("zero-dce"), "output": "whole"},
    ),
    Rival(
        stage="colorize",
        name="ECCV16",
        full=networks.eccv16,
        narrow=lambda: networks.eccv16(2),
        contract=_known("eccv16"),
    ),
    Rival(
        stage="background",
        name="U²-Net",
        full=networks.u2net,
        narrow=lambda: networks.u2net(narrow=16),
        contract=_known("u2net"),
    ),
    Rival(
        stage="background",
        name="U²-Net, small",
        full=lambda: networks.u2net(small=True),
        narrow=lambda: networks.u2net(small=True, narrow=8),
        contract=_known("u2netp"),
    ),
    Rival(
        stage="upscale",
        name="Real-ESRGAN general-x4v3",
        full=networks.srvgg,
        narrow=lambda: networks.srvgg(4, 2),
        contract=_known("realesr-general-x4v3"),
    ),
    Rival(
        stage="upscale",
        name="Real-ESRGAN x4plus",
        full=networks.rrdbnet,
        narrow=lambda: networks.rrdbnet(4, 4, 1),
        contract=_known("realesrgan-x4plus"),
        part=True,
    ),
)


def run(effort: Effort) -> Table:
    """Measure the networks of each stage by turns."""
    rows, raw = [], []
    for stage in dict.fromkeys(rival.stage for rival in RIVALS):
        theirs = [rival for rival in RIVALS if rival.stage == stage]
        ours = _default_models(stage)
        width = NARROW if effort.narrow else ""
        works = [*(f"ours/{stage}/{name}" for name in ours), *(f"{width}theirs/{rival.name}" for rival in theirs)]
        costs = measured([f"tests.bench.networks:{work}" for work in works], effort.networks_mp, effort.repetitions)
        own, others = costs[: len(ours)], costs[len(ours) :]
        rows += [_row(stage, name, cost, _whole_s(cost, None), None) for name, cost in zip(ours, own, strict=True)]
        least = min((cost.wall_s for cost in own), default=None)
        rows += [
            _row(stage, rival.name, cost, _whole_s(cost, rival), least)
            for rival, cost in zip(theirs, others, strict=True)
        ]
        raw += [cost.raw() for cost in costs]
    return Table(
        title=f"Networks: one picture of {effort.networks_mp:g} MP, opened before",
        columns=("stage", "network", "wall s", "CPU s", "peak MB", "times ours"),
        rows=tuple(rows),
        notes=(
            "Networks of others have random weights. `low_light` and `background` of ours, and theirs where they are "
            f"shown a reduction, take the same time for any size. Real-ESRGAN x4plus is shown {PART}x{PART} pixels, "
            "and its seconds are scaled up to the whole. A stage with several networks of ours is compared with its "
            "fastest.",
        ),
        raw=tuple(raw),
    )


def _row(stage: Stage, name: str, cost: Cost, scaled: float, ours_s: float | None) -> tuple[str, ...]:
    times = ratio(cost.wall_s * scaled, ours_s) if ours_s else ""
    figures = (seconds(cost.wall_s * scaled), seconds(cost.cpu_s * scaled), f"{cost.peak_mb:.0f}")
    return stage, name, *figures, times


def _whole_s(cost: Cost, rival: Rival | None) -> float:
    """How many times longer the whole picture takes than what was shown."""
    return max(1.0, cost.megapixels * 1e6 / PART**2) if rival and rival.part else 1.0


def _default_models(stage: Stage) -> list[str]:
    return [entry.ref.id for entry in _registry().entries if entry.stage == stage and entry.default]


def _registry() -> Registry:
    registry = build_local_runner(Settings(), 1).model_registry
    assert isinstance(registry, Registry)
    return registry


def prepare(name: str, data: bytes) -> Callable[[], None]:
    """What is to be timed: `ours/STAGE/MODEL`, `theirs/NETWORK` or `narrow theirs/NETWORK`."""
    pixels = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    if name.startswith("ours/"):
        _, stage, model_id = name.split("/")
        return _timed(build_local_runner(Settings(), processors()).models.open(stage, model_id), pixels)
    width, _, network = name.rpartition("theirs/")
    rival = next(each for each in RIVALS if each.name == network)
    shown = np.ascontiguousarray(pixels[:PART, :PART]) if rival.part else pixels
    return _timed(_opened(rival, narrow=width == NARROW), shown)


def _opened(rival: Rival, *, narrow: bool) -> Model:
    session = load((rival.narrow if narrow else rival.full)(), processors(), rival.name)
    told = dict(rival.contract)
    told["input"] = session.get_inputs()[0].name
    if "output" not in told:
        told["outputs"] = [session.get_outputs()[0].name]
    ref = ModelRef(id=rival.name, version="random", sha256="", licence="")
    return Model(ref=ref, contract=Contract.model_validate(told), _session=session)


def _timed(model: Model, pixels: Pixels) -> Callable[[], None]:
    if model.answer == "pixels":
        scalars = dict.fromkeys(model.scalars, 10.0)
        return lambda: _ignored(model.apply(pixels, scalars))
    seen = model.reduced(*pixels.shape[:2])
    extra = {name: np.zeros((3, *seen), np.float32) for name in model.extra}
    return lambda: _ignored(model.read(pixels, extra))


def _ignored(_: object) -> None:
    """What is timed gives nothing back."""
