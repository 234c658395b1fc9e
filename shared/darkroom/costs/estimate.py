"""From measured seconds and list prices to a bill, line by line.

Every number is either measured (`figures.json`), a price (`prices.toml`), counted from the code (messages, objects and
documents of a job), or an assumption from `Assumptions`, with its reason.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from darkroom.domain.errors import ConfigurationError
from darkroom.domain.parameters import PARAMETERS, Stage
from darkroom.domain.presets import PRESET_RULES, PRODUCT_MIN_SIDE, PresetRules
from darkroom.domain.topology import SUBSCRIPTIONS
from darkroom.inference.registry import Registry
from darkroom.runtime.settings import Settings

FOLDER = Path(__file__).parent
_GIB = 2.0**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Values that were neither measured nor published; each is chosen on the expensive side."""

    #: Seconds of a step on the network: look up, read, write, publish. They could not be measured without the service.
    io_s: float = 0.2
    #: Seconds of the dispatcher for one event, most of it waiting; several events share an instance.
    dispatch_s: float = 0.15
    dispatch_sharing: float = 4.0
    #: Bytes per pixel: of an upload (JPEG from a camera); of a result (the mean of three that `product` made of
    #: scikit-image's photographs; white compresses well); of the pictures between the stages (lossless WebP), as a
    #: whole picture and as a cut-out, which hides a part (the largest of eight).
    upload_bytes: float = 0.35
    result_bytes: float = 0.15
    working_bytes: float = 1.9
    cutout_bytes: float = 1.36
    #: Months for which uploads and results are kept, and artifacts.
    kept_months: float = 1.0
    artifact_months: float = 7.0 / 30.0
    #: Bytes of a message with what Pub/Sub adds, and of the log lines of a step.
    message_bytes: float = 4000.0
    log_bytes: float = 2000.0
    #: Sweeps of a month, one every five minutes.
    sweeps: float = 30.0 * 24.0 * 12.0
    #: Seconds of a sweep that finds nothing to do, and what it adds to purge a job: all of it waiting for services.
    sweep_s: float = 0.5
    purge_s: float = 0.1
    #: Documents that the queries of a sweep are billed for if they find nothing: three, over the shards of the index.
    sweep_reads: float = 3.0 * 8.0
    #: How often the job of an upload is looked up: when the upload is new, and with all others of the day.
    look_ups: float = 2.0
    #: Share of the results that leaves Google Cloud.
    fetched: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What an instance of a stage is given."""

    cpu: float = 1.0
    memory_gib: float = 2.0
    #: How many times slower one of its processors is than the one that was measured on. This was not measured. That
    #: machine had AVX2 at half width and other work; it is assumed to be as slow as the slowest processor there.
    slowdown: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One step of every picture."""

    stage: Stage
    method: str
    #: Seconds on an instance, without a cold start.
    seconds: float
    #: Megapixels that it writes.
    megapixels: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the bill."""

    what: str
    amount: float
    unit: str
    dollars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What so many pictures cost."""

    pictures: int
    megapixels: float
    steps: tuple[Work, ...]
    lines: tuple[Line, ...]
    #: The part of the Cloud Run lines that the monthly free tier covers.
    free_tier: float

    @property
    def dollars(self) -> float:
        """Without the free tier."""
        return sum(line.dollars for line in self.lines)


def read_prices() -> Mapping[str, Mapping[str, float]]:
    """The list prices by service."""
    tables = tomllib.loads((FOLDER / "prices.toml").read_text(encoding="utf-8"))
    return {name: table for name, table in tables.items() if isinstance(table, dict)}


def prices_as_of() -> str:
    """The date of the list prices."""
    return str(tomllib.loads((FOLDER / "prices.toml").read_text(encoding="utf-8"))["as_of"])


def read_figures() -> dict[str, float]:
    """Measured processor seconds for a megapixel, by `stage/method`."""
    figures = json.loads((FOLDER / "figures.json").read_text(encoding="utf-8"))
    return {name: step["cpu_s"] / figures["megapixels"] for name, step in figures["steps"].items()}


