"""Plans `darkroom run`, and refuses an invalid request before any file is processed."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from darkroom.cli.support.errors import Failure
from darkroom.cli.support.files import Output
from darkroom.cli.support.output_paths import (
    LeftOut,
    Search,
    Target,
    conflicts,
    disentangled,
    search,
    targets,
)
from darkroom.cli.support.pipeline_options import with_output
from darkroom.cli.support.process_file import FileOutcome, Task
from darkroom.cli.support.progress import left_out_sentence
from darkroom.cli.support.text import counted, printable
from darkroom.domain.formats import FORMAT_OF_SUFFIX, PICTURE_SUFFIXES
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.planner import finish_parameters, requested_stages
from darkroom.runtime.bootstrap import processors
from darkroom.runtime.settings import read_settings

#: Largest default number of processes; with large pictures memory runs out before processors do.
MAX_DEFAULT_JOBS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The plan of a run."""

    tasks: tuple[Task, ...]
    #: Pictures whose results exist.
    skipped: tuple[FileOutcome, ...]
    #: What in the folders is not worked on.
    left_out: tuple[LeftOut, ...]
    #: Processes at once.
    jobs: int

    @property
    def total(self) -> int:
        return len(self.tasks) + len(self.skipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """The options of a run."""

    #: Requested number of processes, if any.
    jobs: int | None
    #: Whether existing results are replaced.
    overwrite: bool
    #: Whether a manifest is written beside each result.
    manifest: bool
    #: The mask for the one picture, if there is one.
    mask: Path | None = None


def plan_batch(inputs: Sequence[Path], destination: Output, pipeline: Pipeline, how: How) -> Batch:
    """Raises UsageError if the results would overwrite inputs or each other, Failure if there is no picture."""
    output = destination.path
    _check_output(inputs, destination)
    looked = Search(found=(), left_out=())
    if is_file(inputs, destination):
        pipeline = in_format_of(output, pipeline)
        formats = frozenset({finish_parameters(pipeline).format})
        planned = [Target(source=inputs[0], stem=output, formats=formats, fixed=True)]
    else:
        looked = search(inputs, output)
        planned = _targets(looked, output, pipeline, manifest=how.manifest)
    _check_targets(planned, inputs, looked, manifest=how.manifest)
    there = {} if how.overwrite else {each: path for each in planned for path in each.results if path.exists()}
    todo = [each for each in planned if each not in there]
    return Batch(
        tasks=_tasks(todo, pipeline, how),
        skipped=tuple(
            FileOutcome(source=str(it.source), result=str(path), status="skipped") for it, path in there.items()
        ),
        left_out=looked.left_out,
        jobs=_processes(how.jobs, len(todo)),
    )


def is_file(inputs: Sequence[Path], output: Output) -> bool:
    """Whether `output` names the one result, and not the folder of results."""
    return _may_be_file(inputs, output) and output.path.suffix.lower() in PICTURE_SUFFIXES


def _may_be_file(inputs: Sequence[Path], output: Output) -> bool:
    one = len(inputs) == 1 and not inputs[0].is_dir()
    return one and not output.is_folder and not output.path.is_dir()


def in_format_of(output: Path, pipeline: Pipeline) -> Pipeline:
    """The pipeline that writes the format which the name of `output` promises. Raises UsageError if it cannot."""
    suffix = output.suffix.lower()
    if suffix not in FORMAT_OF_SUFFIX:
        raise click.UsageError(f"{suffix or output} cannot be written, only {' '.join(FORMAT_OF_SUFFIX)}")
    requested = pipeline.output.get("format", "keep")
    if requested not in ("keep", FORMAT_OF_SUFFIX[suffix]):
        raise click.UsageError(f"{output.name} and --format {requested} contradict each other")
    return with_output(pipeline, {"format": FORMAT_OF_SUFFIX[suffix]})


def _check_output(inputs: Sequence[Path], destination: Output) -> None:
    output = destination.path
    if any(each.is_dir() and each.resolve() == output.resolve() for each in inputs):
        raise click.UsageError(f"{output} is the input itself; the results need a folder of their own")
    if output.is_file() and not is_file(inputs, destination):
        raise click.UsageError(f"{output} is a file; the results need a folder")
    if _may_be_file(inputs, destination) and output.suffix and output.suffix.lower() not in PICTURE_SUFFIXES:
        known = " ".join(FORMAT_OF_SUFFIX)
        raise click.UsageError(f"{output.suffix} cannot be written, only {known}; a folder's name ends with /")


def _check_targets(planned: Sequence[Target], inputs: Sequence[Path], looked: Search, *, manifest: bool) -> None:
    if not planned:
        others = f"; {left_out_sentence(looked.left_out)}" if looked.left_out else ""
        raise Failure(f"there is no picture in {', '.join(str(each) for each in inputs)}{others}")
    if problems := conflicts(planned, manifest=manifest):
        raise click.UsageError("; ".join(problems[:3]) + ("; …" if len(problems) > 3 else ""))


def _targets(looked: Search, output: Path, pipeline: Pipeline, *, manifest: bool) -> list[Target]:
    cut_out = any(each.stage == "background" and each.origin != "off" for each in requested_stages(pipeline))
    found = targets(looked.found, output, finish_parameters(pipeline), cut_out=cut_out)
    return disentangled(found, manifest=manifest)


def plan_lines(batch: Batch, pipeline: Pipeline) -> Iterator[str]:
    """The plan for people: the stages, then each picture with the names that its result may get."""
    requests = [each for each in requested_stages(pipeline) if each.origin != "off"]
    stages = [f"{each.stage} if needed" if each.origin == "needed" else each.stage for each in requests]
    yield f"{pipeline.label}: {', '.join([*stages, 'finish'])}"
    for task in batch.tasks:
        results = " or ".join(sorted(printable(path) for path in task.target.results))
        yield f"{printable(task.name)} → {results}"
    for each in batch.skipped:
        yield f"{printable(each.source)}: its result {printable(each.result)} exists"
    yield f"{counted(len(batch.tasks), 'picture')} to do, {counted(batch.jobs, 'process', 'processes')}"


def _processes(jobs: int | None, pictures: int) -> int:
    return max(1, min(jobs or min(processors(), MAX_DEFAULT_JOBS), pictures))


def _tasks(todo: Sequence[Target], pipeline: Pipeline, how: How) -> tuple[Task, ...]:
    settings = read_settings(os.environ)
    threads = settings.threads or max(1, processors() // _processes(how.jobs, len(todo)))
    return tuple(
        Task(
            target=each,
            name=str(each.source),
            pipeline=pipeline,
            mask=how.mask,
            settings=settings,
            threads=threads,
            manifest=how.manifest,
            parent=os.getpid(),
        )
        for each in todo
    )
