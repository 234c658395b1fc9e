"""Whatever is dropped, the job says what is wrong, nothing is tried for ever, and the original stays as it was.

Each row of the table in docs/formats.md has its case here, driven through the whole path.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from darkroom.domain.errors import BadMessage
from darkroom.domain.job import Job
from darkroom.domain.messages import stage_topic
from darkroom.runtime.functions import parse_pubsub, parse_upload
from darkroom.runtime.settings import DEFAULT_REGISTRY, Settings
from tests import pictures
from tests.photographs import small_jpeg
from tests.world import World, memory_world


@dataclass(frozen=True)
class Bad:
    """A bad upload and what its job must say."""

    data: Callable[[], bytes]
    code: str
    #: Parts of the message: the value and the limit.
    says: tuple[str, ...] = ()
    name: str = "auto/picture.jpg"
    metadata: tuple[tuple[str, str], ...] = ()


LIMITS = Settings(max_bytes=200_000_000, max_pixels=40_000_000)

BAD: dict[str, Bad] = {
    "empty object": Bad(pictures.empty, "empty_object", ("0 bytes",)),
    "text named .jpg": Bad(pictures.text_file, "unsupported_format", ("jpeg", "png")),
    "PDF": Bad(pictures.pdf_file, "unsupported_format", ("jpeg",)),
    "truncated JPEG": Bad(pictures.truncated_jpeg, "truncated"),
    "truncated PNG": Bad(pictures.truncated_png, "truncated"),
    "corrupt PNG": Bad(pictures.corrupt_png, "corrupt"),
    "PNG that claims 100,000 x 100,000": Bad(pictures.bomb_png, "too_many_pixels", ("100000x100000", "40000000")),
    "decompression bomb in the text": Bad(pictures.text_bomb_png, "decompression_bomb"),
    "more pixels than allowed": Bad(lambda: pictures.bomb_png(8000, 5001), "too_many_pixels", ("40008000", "40000000")),
    "zero area": Bad(pictures.zero_area_png, "zero_area"),
    "NaN in a float TIFF": Bad(pictures.float_tiff_with_nan, "not_finite"),
    "unknown preset": Bad(
        lambda: small_jpeg(32), "unknown_preset", ("'sepia'", "restore"), metadata=(("pipeline", "sepia"),)
    ),
    "unknown stage": Bad(
        lambda: small_jpeg(32),
        "bad_pipeline",
        ("sharpen", "denoise"),
        metadata=(("pipeline", '{"stages": ["sharpen"]}'),),
    ),
    "unknown parameter": Bad(
        lambda: small_jpeg(32),
        "bad_pipeline",
        ("strengh", "strength"),
        metadata=(("pipeline", '{"stages": {"denoise": {"strengh": 1}}}'),),
    ),
    "parameter out of range": Bad(
        lambda: small_jpeg(32),
        "bad_pipeline",
        ("sigma", "200", "100"),
        metadata=(("pipeline", '{"stages": {"denoise": {"sigma": 200}}}'),),
    ),
    "pipeline nested too deeply": Bad(
        lambda: small_jpeg(32), "bad_pipeline", ("recursion",), metadata=(("pipeline", '{"a":' * 1550),)
    ),
    "true for a number": Bad(
        lambda: small_jpeg(32),
        "bad_pipeline",
        ("quality", "True"),
        metadata=(("pipeline", '{"output": {"quality": true}}'),),
    ),
    "NaN for a number": Bad(
        lambda: small_jpeg(32), "bad_pipeline", ("NaN",), metadata=(("pipeline", '{"qc_threshold": NaN}'),)
    ),
    "folder too long for its results": Bad(
        lambda: small_jpeg(32), "name_too_long", ("1024",), name="f" * 500 + "/" + "g" * 500 + "/a.jpg"
    ),
    "result too large": Bad(
        lambda: small_jpeg(32),
        "output_too_large",
        ("100000000",),
        metadata=(("pipeline", '{"stages": [{"stage": "upscale", "width": 16000}]}'),),
    ),
    "background object that is not there": Bad(
        lambda: small_jpeg(32),
        "source_gone",
        ("beach.jpg",),
        metadata=(("pipeline", '{"output": {"background_object": "beach.jpg"}}'),),
    ),
}


def end(world: World, job_id: str) -> Job:
    """Deliver everything and return the job, having checked that nothing is left over."""
    world.deliver_all()
    assert sum(world.broker.pending().values()) == 0
    return world.job(job_id)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_the_job_says_what_is_wrong_and_the_original_is_untouched(bad: Bad) -> None:
    world, data = memory_world(settings=LIMITS), bad.data()
    job = end(world, world.drop(bad.name, data, **dict(bad.metadata)))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.code == bad.code, job.error
    assert [part for part in bad.says if part.lower() not in job.error.message.lower()] == [], job.error.message
    assert world.system.objects.read(job.source.ref) == data
    assert "dispatcher-dead-letters" not in world.delivered, "a permanent failure is not tried again"
    assert len(world.delivered) <= 2 * len(job.plan) + 2


def test_more_bytes_than_allowed_are_refused_before_anything_reads_them() -> None:
    world = memory_world(settings=Settings(max_bytes=1000))
    job = end(world, world.drop("auto/a.jpg", small_jpeg(96)))
    assert job.error is not None
    assert (job.error.code, "exceed 1000 bytes" in job.error.message) == ("too_many_bytes", True)
    assert world.delivered == ["dispatcher-uploads"]


def test_a_folder_marker_is_no_photograph_and_gets_no_job() -> None:
    world = memory_world()
    job_id = world.drop("restore/1931/", b"")
    world.deliver_all()
    assert world.system.jobs.absent([job_id]) == {job_id}


def test_an_animation_is_worked_on_by_its_first_frame_and_the_manifest_says_so() -> None:
    world = memory_world()
    job = end(world, world.drop("auto/wave.gif", pictures.animated_gif(3)))
    assert job.status == "completed"
    manifest = json.loads(world.objects()[f"results/{job.manifest_name}"])
    notes = [note for stage in manifest["stages"] for note in stage["notes"]]
    assert any("3 frames" in note and "first" in note for note in notes), notes


@pytest.mark.parametrize("change", ["deleted", "replaced"])
def test_an_original_that_changes_between_event_and_read_ends_its_job_and_only_that(change: str) -> None:
    world = memory_world()
    job_id = world.drop("denoise/a.jpg", small_jpeg(40))
    world.deliver(limit=1)
    ref = world.job(job_id).source.ref
    successor = world.drop("denoise/a.jpg", small_jpeg(40, seed=1)) if change == "replaced" else None
    if change == "deleted":
        world.system.objects.delete(ref)
    job = end(world, job_id)
    assert job.error is not None
    assert (job.error.code, str(ref) in job.error.message) == ("source_gone", True)
    if successor:
        assert world.job(successor).status == "completed"


def registry_with(tmp_path: Path, change: Callable[[Path], None]) -> Settings:
    """Settings whose models are copies that `change` spoilt."""
    folder = tmp_path / "models"
    shutil.copytree(DEFAULT_REGISTRY.parent, folder, ignore=shutil.ignore_patterns("training", "evaluation", "*.py"))
    change(folder)
    return Settings(registry=folder / "registry.toml")


def remove_models(folder: Path) -> None:
    for path in (folder / "denoise").glob("*.onnx"):
        path.unlink()


def alter_models(folder: Path) -> None:
    for path in (folder / "denoise").glob("*.onnx"):
        path.write_bytes(path.read_bytes()[:-1] + b"\x00\x01")


@pytest.mark.parametrize(
    ("change", "code"), [(remove_models, "model_missing"), (alter_models, "model_checksum_mismatch")]
)
def test_a_missing_or_altered_model_ends_the_job_and_replay_goes_on_when_it_is_back(
    change: Callable[[Path], None], code: str, tmp_path: Path
) -> None:
    spoilt = memory_world(settings=registry_with(tmp_path, change))
    job_id = spoilt.drop(
        "denoise/a.jpg", small_jpeg(40, noise=20), pipeline='{"stages": [{"stage": "denoise", "method": "model"}]}'
    )
    job = end(spoilt, job_id)
    assert job.error is not None
    assert (job.error.code, job.error.stage) == (code, "denoise")
    shutil.copytree(DEFAULT_REGISTRY.parent, tmp_path / "models", dirs_exist_ok=True)
    from darkroom.handlers.job_commands import replay_job

    replay_job(spoilt.system, job_id)
    assert end(spoilt, job_id).status == "completed"


def test_with_fallback_the_classical_method_stands_in_and_a_person_must_look(tmp_path: Path) -> None:
    world = memory_world(settings=registry_with(tmp_path, remove_models))
    pipeline = '{"stages": [{"stage": "denoise", "fallback": true}], "qc_threshold": 0}'
    job = end(world, world.drop("a.jpg", small_jpeg(40, noise=20), pipeline=pipeline))
    assert (job.status, job.qc_status) == ("completed", "needs_review")
    denoised = job.records[1]
    assert (denoised.degraded, denoised.method, denoised.model) == (True, "nlm", None)
    assert "ran instead of the model" in denoised.notes[0]


@pytest.mark.parametrize(
    "data",
    [None, b"bytes", "text", [], {}, {"bucket": "uploads"}, {"bucket": "u", "name": "", "generation": "1", "size": "1"},
     {"bucket": "u", "name": "n", "generation": "one", "size": "1"}],
)  # fmt: skip
def test_a_malformed_storage_event_is_named(data: object) -> None:
    with pytest.raises(BadMessage, match="storage event is not valid"):
        parse_upload(data)


@pytest.mark.parametrize("data", [None, b"bytes", {}, {"message": None}, {"message": {"data": "not base64!"}}])
def test_a_malformed_push_is_named(data: object) -> None:
    with pytest.raises(BadMessage, match="contains no Pub/Sub message"):
        parse_pubsub(data)


def test_a_request_for_another_stage_fails_the_job_instead_of_running() -> None:
    world = memory_world()
    job_id = world.drop("denoise/a.jpg", small_jpeg(40))
    world.deliver(limit=1)
    (request,) = world.broker.lease(world.clock.now())
    world.broker.publish(stage_topic("finish"), request.data, dict(request.attributes))
    world.broker.ack(request)
    job = end(world, job_id)
    assert job.error is not None
    assert job.error.code == "wrong_stage"
