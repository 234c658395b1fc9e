"""A file beside a photograph that was dropped by hand chooses its pipeline, labels and name."""

import json
from typing import Any

import pytest

from darkroom.runtime.ports import JobQuery
from tests.pictures import jpeg_bytes
from tests.world import World, memory_world


@pytest.fixture
def world() -> World:
    return memory_world()


def beside(world: World, name: str, content: Any, **metadata: str) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return world.drop(f"{name}.darkroom.json", data, **metadata)


def test_the_file_beside_a_photograph_chooses_pipeline_labels_and_name_and_is_no_photograph(world: World) -> None:
    told = {"pipeline": {"preset": "product", "output": {"quality": 70}}, "labels": {"sku_id": "7"}}
    itself = beside(world, "restore/a.jpg", {**told, "display_name": "Lamp"})
    job_id = world.drop("restore/a.jpg", jpeg_bytes())
    world.deliver()
    job = world.job(job_id)
    assert (job.pipeline.preset, job.pipeline.output) == ("product", {"quality": 70})
    assert (job.labels, job.display_name) == ({"sku_id": "7"}, "Lamp")
    assert {each.id for each in world.raw_jobs.query(JobQuery()).jobs} == {job_id}
    assert itself != job_id


def test_the_uploads_own_metadata_take_precedence(world: World) -> None:
    beside(world, "a.jpg", {"pipeline": "product", "labels": {"sku_id": "7", "shelf": "3"}})
    job_id = world.drop("a.jpg", jpeg_bytes(), pipeline="denoise", **{"label-sku_id": "8"})
    world.deliver()
    job = world.job(job_id)
    assert (job.pipeline.preset, job.labels) == ("denoise", {"sku_id": "8", "shelf": "3"})


@pytest.mark.parametrize(("of_photograph", "of_file"), [({"owner": "anna"}, {}), ({}, {"owner": "anna"})])
def test_it_describes_nothing_that_has_an_owner(
    world: World, of_photograph: dict[str, str], of_file: dict[str, str]
) -> None:
    beside(world, "a.jpg", {"pipeline": "product"}, **of_file)
    job_id = world.drop("a.jpg", jpeg_bytes(), **of_photograph)
    world.deliver()
    assert world.job(job_id).pipeline.preset == "auto"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "a.jpg.darkroom.json is not valid"),
        ({"colour": "red"}, "colour"),
        ({"labels": {"a b": "c"}}, "a b"),
        ({"pipeline": "sepia"}, "'sepia' is unknown"),
        (b" " * 65_537, "has 65537 bytes, the limit is 65536"),
    ],
)
def test_a_file_that_is_not_valid_fails_the_job_with_the_reason(world: World, content: Any, told: str) -> None:
    beside(world, "a.jpg", content)
    job_id = world.drop("a.jpg", jpeg_bytes())
    world.deliver()
    error = world.job(job_id).error
    assert error is not None
    assert (error.code in ("bad_pipeline", "unknown_preset"), told in error.message) == (True, True)


@pytest.mark.parametrize(
    ("name", "meant"), [("restor/a.jpg", "restore"), ("Low-Light/a.jpg", "low_light"), ("wedding/a.jpg", None)]
)
def test_a_folder_that_is_nearly_a_presets_name_is_told(world: World, name: str, meant: str | None) -> None:
    job_id = world.drop(name, jpeg_bytes())
    world.deliver()
    told = [entry.text for entry in world.job(job_id).history if entry.action == "folder_misspelt"]
    assert [f"did you mean {meant!r}?" in text for text in told] == ([True] if meant else [])
