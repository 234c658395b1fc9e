"""`darkroom get`: copies a picture from its bucket."""

import sys
from pathlib import Path, PurePosixPath
from typing import TypedDict, Unpack

import click

from darkroom.cli.support.errors import Failure
from darkroom.cli.support.files import Output, read_output, write_atomically
from darkroom.cli.support.service import find_job, job_argument, service
from darkroom.cli.support.text import printable
from darkroom.domain.errors import NotAllowed
from darkroom.domain.job import Job
from darkroom.domain.messages import ObjectRef
from darkroom.domain.topology import STAGES
from darkroom.runtime.system import System

_STREAM = Path("-")


class _Options(TypedDict):
    output: Output | None
    manifest: bool
    original: bool
    stage: str | None
    overwrite: bool


@click.command(
    epilog="""\b
Examples:
  darkroom get 3f2a91c0b7d2
  darkroom get 3f2a91c0b7d2 -o restored.jpg
  darkroom get 3f2a91c0b7d2 --manifest -o -
  darkroom get 3f2a91c0b7d2 --stage denoise -o steps"""
)
@job_argument()
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    callback=read_output,
    help="File, folder (existing, or with / at its end), or - for stdout.  [default: the object's name, here]",
)
@click.option("--manifest", is_flag=True, help="The manifest: what was done, and how.")
@click.option("--original", is_flag=True, help="The picture as it was uploaded.")
@click.option("--stage", type=click.Choice(STAGES), help="The picture after this stage (after assess, its report).")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there already.")
def get(job: str, **options: Unpack[_Options]) -> None:
    """Fetch a result, its manifest, the original, or the picture after a stage.

    JOB is an id or its first digits.
    """
    if sum([options["manifest"], options["original"], options["stage"] is not None]) > 1:
        raise click.UsageError("give one of --manifest, --original and --stage")
    system = service().system
    ref = _requested_object(system, find_job(system, job), options)
    data = system.objects.read(ref)
    if options["output"] is not None and options["output"].path == _STREAM:
        sys.stdout.buffer.write(data)
        return
    path = _path(ref, options["output"])
    if path.exists() and not options["overwrite"]:
        raise Failure(f"{path} is there already (--overwrite replaces it)")
    write_atomically(path, data)
    click.echo(printable(path))


def _path(ref: ObjectRef, output: Output | None) -> Path:
    name = PurePosixPath(ref.name).name
    if output is None:
        return Path(name)
    return output.path / name if output.is_folder or output.path.is_dir() else output.path


def _requested_object(system: System, job: Job, options: _Options) -> ObjectRef:
    """The requested object. Raises NotAllowed if the job has not produced it yet."""
    if options["original"]:
        return job.source.ref
    if stage := options["stage"]:
        found = [record.output for record in job.records if record.stage == stage]
        if not found:
            raise NotAllowed(f"job {job.short_id} has no picture of stage {stage}, only of {_stages(job)}")
        return found[-1]
    if job.result is None or job.status != "completed":
        raise NotAllowed(f"job {job.short_id} is {job.status} and has no result; `darkroom explain {job.short_id}`")
    if options["manifest"]:
        return system.objects.stat(job.result.bucket, job.manifest_name).ref
    return job.result


def _stages(job: Job) -> str:
    return ", ".join(record.stage for record in job.records) or "none yet"
