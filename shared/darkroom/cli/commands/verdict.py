"""`darkroom verdict`: fits the verdict to the decisions of reviewers."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from darkroom.cli.support.service import service
from darkroom.domain.acceptance import Calibrations
from darkroom.domain.pipeline import Preset
from darkroom.domain.recalibration import Decision, Recalibration, recalibrated
from darkroom.handlers.pages import all_jobs
from darkroom.runtime.calibrations import read_calibrations
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.system import System

#: Jobs that are read at a time.
PAGE = 1000


@click.group(
    epilog="""\b
Examples:
  darkroom verdict calibrate -o acceptance.json"""
)
def verdict() -> None:
    """Fit the verdict to the decisions of reviewers."""


@verdict.command(
    epilog="""\b
Examples:
  darkroom verdict calibrate
  darkroom verdict calibrate -o acceptance.json"""
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the calibrations here.")
def calibrate(output: Path | None) -> None:
    """Compare the acceptance with what people approved and rejected, for each preset.

    A preset with 30 decisions or more gets a new intercept, and a new threshold if one can be certified. The service
    reads the written file if DARKROOM_ACCEPTANCE names it.
    """
    system = service().system
    calibrations = read_calibrations(system.settings.acceptance)
    found = fitted(calibrations, decisions(system))
    _print(found)
    if output:
        written = {preset: each.after.model_dump(mode="json") for preset, each in found.items()}
        output.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
        click.echo(f"{output} written; set DARKROOM_ACCEPTANCE to its path", err=True)


def decisions(system: System) -> Iterator[tuple[Preset, Decision]]:
    """The decision of a person on every job that has an acceptance."""
    for qc_status in ("approved", "rejected"):
        for job in all_jobs(system, JobQuery(qc_status=qc_status, limit=PAGE)):
            if job.acceptance:
                accepted = qc_status == "approved"
                yield job.pipeline.preset, Decision(probability=job.acceptance.probability, accepted=accepted)


def fitted(calibrations: Calibrations, found: Iterator[tuple[Preset, Decision]]) -> Mapping[Preset, Recalibration]:
    """Every calibrated preset with its decisions."""
    by_preset: dict[Preset, list[Decision]] = {preset: [] for preset in calibrations}
    for preset, decision in found:
        if preset in by_preset:
            by_preset[preset].append(decision)
    return {preset: recalibrated(calibrations[preset], each) for preset, each in by_preset.items()}


def _print(found: Mapping[Preset, Recalibration]) -> None:
    from darkroom.cli.support.tables import table

    head = ("PRESET", "DECISIONS", "ACCEPTED", "AGREEMENT", "FALSE APPROVALS", "BOUND", "THRESHOLD", "CERTIFIED")
    table(head, (_row(preset, each) for preset, each in found.items()))


def _row(preset: Preset, found: Recalibration) -> tuple[object, ...]:
    count = len(found.decisions)
    bad, approved, bound = found.false_approvals
    return (
        preset,
        count,
        found.accepted,
        f"{found.agreement:.0%}" if count else "",
        f"{bad} of {approved}",
        f"{bound:.1%}",
        f"{found.before.threshold:g} to {found.after.threshold:g}",
        "yes" if found.after.certified else "no",
    )
