"""One pipeline, whatever it runs on: in process and on the event path the result has the same bytes."""

from collections.abc import Callable

import pytest

from darkroom.domain.job import Job
from darkroom.domain.pipeline import parse_pipeline
from darkroom.execution.runner import LocalRunner, PipelineResult, run_pipeline
from darkroom.imaging.codec import Limits
from tests import pictures
from tests.fault.conftest import local_world
from tests.photographs import small_jpeg
from tests.world import FixedMeter, World, memory_world

#: Name, bytes and pipeline of a photograph.
CASES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "restored JPEG": ("a.jpg", lambda: small_jpeg(64, noise=20), "restore"),
    "everything": ("a.jpg", lambda: small_jpeg(64, noise=20), "full"),
    "transparent cutout": ("a.jpg", lambda: small_jpeg(64), "cutout"),
    "catalogue picture": (
        "a.jpg",
        lambda: small_jpeg(64),
        '{"preset": "product", "output": {"min_side": 90}, "stages": {"upscale": {"min_side": 90}}}',
    ),
    "16-bit PNG": ("a.png", pictures.png16, '{"stages": ["denoise", {"stage": "upscale", "scale": 2}]}'),
    "16-bit PNG with alpha": ("a.png", lambda: pictures.png16(4), "denoise"),
    "described JPEG, turned": ("a.jpg", pictures.described_jpeg, "auto"),
    "wide gamut": ("a.jpg", pictures.wide_gamut_jpeg, '{"preset": "sharpen", "output": {"profile": "original"}}'),
    "CMYK": ("a.jpg", pictures.cmyk_jpeg, "low_light"),
}


def through_the_events(world: World, case: str) -> tuple[Job, bytes]:
    name, data, pipeline = CASES[case]
    job_id = world.drop(name, data(), pipeline=pipeline)
    world.deliver_all()
    job = world.job(job_id)
    assert job.error is None
    assert job.result is not None
    return job, world.system.objects.read(job.result)


def in_process(world: World, case: str) -> PipelineResult:
    name, data, pipeline = CASES[case]
    system = world.system
    bench = LocalRunner(
        model_registry=system.model_registry,
        models=system.models,
        clock=world.clock,
        meter=FixedMeter(),
        limits=Limits(),
    )
    return run_pipeline(bench, name, data(), parse_pipeline(pipeline))


@pytest.mark.parametrize("case", CASES)
def test_in_process_and_on_the_event_path_the_result_has_the_same_bytes(case: str) -> None:
    world = memory_world()
    job, data = through_the_events(world, case)
    developed = in_process(world, case)
    assert developed.data == data
    assert (developed.job.before, developed.job.after) == (job.before, job.after)
    told = [
        [(r.stage, r.method, r.model, r.parameters, r.notes, r.values) for r in j.records] for j in (job, developed.job)
    ]
    assert told[0] == told[1]


def test_in_folders_the_result_has_the_same_bytes_as_in_memory(tmp_path_factory: pytest.TempPathFactory) -> None:
    for case in ("restored JPEG", "16-bit PNG with alpha"):
        _, in_memory = through_the_events(memory_world(), case)
        _, in_folders = through_the_events(local_world(tmp_path_factory.mktemp("home")), case)
        assert in_folders == in_memory, case
