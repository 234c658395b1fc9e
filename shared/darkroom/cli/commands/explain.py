"""`darkroom explain`: the history of a job, its reasons, and the next steps."""

import json
from collections.abc import Iterator, Mapping

import click

from darkroom.cli.commands.jobs import scores
from darkroom.cli.support.service import find_job, job_argument, service
from darkroom.cli.support.text import duration, printable
from darkroom.domain.job import FINAL, Job
from darkroom.domain.messages import Step, StepRecord
from darkroom.domain.parameters import PARAMETERS

#: What to do about an error, by its code; `{id}` is the job's.
_ADVICE: Mapping[str, str] = {
    "empty_object": "The file was empty when it was uploaded: upload it again.",
    "too_many_bytes": "Upload a smaller file, or raise DARKROOM_MAX_BYTES.",
    "too_many_pixels": "Upload a smaller picture, or raise DARKROOM_MAX_PIXELS.",
    "unsupported_format": "Export the picture as JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC and upload that.",
    "truncated": "The file is incomplete: upload it again from its source.",
    "corrupt": "The file is damaged: upload it again from its source.",
    "zero_area": "The file holds no picture: upload it again from its source.",
    "not_finite": "The file holds values that are no numbers: export it again and upload that.",
    "unknown_preset": "`darkroom presets` lists the presets; submit the picture again with one of them.",
    "bad_pipeline": "`darkroom stages` lists stages and limits; submit the picture again with a valid pipeline.",
    "output_too_large": "Request less: `darkroom review {id} --reject --stages …`, or submit the picture again.",
    "source_gone": "The upload was deleted or replaced while it was processed: submit the picture again.",
    "model_missing": "Put the model's file at the path that `darkroom models` prints, then `darkroom replay {id}`.",
    "model_unknown": "`darkroom models` lists what there is; `darkroom review {id} --reject --stages …` uses another.",
    "delivery_exhausted": "When the cause of the failed attempts above is gone: `darkroom replay {id}`.",
}


@click.command(
    epilog="""\b
Examples:
  darkroom explain 3f2a91c0b7d2
  darkroom explain 3f2a"""
)
@job_argument()
def explain(job: str) -> None:
    """Explain what happened to a job, why, and what to do next.

    JOB is an id or its first digits.
    """
    for line in explained(find_job(service().system, job)):
        click.echo(line)


def explained(job: Job) -> Iterator[str]:
    """The story, line by line."""
    yield f"{job.short_id}  {printable(job.source.ref.name)}"
    yield f"{job.status}, quality {job.qc_status}, run {job.run}, {job.pipeline.label}"
    if job.before:
        yield f"score {scores(job)}, approved without a person above {job.pipeline.qc_threshold:g}"
    yield from _section("What happened", list(_timeline(job)))
    yield from _section("Stages", [line for index in range(len(job.plan)) for line in _step(job, index)])
    yield from _section("Skipped", [f"{each.stage:<14} {each.reason}" for each in job.skipped])
    yield from _section("Error", _error(job))
    yield from _section("Next", list(advice(job)))


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from (f"  {printable(line)}" for line in lines)


def _timeline(job: Job) -> Iterator[str]:
    for entry in job.history:
        since = duration((entry.at - job.created_at).total_seconds())
        who = f" by {entry.who}" if entry.who else ""
        times = f" (the last of {1 + entry.repeats})" if entry.repeats else ""
        yield f"{entry.at:%Y-%m-%d %H:%M:%S}Z {'+' + since:>10}  {entry.action}{who}{times}  {entry.text}".rstrip()


def _step(job: Job, index: int) -> Iterator[str]:
    step = job.plan[index]
    if index >= len(job.records):
        state = "not reached" if job.status in FINAL else f"to do by {step.method}"
        yield f"{step.stage:<14} {state}: {step.reason}"
        return
    record = job.records[index]
    yield f"{step.stage:<14} {_how(record, job.run)}: {step.reason}"
    if changed := _parameters(step):
        yield f"{'':<14} with {changed}"
    if record.values:
        yield f"{'':<14} found {_pairs(record.values)}"
    for note in record.notes:
        yield f"{'':<14} note: {note}"


def _how(record: StepRecord, run: int) -> str:
    by = f"model {record.model.id} version {record.model.version}" if record.model else record.method
    reused = f", reused from run {record.run}" if record.run < run else ""
    degraded = ", degraded" if record.degraded else ""
    return f"{by}, {duration(record.elapsed_ms / 1000)}, {record.peak_memory_mb:.0f} MB{reused}{degraded}"


def _parameters(step: Step) -> str:
    """The parameters that differ from the stage's defaults."""
    usual = PARAMETERS[step.stage].model_validate({}).model_dump(mode="json")
    return _pairs({name: value for name, value in step.parameters.items() if usual.get(name) != value})


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in values.items())


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return value if isinstance(value, str) else json.dumps(value)


def _error(job: Job) -> list[str]:
    if job.error is None:
        return []
    where = f" in {job.error.stage}" if job.error.stage else ""
    return [f"{job.error.code}{where}: {job.error.message}"]


def advice(job: Job) -> Iterator[str]:
    """What the user can do next, by the status of the job."""
    if job.status in ("pending", "processing"):
        yield "It continues by itself. If nothing happens, check that the service runs (`darkroom up` on one machine)."
        yield f"To stop it: `darkroom cancel {job.short_id}`."
    elif job.status == "completed":
        yield f"Fetch the result: `darkroom get {job.short_id}`."
        if job.qc_status == "needs_review":
            yield f"Decide: `darkroom review {job.short_id} --approve`, or `--reject`."
    elif job.status == "cancelled":
        yield "Submit the picture again to process it."
    elif job.error:
        yield _ADVICE.get(job.error.code, _usual_advice(job)).format(id=job.short_id)


def _usual_advice(job: Job) -> str:
    if len(job.plan) <= 1:
        return "Correct the cause, then submit the picture again."
    return "Correct the cause, then `darkroom replay {id}`. Or change it: `darkroom review {id} --reject --preset …`."
