"""Processes one file, in any process."""

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from darkroom.cli.support.errors import WHERE
from darkroom.cli.support.files import part_of, write_atomically
from darkroom.cli.support.output_paths import Target
from darkroom.cli.support.text import printable
from darkroom.domain.errors import DarkroomError
from darkroom.domain.formats import CONTENT_TYPES
from darkroom.domain.messages import ObjectRef
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.planner import requested_stages
from darkroom.runtime.settings import Settings

if TYPE_CHECKING:  # pixel libraries are imported where they are used
    from darkroom.domain.job import Job
    from darkroom.execution.runner import LocalRunner, PipelineResult

_FORMATS: Mapping[str, str] = {content_type: name for name, content_type in CONTENT_TYPES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One file, with everything that another process needs."""

    target: Target
    #: The name of the source in messages and in the manifest.
    name: str
    pipeline: Pipeline
    #: The mask for the picture, if there is one.
    mask: Path | None = None
    settings: Settings
    #: Threads of one process.
    threads: int
    #: Whether a manifest is written beside the result.
    manifest: bool
    #: The process that began the run, and cleans up after its workers.
    parent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """What became of one file."""

    source: str
    #: Path of the result; None if there is none.
    result: str | None = None
    #: `skipped` if the result was there before.
    status: Literal["done", "skipped", "failed"]
    stages: tuple[str, ...] = ()
    #: Requested stages, or stages that the preset always runs, that did not run; with the reason.
    left_out: tuple[tuple[str, str], ...] = ()
    score_before: float | None = None
    score_after: float | None = None
    degraded: bool = False
    qc_status: str = "pending"
    #: Codes and messages of why a person must look at the result.
    review_reasons: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    elapsed_s: float = 0.0
    error_code: str = ""
    error: str = ""
    #: Of an unexpected failure only.
    traceback: str = ""

    def to_json(self) -> dict[str, Any]:
        """One line of `--json`."""
        failed = self.status == "failed"
        return {
            "input": self.source,
            "output": self.result,
            "status": self.status,
            "stages": list(self.stages),
            "skipped": [{"stage": stage, "reason": reason} for stage, reason in self.left_out],
            "score_before": self.score_before,
            "score_after": self.score_after,
            "degraded": self.degraded,
            "qc_status": self.qc_status,
            "review_reasons": [{"code": code, "message": message} for code, message in self.review_reasons],
            "notes": list(self.notes),
            "elapsed_s": round(self.elapsed_s, 3),
            "error": {"code": self.error_code, "message": self.error} if failed else None,
        }


def carry_out(task: Task) -> FileOutcome:
    """Develop one file and write its result; an error is returned in the outcome."""
    started = time.perf_counter()
    try:
        made, path = _make(task)
    except Exception as exc:  # noqa: BLE001  one file must not stop the others; its outcome contains the error
        return failed(task.name, exc, time.perf_counter() - started)
    return summarize(task.name, made, elapsed_s=time.perf_counter() - started, result=str(path))


def failed(name: str, error: Exception, elapsed_s: float = 0.0) -> FileOutcome:
    """The outcome of a file that could not be processed; an unexpected failure includes its traceback."""
    code = error.code if isinstance(error, DarkroomError) else type(error).__name__
    expected = isinstance(error, (DarkroomError, OSError, MemoryError))
    return FileOutcome(
        source=name,
        status="failed",
        error_code=code,
        error=_sentence(error) if expected else f"unexpected {type(error).__name__}: {error} ({WHERE})",
        traceback="" if expected else "".join(traceback.format_exception(error)),
        elapsed_s=elapsed_s,
    )


def _sentence(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"there is not enough memory {error}".rstrip()
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def summarize(name: str, made: "PipelineResult", *, elapsed_s: float, result: str | None) -> FileOutcome:
    """The outcome of a file that was developed."""
    job = made.job
    return FileOutcome(
        source=name,
        result=result,
        status="done",
        stages=tuple(record.stage for record in job.records if record.stage != "assess"),
        left_out=_left_out(job),
        score_before=job.before.score if job.before else None,
        score_after=job.after.score if job.after else None,
        degraded=job.degraded,
        qc_status=job.qc_status,
        review_reasons=tuple((reason.code, reason.message) for reason in job.review_reasons),
        notes=tuple(note for record in job.records for note in record.notes),
        elapsed_s=elapsed_s,
    )


def _left_out(job: "Job") -> tuple[tuple[str, str], ...]:
    """The skipped stages that the user expects; a stage that runs only where it is needed is not expected."""
    expected = {each.stage for each in requested_stages(job.pipeline) if each.origin in ("asked", "preset")}
    return tuple((each.stage, each.reason) for each in job.skipped if each.stage in expected)


def parts(task: Task) -> list[Path]:
    """The files that may be half-written, for the process that ends a worker."""
    written = [*task.target.results, task.target.manifest]
    return [part_of(path, task.parent) for path in written]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The bytes of one picture, its name in messages and in the manifest, and its mask."""

    name: str
    data: bytes
    mask: Path | None = None


def develop_bytes(source: Source, pipeline: Pipeline, settings: Settings, *, threads: int) -> "PipelineResult":
    """Develop the bytes of one picture. Raises PermanentError if it cannot be done, OSError for an unreadable mask."""
    from darkroom.execution.runner import given_mask, run_pipeline

    runner = _bench(settings, threads)
    if source.mask is not None:
        runner, pipeline = given_mask(runner, pipeline, printable(source.mask.name), source.mask.read_bytes())
    return run_pipeline(runner, printable(source.name), source.data, pipeline)


def _make(task: Task) -> tuple["PipelineResult", Path]:
    source = Source(name=task.name, data=task.target.source.read_bytes(), mask=task.mask)
    made = develop_bytes(source, task.pipeline, task.settings, threads=task.threads)
    path = task.target.path(_FORMATS[made.content_type])
    if task.manifest:  # before the result, whose presence means that the file is done
        manifest = _manifest(made.job, path.name)
        write_atomically(task.target.manifest, manifest, part=part_of(task.target.manifest, task.parent))
    write_atomically(path, made.data, part=part_of(path, task.parent))
    return made, path


def _manifest(job: "Job", result_name: str) -> bytes:
    """The manifest, with the name that the result really has."""
    from darkroom.domain.manifest import manifest_json

    result = ObjectRef(bucket="output", name=printable(result_name), generation=0)
    records = tuple(
        record.model_copy(update={"output": result}) if record.stage == "finish" else record for record in job.records
    )
    return manifest_json(job.model_copy(update={"records": records}))


@cache
def _bench(settings: Settings, threads: int) -> "LocalRunner":
    import cv2

    from darkroom.runtime.bootstrap import build_local_runner

    cv2.setNumThreads(threads)
    return build_local_runner(settings, threads)
