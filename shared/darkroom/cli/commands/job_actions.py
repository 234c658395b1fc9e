"""`darkroom cancel`, `replay` and `review`: an operator acts on jobs."""

import getpass
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypedDict, Unpack

import click

from darkroom.cli.support.pipeline_options import (
    DevelopingCommand,
    output_options,
    pipeline_options,
    requested_pipeline,
)
from darkroom.cli.support.service import find_job, job_argument, service
from darkroom.cli.support.text import printable
from darkroom.domain.errors import DarkroomError, TransientError
from darkroom.domain.job import Job
from darkroom.handlers.job_commands import cancel_job, replay_job, review_job, rework_job
from darkroom.runtime.system import System


@click.command(
    epilog="""\b
Examples:
  darkroom cancel 3f2a91c0b7d2"""
)
@job_argument(many=True)
def cancel(jobs: tuple[str, ...]) -> None:
    """Stop jobs.

    JOB is an id or its first digits. A stage that is at work finishes, and its answer is ignored; the upload stays.
    """
    _each(jobs, partial(cancel_job, who=getpass.getuser()))


@click.command(
    epilog="""\b
Examples:
  darkroom replay 3f2a91c0b7d2
  darkroom jobs --status failed --json | jq -r .id | xargs darkroom replay"""
)
@job_argument(many=True)
def replay(jobs: tuple[str, ...]) -> None:
    """Let failed jobs go on from the step that failed.

    JOB is an id or its first digits.
    """
    _each(jobs, partial(replay_job, who=getpass.getuser()))


def _each(jobs: Iterable[str], action: Callable[[System, str], Job]) -> None:
    """Run the action on every job; refusals are printed at the end and do not stop the other jobs."""
    system = service().system
    refused = []
    for text in jobs:
        try:
            _print_status(action(system, find_job(system, text).id))
        except TransientError:
            raise
        except DarkroomError as exc:
            refused.append(f"{text}: {exc}")
    for line in refused:
        click.echo(printable(line), err=True)
    if refused:
        raise click.exceptions.Exit(1)


def _print_status(job: Job) -> None:
    click.echo(f"{job.short_id}  {job.status}, quality {job.qc_status}, run {job.run}")


class _Options(TypedDict):
    approve: bool | None
    reviewer: str
    notes: str


@click.command(
    cls=DevelopingCommand,
    epilog="""\b
Examples:
  darkroom review 3f2a91c0b7d2 --approve
  darkroom review 3f2a91c0b7d2 --reject --notes "the edge of the bottle is cut off"
  darkroom review 3f2a91c0b7d2 --reject --preset restore --reviewer anna""",
)
@job_argument()
@click.option("--approve/--reject", required=True, help="The verdict.")
@click.option(
    "--reviewer",
    default=getpass.getuser,
    show_default="your login name",
    help="Who decides; stands in the job's history.",
)
@click.option("--notes", default="", help="Why; stands in the job's history.")
@pipeline_options
@output_options()
@click.pass_context
def review(ctx: click.Context, job: str, **options: Unpack[_Options]) -> None:
    """Approve or reject a result, or have it done again in another way.

    JOB is an id or its first digits. With --reject and a pipeline the job runs again; what the last run did up to the
    first changed step is reused.
    """
    pipeline = requested_pipeline(ctx)
    if pipeline and options["approve"]:
        raise click.UsageError("a pipeline goes with --reject: it is run instead of the one before")
    system = service().system
    found = find_job(system, job)
    who, notes = options["reviewer"], options["notes"]
    if pipeline:
        _print_status(rework_job(system, found.id, pipeline, who=who, notes=notes))
    else:
        _print_status(review_job(system, found.id, approved=bool(options["approve"]), who=who, notes=notes))
