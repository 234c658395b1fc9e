"""A job that version 0.1.0 began is completed by this version.

`data/job-0.1.0.json` was written by the code of 0.1.0 after the first of four steps: the job, its objects, and the
request that waited in the subscription of the second step.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from darkroom.domain.job import Job
from darkroom.runtime.ports import NewObject
from tests.world import World, memory_world

BEGUN: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "job-0.1.0.json").read_text("utf-8"))


@pytest.fixture
def world() -> World:
    """A world that holds the job and the objects, but not the message."""
    world = memory_world()
    for each in BEGUN["objects"]:
        new = NewObject(
            data=base64.b64decode(each["data"]), content_type=each["content_type"], metadata=each["metadata"]
        )
        info = world.raw_objects.create(each["bucket"], each["name"], new)
        assert info.ref.generation == each["generation"]
    for delivery in world.broker.lease(world.clock.now(), limit=100):
        world.broker.ack(delivery)  # the event of the upload, which 0.1.0 had handled
    world.raw_jobs.create(Job.model_validate(BEGUN["job"]))
    return world


def test_a_job_that_0_1_0_began_is_completed_with_the_artifacts_that_it_had_named(world: World) -> None:
    (message,) = BEGUN["messages"]
    data = json.dumps(message["data"]).encode()
    world.broker.publish(message["subscription"], data, message["attributes"])
    world.deliver_all()
    job = world.job(BEGUN["job"]["id"])
    assert job.status == "completed"
    assert [step.output_name for step in job.plan] == [step["output_name"] for step in BEGUN["job"]["plan"]]
    assert [record.model_dump(mode="json") for record in job.records[:1]] == BEGUN["job"]["records"]


def test_an_upload_event_that_is_delivered_again_after_the_upgrade_creates_no_second_job(world: World) -> None:
    upload = BEGUN["objects"][0]
    event = {"bucket": upload["bucket"], "name": upload["name"], "generation": str(upload["generation"])}
    world.broker.publish("uploads", json.dumps(event).encode(), {})
    world.deliver(limit=1)
    assert world.job(BEGUN["job"]["id"]).status == "processing"