def stages_of(rules: PresetRules, *, everything: bool = False) -> tuple[Stage, ...]:
    """The stages that a preset always runs, or all that it may run, between `assess` and `finish`."""
    return tuple(stage for stage, rule in rules.stages.items() if everything or rule.when == "always")


def steps_of(stages: Sequence[Stage], megapixels: float, registry: Registry, given: Size) -> tuple[Work, ...]:
    """The steps of a picture: `assess`, the stages that have a method, `finish`, `assess`."""
    figures, steps, size = read_figures(), [], megapixels
    for stage in ("assess", *stages, "finish", "assess"):
        method = _method(stage, registry)
        if method is None:
            continue
        busy_s = _model_seconds(stage, method, size, registry) or _measured(figures, stage, method) * size
        seconds = busy_s * given.slowdown + Assumptions().io_s
        if stage == "upscale":
            size = max(size, min(4 * size, PRODUCT_MIN_SIDE**2 / 1e6))
        steps.append(Work(stage=stage, method=method, seconds=seconds, megapixels=size))
    return tuple(steps)


def _model_seconds(stage: Stage, method: str, megapixels: float, registry: Registry) -> float | None:
    """Seconds from the stated cost of an installed default; None for the built-in models, which the figures cover."""
    entry = registry.default(stage) if method == "model" else None
    return entry.cost.seconds(megapixels) if entry and entry.cost else None


def _measured(figures: Mapping[str, float], stage: Stage, method: str) -> float:
    """Seconds of the method, or of the slowest measured one of its stage if it is newer than the figures."""
    known = [seconds for name, seconds in figures.items() if name.startswith(f"{stage}/")]
    if not known:
        raise ConfigurationError(f"{stage} was never measured; run python -m infra.simulation.measure")
    return figures.get(f"{stage}/{method}", max(known))


def _method(stage: Stage, registry: Registry) -> str | None:
    if stage == "finish":
        return "classical"
    if registry.default(stage) is not None:
        return "model"
    return "classical" if stage == "assess" else next(iter(PARAMETERS[stage].classical), None)


def estimate(
    pictures: int, megapixels: float, steps: tuple[Work, ...], *, size: Size, assumed: Assumptions
) -> Estimate:
    """The bill for `pictures` pictures that all take these steps."""
    prices = read_prices()
    compute = _compute(pictures, steps, size, assumed)
    lines = (
        *_priced(compute, prices["run"]),
        *_services(pictures, len(steps), prices, assumed),
        *_sweeps(pictures, prices, assumed),
        *_bytes(pictures, megapixels, steps, prices, assumed),
    )
    free = sum(min(compute[key], prices["run"][f"free_{key}s"]) * prices["run"][key] for key in compute)
    return Estimate(pictures=pictures, megapixels=megapixels, steps=steps, lines=lines, free_tier=free)


def _compute(pictures: int, steps: Sequence[Work], size: Size, assumed: Assumptions) -> dict[str, float]:
    busy_s = pictures * sum(step.seconds for step in steps)
    events = pictures * (len(steps) + 1)
    dispatching_s = events * assumed.dispatch_s / assumed.dispatch_sharing
    return {
        "vcpu_second": busy_s * size.cpu + dispatching_s,
        "gib_second": busy_s * size.memory_gib + dispatching_s * 0.5,
        "request": float(pictures * len(steps) + events),
    }


def _priced(compute: Mapping[str, float], prices: Mapping[str, float]) -> list[Line]:
    named = {"vcpu_second": "processors", "gib_second": "memory", "request": "requests"}
    return [
        Line(what=named[key], amount=amount, unit=f"{key.replace('_', ' ')}s", dollars=amount * prices[key])
        for key, amount in compute.items()
    ]


