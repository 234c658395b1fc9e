"""`darkroom demo`: sends one photograph through the whole service and shows the result."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from queue import Empty, SimpleQueue

import click
import cv2
from rich.console import Console
from rich.table import Table

from darkroom.adapters.local.uploads import is_unfinished
from darkroom.cli.commands.up import job_of
from darkroom.cli.support.errors import Failure
from darkroom.cli.support.sample import Gain, Sample, measured_gain, sample
from darkroom.cli.support.text import printable
from darkroom.domain.errors import JobNotFound
from darkroom.domain.formats import EXTENSIONS
from darkroom.domain.history import HistoryEntry, entries_since, occurrences
from darkroom.domain.job import FINAL, Job
from darkroom.domain.messages import ObjectRef
from darkroom.domain.parameters import RESTORATION_STAGES
from darkroom.domain.pipeline import PRESETS
from darkroom.execution.runner import open_score_model
from darkroom.execution.step import rate
from darkroom.imaging.codec import EncodeOptions, Limits, Metadata, decode, decode_working, encode
from darkroom.imaging.measurement.measure import measure
from darkroom.imaging.picture import Picture
from darkroom.local_cloud.cloud import LocalCloud
from darkroom.local_cloud.supervisor import Intervals
from darkroom.runtime.bootstrap import build_local_runner, processors
from darkroom.runtime.settings import Settings, read_settings
from darkroom.stages.compare import Panel, contact_sheet

#: Longest wait in seconds for the job.
_TIMEOUT_S = 300.0
#: Seconds between two scans of the uploads folder; short, so that the demo starts at once.
_WATCH_S = 0.05
_MANIFEST, _SHEET = "manifest.json", "contact-sheet.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """The files that a demo leaves in its output folder."""

    result: Path
    manifest: Path
    contact_sheet: Path
    gain: Gain | None


@click.command(epilog="\b\nExamples:\n  darkroom demo\n  darkroom demo portrait.jpg --preset product")
@click.argument("photo", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--preset", type=click.Choice(PRESETS), default="restore", show_default=True, help="The preset.")
@click.option(
    "--home", type=click.Path(file_okay=False, path_type=Path), help="Home of the service; a new one if absent."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder of the results.",
)
def demo(photo: Path | None, preset: str, home: Path | None, out: Path) -> None:
    """Send a photograph through the service on this machine and show the result.

    Without PHOTO, a photograph is damaged in a known way first, and the gain is measured against the undamaged one.
    """
    console = Console(highlight=False)
    started = time.monotonic()
    chosen = _own(photo) if photo else sample()
    settings = read_settings(os.environ)
    settings = settings.model_copy(update={"backend": "local", "home": (home or _fresh_home(settings)).resolve()})
    if photo:
        _spare(photo, out, chosen)
    out.mkdir(parents=True, exist_ok=True)
    _keep_inputs(out, chosen)
    changed: SimpleQueue[str] = SimpleQueue()
    intervals = Intervals(watch_s=_WATCH_S)
    with LocalCloud(settings, intervals=intervals, observe=lambda it: changed.put(job_of(it.delivery))) as cloud:
        path = _free(settings.home / settings.uploads_bucket / preset / chosen.name)
        console.print(f"{chosen.description}\n→ {path}", soft_wrap=True)
        _drop(path, chosen.data)
        job = _follow(console, cloud, changed)
        if job.status != "completed":
            raise Failure(f"the job is {job.status}: {job.error.message if job.error else 'it did not end in time'}")
        made = _collect(cloud, job, chosen, out)
    _print_result(console, job, made)
    console.print(f"{time.monotonic() - started:.1f} s from start to end.")


def _own(photo: Path) -> Sample:
    return Sample(name=_visible(photo.name), data=photo.read_bytes(), description=f"Your photograph {photo}.")


def _visible(name: str) -> str:
    """A name that the uploads folder does not ignore as a hidden or unfinished file."""
    names = (name, f"photograph{Path(name.rstrip('~')).suffix}", "photograph")
    return next(each for each in names if not is_unfinished(each))


def _spare(photo: Path, out: Path, chosen: Sample) -> None:
    """Raises UsageError if a file that the demo writes is, or may be, the photograph itself."""
    ours = (out / chosen.name, out / _MANIFEST, out / _SHEET, *(out / f"result.{each}" for each in EXTENSIONS.values()))
    for path in ours:
        if path.exists() and path.samefile(photo):
            raise click.UsageError(
                f"the demo would write over your photograph {path}; choose another folder with --out"
            )


def _fresh_home(settings: Settings) -> Path:
    """A home of this demo alone, so that it neither meets nor disturbs a service that runs."""
    return settings.home / "demo" / datetime.now(UTC).strftime(f"%Y%m%dT%H%M%S-{os.getpid()}")


def _free(path: Path) -> Path:
    """The path, or one beside it: an upload that is there stays, and the same bytes again would be no upload."""
    others = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return next(each for each in chain([path], others) if not os.path.lexists(each))


def _drop(path: Path, data: bytes) -> None:
    """As a person does it: write a file into the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _follow(console: Console, cloud: LocalCloud, changed: "SimpleQueue[str]") -> Job:
    """The job when it has ended, every step of it printed as it comes."""
    shown = 0
    with console.status("waiting for the upload to be noticed") as status:
        for job in _states(cloud, changed):
            for entry in entries_since(job.history, shown):
                console.print(_line(job, entry), soft_wrap=True, markup=False)
            shown = occurrences(job.history)
            if job.status in FINAL:
                return job
            status.update(f"{job.plan[len(job.records)].stage} …" if len(job.records) < len(job.plan) else "…")
    raise Failure(f"the job did not end within {_TIMEOUT_S:g} s, see {cloud.settings.home / 'logs'}")


