"""`darkroom jobs` and `darkroom show`: lists jobs and prints one."""

import json
from dataclasses import replace
from itertools import islice
from typing import TypedDict, Unpack, get_args

import click

from darkroom.cli.support.pipeline_options import key_and_value
from darkroom.cli.support.service import find_job, job_argument, service
from darkroom.cli.support.text import printable
from darkroom.domain.job import Job, QcStatus, Status
from darkroom.handlers.pages import all_jobs
from darkroom.runtime.ports import JobQuery

MAX_PAGE = 1000


class _Options(TypedDict):
    status: Status | None
    qc_status: QcStatus | None
    label: tuple[str, str] | None
    owner: str | None
    limit: int
    as_json: bool


@click.command(
    epilog="""\b
Examples:
  darkroom jobs
  darkroom jobs --status failed --limit 100
  darkroom jobs --qc needs_review --label product_group_id=4711
  darkroom jobs --status completed --json"""
)
@click.option("--status", type=click.Choice(get_args(Status)), help="Only jobs in this state.")
@click.option("--qc", "qc_status", type=click.Choice(get_args(QcStatus)), help="Only jobs with this quality verdict.")
@click.option("--label", metavar="KEY=VALUE", callback=key_and_value, help="Only jobs with this label.")
@click.option("--owner", help="Only jobs of this owner.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Most jobs to list.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each job.")
def jobs(**options: Unpack[_Options]) -> None:
    """List jobs, newest first.

    SCORE is before → after, STEPS are those done of those planned, AGE is the time since the last change.
    """
    conditions = JobQuery(
        status=options["status"], qc_status=options["qc_status"], label=options["label"], owner=options["owner"]
    )
    query = replace(conditions, limit=min(options["limit"], MAX_PAGE))
    system = service().system
    found = islice(all_jobs(system, query), options["limit"])
    if options["as_json"]:
        for job in found:
            click.echo(json.dumps(job.model_dump(mode="json")))
        return
    from darkroom.cli.support.tables import age, table

    now = system.clock.now()
    rows = ((*_row(job), age((now - job.updated_at).total_seconds()), job.source.ref.name) for job in found)
    table(("JOB", "STATUS", "QC", "SCORE", "STEPS", "AGE", "NAME"), rows)


def _row(job: Job) -> tuple[str, ...]:
    steps = f"{len(job.records)}/{len(job.plan)}" if len(job.plan) > 1 else f"{len(job.records)}/?"
    return job.short_id, job.status, job.qc_status, scores(job), steps


def scores(job: Job) -> str:
    """The scores before and after, `41.0 → 63.2`; a missing score is omitted or `-`."""
    before = f"{job.before.score:.1f}" if job.before else "-"
    return f"{before} → {job.after.score:.1f}" if job.after else before


@click.command(
    epilog="""\b
Examples:
  darkroom show 3f2a91c0b7d2
  darkroom show 3f2a --json"""
)
@job_argument()
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
def show(job: str, as_json: bool) -> None:
    """Show one job.

    JOB is an id or its first digits.
    """
    found = find_job(service().system, job)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json"), indent=2))
        return
    for name, value in _facts(found):
        if value:
            click.echo(f"{name:<10} {printable(value)}")


def _facts(job: Job) -> list[tuple[str, str]]:
    from darkroom.cli.support.tables import moment

    source = job.source
    return [
        ("job", job.id),
        ("name", job.display_name),
        ("owner", job.owner),
        ("labels", ", ".join(f"{key}={value}" for key, value in sorted(job.labels.items()))),
        ("status", f"{job.status}, quality {job.qc_status}" + (", degraded" if job.degraded else "")),
        ("run", f"{job.run}, {job.pipeline.label}"),
        ("steps", _steps(job)),
        ("score", f"{scores(job)}, threshold {job.pipeline.qc_threshold:g}"),
        ("error", f"{job.error.code}: {job.error.message}" if job.error else ""),
        ("source", f"{source.ref}, {source.size_bytes} bytes"),
        ("result", str(job.result) if job.result else ""),
        ("manifest", f"{job.result.bucket}/{job.manifest_name}" if job.result and job.status == "completed" else ""),
        ("created", moment(job.created_at)),
        ("completed", moment(job.completed_at) if job.completed_at else ""),
        ("expires", moment(job.expires_at)),
    ]


def _steps(job: Job) -> str:
    done = len(job.records)
    steps = [f"{step.stage}{'' if index < done else ' (to do)'}" for index, step in enumerate(job.plan)]
    return " → ".join(steps)
