"""`darkroom run`: processes files, folders or a stream in this process and its children."""

import time
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TypedDict, Unpack

import click

from darkroom.cli.commands.run_stream import STREAM, develop_stream
from darkroom.cli.support.batch import carry_out_all
from darkroom.cli.support.errors import Interrupted
from darkroom.cli.support.files import Output, read_output
from darkroom.cli.support.pipeline_options import DevelopingCommand, asked_pipeline, output_options, pipeline_options
from darkroom.cli.support.process_file import FileOutcome, carry_out
from darkroom.cli.support.progress import report, sums, tell_failures
from darkroom.cli.support.run_plan import MAX_DEFAULT_JOBS, Batch, How, plan_batch
from darkroom.cli.support.text import printable
from darkroom.domain.errors import BadPipeline
from darkroom.domain.masks import with_mask
from darkroom.domain.pipeline import Pipeline

EPILOG = """\b
Examples:
  darkroom run photo.jpg -o restored.jpg
  darkroom run photos -o restored --preset restore --jobs 2
  darkroom run photo.jpg -o out --stages "denoise:strength=0.8,upscale:scale=2"
  darkroom run photos -o shop --preset product --target-size-kb 300 --manifest
  darkroom run photos -o web --preset optimize --format webp --max-side 1600 --json
  darkroom run photo.jpg -o filled.jpg --preset repair --mask mask.png
  darkroom run - --preset denoise < photo.jpg > restored.jpg

A folder's tree comes out as it went in. Pictures whose result exists are left alone, so the same command goes on
where it was interrupted. If a.png and a.jpg of one folder would both become a.jpg, they become a.png.jpg and
a.jpg.jpg."""


class _Told(TypedDict):
    output: Output | None
    jobs: int | None
    overwrite: bool
    manifest: bool
    mask: Path | None
    as_json: bool


@click.command(cls=DevelopingCommand, epilog=EPILOG)
@click.argument(
    "inputs",
    metavar="INPUT...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
)
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    callback=read_output,
    help="Folder of the results, surely with / at its end; for one picture also a file, or - for stdout.",
)
@pipeline_options
@click.option(
    "--mask",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For one picture: a picture of its size in which white says where to repair; or, for background alone, "
    "what belongs to the subject (white) and what does not (black).",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    help=f"Pictures at once, each in a process of its own.  [default: one per processor, at most {MAX_DEFAULT_JOBS}]",
)
@click.option("--overwrite", is_flag=True, help="Make results that exist anew.")
@click.option("--manifest", is_flag=True, help="Write NAME.json beside each result: what was done to it, and how.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each file.")
@output_options(leave_out=["background_object"])
@click.pass_context
def run(ctx: click.Context, inputs: tuple[Path, ...], **told: Unpack[_Told]) -> None:
    """Develop files or whole folders on this machine.

    INPUT is a picture, a folder, or - for stdin. Without a pipeline the preset auto is taken: what the measurements
    call for, and nothing else.
    """
    pipeline = asked_pipeline(ctx) or Pipeline()
    if told["mask"] is not None:
        _check_mask(inputs, pipeline, told["mask"])
    output = told["output"] or (Output(path=STREAM, is_folder=False) if inputs == (STREAM,) else None)
    if output is None:
        raise click.UsageError("say with -o where the results go")
    if STREAM in (output.path, *inputs):
        if len(inputs) > 1 or told["manifest"] or told["as_json"]:
            raise click.UsageError("- stands for one picture, without --manifest and --json")
        develop_stream(inputs[0], output.path, pipeline, overwrite=told["overwrite"], mask=told["mask"])
        return
    how = How(jobs=told["jobs"], overwrite=told["overwrite"], manifest=told["manifest"], mask=told["mask"])
    batch = plan_batch(inputs, output, pipeline, how)
    _run_batch(batch, as_json=told["as_json"], debug=ctx.find_root().params["debug"])


def _check_mask(inputs: tuple[Path, ...], pipeline: Pipeline, mask: Path) -> None:
    """Raises UsageError if the mask has no single picture or no stage, before anything is processed."""
    if len(inputs) > 1 or inputs[0].is_dir():
        raise click.UsageError("--mask is for one picture; several pictures need a mask each")
    try:
        with_mask(pipeline, printable(mask.name))
    except BadPipeline as exc:
        raise click.UsageError(str(exc)) from exc


def _run_batch(batch: Batch, *, as_json: bool, debug: bool) -> None:
    started = time.perf_counter()
    counts: Counter[str] = Counter()
    try:
        with closing(_outcomes(batch)) as outcomes:
            failures = report(outcomes, total=batch.total, as_json=as_json, counts=counts)
    except KeyboardInterrupt as exc:
        left = batch.total - sum(counts.values())
        ended = f"{counts['done']} done, {counts['failed']} failed, {left} left"
        raise Interrupted(f"interrupted: {ended}; the same command goes on from there") from exc
    tell_failures(failures, debug=debug)
    click.echo(sums(counts, batch.left_out, started), err=True)
    if failures:
        raise click.exceptions.Exit(1)


def _outcomes(batch: Batch) -> Generator[FileOutcome]:
    yield from batch.skipped
    if len(batch.tasks) == 1:
        yield carry_out(batch.tasks[0])
    else:
        yield from carry_out_all(batch.tasks, batch.jobs)
