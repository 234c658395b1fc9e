"""`darkroom submit`: uploads photographs with their pipeline."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

import click

from darkroom.cli.support.pipeline_options import (
    DevelopingCommand,
    keys_and_values,
    output_options,
    pipeline_options,
    requested_pipeline,
)
from darkroom.cli.support.service import service
from darkroom.cli.support.text import printable
from darkroom.cli.support.wait import wait_for, warn_if_unserved
from darkroom.domain.errors import BadImage, DarkroomError, ObjectExists, TransientError
from darkroom.domain.job import Job, job_id
from darkroom.domain.new_job import DISPLAY_NAME_KEY, LABEL_PREFIX
from darkroom.domain.pipeline import DEFAULT_PRESET, Pipeline
from darkroom.runtime.ports import NewObject, ObjectInfo
from darkroom.runtime.system import System


class _Options(TypedDict):
    as_name: str | None
    display_name: str | None
    labels: dict[str, str]
    replace: bool
    wait: bool
    timeout: float | None
    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    file: Path
    upload: ObjectInfo

    @property
    def job_id(self) -> str:
        return job_id(self.upload.ref)


@click.command(
    cls=DevelopingCommand,
    epilog="""\b
Examples:
  darkroom submit photo.jpg --preset restore --wait
  darkroom submit photo.jpg --stages denoise,upscale:scale=2 --as 1931/wedding.jpg
  darkroom submit front.jpg back.jpg --preset product --label product_group_id=4711 --label sku_id=7
  darkroom submit photo.jpg --pipeline @pipeline.json --wait --timeout 60""",
)
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@pipeline_options
@click.option(
    "--as",
    "as_name",
    metavar="PATH/IN/BUCKET",
    help="Name of the object, or of its folder if it ends with /.  [default: PRESET/FILENAME]",
)
@click.option("--name", "display_name", metavar="DISPLAY", help="Name under which people see the job.")
@click.option(
    "--label", "labels", metavar="KEY=VALUE", multiple=True, callback=keys_and_values, help="A label; repeat for more."
)
@click.option("--replace", is_flag=True, help="Replace an upload of the same name.")
@click.option("--wait", is_flag=True, help="Show progress until the jobs end; exit status 1 unless all are completed.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Wait at most so long.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each file.")
@output_options()
@click.pass_context
def submit(ctx: click.Context, files: tuple[Path, ...], **options: Unpack[_Options]) -> None:
    """Upload photographs to the uploads bucket.

    Prints the id of each job. The first folder of an object's name chooses the preset unless a pipeline is given.
    """
    pipeline = requested_pipeline(ctx)
    names = _names(files, options["as_name"], pipeline)
    if options["timeout"] and not options["wait"]:
        raise click.UsageError("--timeout goes with --wait")
    connected = service()
    chosen = dict(zip(files, names, strict=True))
    sent, problems = _send_all(connected.system, chosen, _metadata(pipeline, options), replace=options["replace"])
    ended: dict[str, Job] = {}
    if options["wait"]:
        ended = wait_for(connected, [each.job_id for each in sent], timeout_s=options["timeout"])
    for line in _lines(sent, ended, as_json=options["as_json"]):
        click.echo(line)
    for problem in problems:
        click.echo(printable(problem), err=True)
    if sent and not options["wait"]:
        warn_if_unserved(connected.system.settings)
    if problems or any(job.status != "completed" for job in ended.values()):
        raise click.exceptions.Exit(1)


def _names(files: Sequence[Path], as_name: str | None, pipeline: Pipeline | None) -> list[str]:
    if as_name and not as_name.endswith("/"):
        if len(files) > 1:
            raise click.UsageError("--as names one object; for several files end it with / to name their folder")
        return [as_name]
    folder = as_name or f"{_folder(pipeline)}/"
    names = [f"{folder}{printable(file.name)}" for file in files]
    if twice := sorted(name for name, times in Counter(names).items() if times > 1):
        raise click.UsageError(f"several files would become {', '.join(twice)}; submit them apart, with --as")
    return names


def _folder(pipeline: Pipeline | None) -> str:
    if pipeline is None:
        return DEFAULT_PRESET
    return "custom" if isinstance(pipeline.stages, tuple) else pipeline.preset


def _metadata(pipeline: Pipeline | None, options: _Options) -> dict[str, str]:
    metadata = {f"{LABEL_PREFIX}{key}": value for key, value in options["labels"].items()}
    if options["display_name"]:
        metadata[DISPLAY_NAME_KEY] = options["display_name"]
    if pipeline:
        plain = pipeline == Pipeline(preset=pipeline.preset)
        metadata["pipeline"] = pipeline.preset if plain else pipeline.model_dump_json(exclude_defaults=True)
    return metadata


def _send_all(
    system: System, names: dict[Path, str], metadata: dict[str, str], *, replace: bool
) -> tuple[list[_Sent], list[str]]:
    """The uploads, and one sentence for each file that could not be uploaded."""
    sent, problems = [], []
    for file, name in names.items():
        try:
            sent.append(_Sent(file=file, upload=_send(system, file, name, metadata, replace=replace)))
        except TransientError:
            raise
        except ObjectExists as exc:
            problems.append(f"{file}: {exc} (--replace replaces it, --as gives another name)")
        except (DarkroomError, OSError) as exc:
            problems.append(f"{file}: {exc}")
    return sent, problems


def _send(system: System, file: Path, name: str, metadata: dict[str, str], *, replace: bool) -> ObjectInfo:
    data = file.read_bytes()
    new = NewObject(data=data, content_type=_content_type(data), metadata=metadata)
    write = system.objects.put if replace else system.objects.create
    return write(system.settings.uploads_bucket, name, new)


def _content_type(data: bytes) -> str:
    """The content type, from the first bytes. A file that is no picture is uploaded too; its job reports the error."""
    from darkroom.imaging.codec.formats.sniff import sniff

    try:
        return f"image/{sniff(data)}"
    except BadImage:
        return "application/octet-stream"


def _lines(sent: Sequence[_Sent], ended: dict[str, Job], *, as_json: bool) -> Iterator[str]:
    for each in sent:
        job = ended.get(each.job_id)
        if as_json:
            yield json.dumps(_job_summary(each, job))
        else:
            outcome = f"  {job.status}, quality {job.qc_status}" if job else ""
            result = f"  {job.result}" if job and job.result else ""
            yield printable(f"{each.job_id}  {each.upload.ref}{outcome}{result}")


def _job_summary(sent: _Sent, job: Job | None) -> dict[str, object]:
    values: dict[str, object] = {"input": str(sent.file), "job_id": sent.job_id, "upload": str(sent.upload.ref)}
    if job is None:
        return values
    error = {"code": job.error.code, "message": job.error.message} if job.error else None
    verdict = {"status": job.status, "qc_status": job.qc_status, "error": error}
    return {**values, **verdict, "result": str(job.result) if job.result else None}