def _states(cloud: LocalCloud, changed: "SimpleQueue[str]") -> Iterator[Job]:
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        cloud.check()
        try:
            yield cloud.jobs.get(changed.get(timeout=0.5))
        except (Empty, JobNotFound):
            continue


def _line(job: Job, entry: HistoryEntry) -> str:
    after = (entry.at - job.created_at).total_seconds()
    return f"{after:7.2f} s  {entry.action.replace('_', ' '):<16} {printable(entry.text)}"


def _keep_inputs(out: Path, chosen: Sample) -> None:
    (out / chosen.name).write_bytes(chosen.data)
    if chosen.reference is not None:
        cv2.imwrite(str(out / "reference.png"), cv2.cvtColor(chosen.reference, cv2.COLOR_RGB2BGR))


def _collect(cloud: LocalCloud, job: Job, chosen: Sample, out: Path) -> _Made:
    """Copy what came of it, and measure it."""
    assert job.result is not None
    data = cloud.objects.read(job.result)
    result = out / f"result{Path(job.result.name).suffix}"
    result.write_bytes(data)
    manifest = out / _MANIFEST
    manifest.write_bytes(cloud.objects.read(_manifest(cloud, job)))
    damaged, restored = _decoded(chosen.data), _decoded(data)
    sheet = out / _SHEET
    sheet.write_bytes(_png(contact_sheet(_panels(cloud, job, damaged, restored))))
    reference = chosen.reference
    gain = measured_gain(reference, damaged.pixels, restored.pixels) if reference is not None else None
    return _Made(result=result, manifest=manifest, contact_sheet=sheet, gain=gain)


def _panels(cloud: LocalCloud, job: Job, damaged: Picture, restored: Picture) -> list[Panel]:
    """Input, the picture after every stage scored as the result is, result."""
    assert job.before is not None
    assert job.after is not None
    judge = open_score_model(build_local_runner(cloud.settings, processors()))
    panels = [_panel("input", "as uploaded", damaged, job.before.score)]
    for record in job.records:
        if record.stage in RESTORATION_STAGES:
            picture = decode_working(cloud.objects.read(record.output))
            method = f"model {record.model.id}" if record.model else record.method
            details = f"{method}, {record.elapsed_ms:.0f} ms"
            value = rate(picture, measure(picture), judge, damaged.height * damaged.width).value
            panels.append(_panel(record.stage.replace("_", " "), details, picture, value))
    return [*panels, _panel("result", "finished", restored, job.after.score)]


def _panel(title: str, details: str, picture: Picture, value: float) -> Panel:
    return Panel(
        title=title, subtitle=f"score {value:.0f}, {picture.width}x{picture.height}, {details}", picture=picture
    )


def _png(picture: Picture) -> bytes:
    return encode(picture, EncodeOptions(format="png"), Metadata()).data


def _manifest(cloud: LocalCloud, job: Job) -> ObjectRef:
    """The manifest is written after the job is completed, a moment later."""
    bucket = cloud.settings.results_bucket
    cloud.wait_until(lambda: any(cloud.objects.list(bucket, job.manifest_name)), timeout_s=30.0)
    return cloud.objects.stat(bucket, job.manifest_name).ref


def _decoded(data: bytes) -> Picture:
    return decode(data, Limits(max_bytes=len(data), max_pixels=2**40)).picture


def _print_result(console: Console, job: Job, made: _Made) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("Result", str(made.result))
    table.add_row("Manifest", str(made.manifest))
    table.add_row("Contact sheet", str(made.contact_sheet))
    console.print(table)
    scores = " → ".join(f"{report.score:.1f}" for report in (job.before, job.after) if report)
    console.print(f"Score {scores} of 100, {job.qc_status}.")
    if made.gain is not None:
        console.print(_gain_table(made.gain))
        console.print(f"Measured against the undamaged photograph; {made.gain.note or 'the sizes are equal'}.")


def _gain_table(gain: Gain) -> Table:
    table = Table("", "PSNR", "SSIM")
    for name, likeness in (("damaged", gain.damaged), ("restored", gain.restored)):
        table.add_row(name, f"{likeness.psnr_db:.2f} dB", f"{likeness.ssim:.3f}")
    more = gain.restored.psnr_db - gain.damaged.psnr_db, gain.restored.ssim - gain.damaged.ssim
    table.add_row("gain", f"{more[0]:+.2f} dB", f"{more[1]:+.3f}")
    return table