def _services(
    pictures: int, steps: int, prices: Mapping[str, Mapping[str, float]], assumed: Assumptions
) -> tuple[Line, ...]:
    # Written: the upload, one object a step, the manifest. Read: a look-up and the input of each step, and once more
    # the upload for `finish`. Job: created, then one read and one write for each answer.
    writes, reads = pictures * (steps + 2), pictures * (2 * steps + 1)
    saved, seen = pictures * (steps + 1), pictures * steps
    carried = pictures * 2 * steps * 2 * assumed.message_bytes / 2.0**40
    logged = pictures * steps * assumed.log_bytes / _GIB
    return (
        Line(what="objects written", amount=writes, unit="calls", dollars=writes * prices["storage"]["write"]),
        Line(what="objects read", amount=reads, unit="calls", dollars=reads * prices["storage"]["read"]),
        Line(what="jobs saved", amount=saved, unit="documents", dollars=saved * prices["firestore"]["write"]),
        Line(what="jobs read", amount=seen, unit="documents", dollars=seen * prices["firestore"]["read"]),
        Line(what="messages", amount=carried, unit="TiB", dollars=carried * prices["pubsub"]["tib"]),
        Line(what="logs", amount=logged, unit="GiB", dollars=logged * prices["logging"]["gib"]),
    )


def _sweeps(pictures: int, prices: Mapping[str, Mapping[str, float]], a: Assumptions) -> tuple[Line, ...]:
    """A month of sweeps: a fixed cost, and the cost of each picture."""
    run, storage, firestore = prices["run"], prices["storage"], prices["firestore"]
    second = run["vcpu_second"] + 0.5 * run["gib_second"]
    # A sweep reads the backlog of every subscription and the state of the scan of the uploads.
    looked_up = (
        firestore["read"] * a.sweep_reads + storage["read"] * 2 + prices["monitoring"]["series"] * len(SUBSCRIPTIONS)
    )
    ticks = a.sweeps * (run["request"] + second * a.sweep_s + looked_up)
    looks = a.kept_months * 30 * 24 * 3600 / Settings.model_fields["orphan_scan_s"].default
    # A call lists a thousand uploads.
    looked_up = pictures * (firestore["read"] * a.look_ups + storage["write"] * looks / 1000)
    # Read, its artifacts listed, deleted.
    purged = pictures * (firestore["read"] + storage["write"] + firestore["delete"] + second * a.purge_s)
    return (
        Line(what="sweep: ticks", amount=a.sweeps, unit="calls a month", dollars=ticks),
        Line(what="sweep: look-ups", amount=pictures * a.look_ups, unit="documents", dollars=looked_up),
        Line(what="sweep: purge", amount=float(pictures), unit="jobs", dollars=purged),
    )


def _bytes(
    pictures: int, megapixels: float, steps: Sequence[Work], prices: Mapping[str, Mapping[str, float]], a: Assumptions
) -> tuple[Line, ...]:
    results = pictures * steps[-1].megapixels * 1e6 * a.result_bytes / _GIB
    uploads = pictures * megapixels * 1e6 * a.upload_bytes / _GIB
    artifacts = pictures * _working_bytes(steps, a) / _GIB
    months = (uploads + results) * a.kept_months + artifacts * a.artifact_months
    fetched = results * a.fetched
    return (
        Line(what="storage", amount=months, unit="GiB months", dollars=months * prices["storage"]["gib_month"]),
        Line(what="results fetched", amount=fetched, unit="GiB", dollars=fetched * prices["network"]["gib_out"]),
    )


def _working_bytes(steps: Sequence[Work], assumed: Assumptions) -> float:
    """Bytes between the stages of one picture; what follows `background` is a cut-out."""
    total, each = 0.0, assumed.working_bytes
    for step in steps:
        each = assumed.cutout_bytes if step.stage == "background" else each
        total += step.megapixels * 1e6 * each if step.stage not in ("assess", "finish") else 0.0
    return total


def preset_estimate(
    pictures: int,
    megapixels: float,
    preset: str,
    *,
    registry: Registry,
    size: Size | None = None,
) -> Estimate:
    """The bill for a preset, with the stages that it always runs."""
    given, assumed = size or Size(), Assumptions()
    stages = stages_of({str(name): rules for name, rules in PRESET_RULES.items()}[preset])
    steps = steps_of(stages, megapixels, registry, given)
    return estimate(pictures, megapixels, steps, size=given, assumed=assumed)
