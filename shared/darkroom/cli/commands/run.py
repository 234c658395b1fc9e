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
from darkroom.cli.support.pipeline_options import (
    DevelopingCommand,
    output_options,
    pipeline_options,
    requested_pipeline,
)
from darkroom.cli.support.process_file import FileOutcome, carry_out
from darkroom.cli.support.progress import report, sums
from darkroom.cli.support.run_plan import MAX_DEFAULT_JOBS, Batch, How, plan_batch, plan_lines
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
  darkroom run photos -o restored --preset restore --dry-run
  darkroom run - --preset denoise < photo.jpg > restored.jpg

A folder's tree comes out as it went in. Pictures whose result exists are left alone, so the same command goes on
where it was interrupted. If a.png and a.jpg of one folder would both become a.jpg, they become a.png.jpg and
a.jpg.jpg."""


class _Options(TypedDict):
    output: Output | None
    jobs: int | None
    overwrite: bool
    manifest: bool
    mask: Path | None
    dry_run: bool
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
    help="For one picture: a picture of its size in which white marks what to repair; or, for background alone, "
    "what belongs to the subject (white) and what does not (black).",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    help=f"Pictures at once, each in a process of its own.  [default: one per processor, at most {MAX_DEFAULT_JOBS}]",
)
@click.option("--overwrite", is_flag=True, help="Make results that exist anew.")
@click.option("--manifest", is_flag=True, help="Write NAME.json beside each result: what was done to it, and how.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each file.")
@output_options(leave_out=["background_object"])
@click.pass_context
def run(ctx: click.Context, inputs: tuple[Path, ...], **options: Unpack[_Options]) -> None:
    """Develop files or whole folders on this machine.

    INPUT is a picture, a folder, or - for stdin. Without a pipeline the preset auto is taken: what the measurements
    call for, and nothing else.
    """
    pipeline = requested_pipeline(ctx) or Pipeline()
    if options["mask"] is not None:
        _check_mask(inputs, pipeline, options["mask"])
    output = options["output"] or (Output(path=STREAM, is_folder=False) if inputs == (STREAM,) else None)
    if output is None:
        raise click.UsageError("-o is missing: give the folder or the file of the results")
    if STREAM in (output.path, *inputs):
        if len(inputs) > 1 or options["manifest"] or options["as_json"] or options["dry_run"]:
            raise click.UsageError("- stands for one picture, without --manifest, --json and --dry-run")
        develop_stream(inputs[0], output.path, pipeline, overwrite=options["overwrite"], mask=options["mask"])
        return
    how = How(jobs=options["jobs"], overwrite=options["overwrite"], manifest=options["manifest"], mask=options["mask"])
    batch = plan_batch(inputs, output, pipeline, how)
    if options["dry_run"]:
        for line in plan_lines(batch, pipeline):
            click.echo(line)
        return
    _run_batch(batch, as_json=options["as_json"], debug=ctx.find_root().params["debug"])


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
            report(outcomes, total=batch.total, as_json=as_json, debug=debug, counts=counts)
    except KeyboardInterrupt as exc:
        left = batch.total - sum(counts.values())
        ended = f"{counts['done']} done, {counts['failed']} failed, {left} left"
        raise Interrupted(f"interrupted: {ended}; the same command goes on from there") from exc
    click.echo(sums(counts, batch.left_out, started), err=True)
    if counts["failed"]:
        raise click.exceptions.Exit(1)


def _outcomes(batch: Batch) -> Generator[FileOutcome]:
    yield from batch.skipped
    if len(batch.tasks) == 1:
        yield carry_out(batch.tasks[0])
    else:
        yield from carry_out_all(batch.tasks, batch.jobs)
