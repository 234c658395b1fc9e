"""Which objects a pipeline may name: every role, every route that takes a pipeline, and whose object it is."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from pydantic import BaseModel
from werkzeug.test import TestResponse

from darkroom.api.routes.table import ROUTES
from darkroom.auth.roles import Role
from darkroom.domain.envelope import decode
from darkroom.domain.messages import StageRequested
from darkroom.runtime.ports import NewObject
from tests.api_client import Service, service
from tests.pictures import jpeg_bytes, png_bytes, scene_with_alpha
from tests.world import memory_world

#: Names of objects by whose they are, as seen by anna.
OBJECTS = {
    "own": "backs/annas.jpg",
    "foreign": "private/contract.jpg",
    "unowned": "dropped.jpg",
    "shared": "shared/beach.jpg",
    "missing": "private/nothing.jpg",
}
READABLE = ("own", "shared")
BACKGROUND = "background_object"
GREEN = (0, 200, 0)


def pipeline(name: str) -> dict[str, Any]:
    return {"stages": [], "output": {BACKGROUND: name, "format": "png"}}


def picture() -> tuple[BytesIO, str]:
    return BytesIO(png_bytes(scene_with_alpha())), "cat.png"


Ask = Callable[[Service, dict[str, str], str], TestResponse]


def _finished(api: Service, headers: dict[str, str]) -> str:
    return api.finished_job(headers=headers, pipeline='{"stages": []}')


def post_job(api: Service, headers: dict[str, str], name: str) -> TestResponse:
    return api.post_job(headers=headers, pipeline=json.dumps(pipeline(name)))


def sign_upload(api: Service, headers: dict[str, str], name: str) -> TestResponse:
    return api.client.post("/v1/uploads", json={"pipeline": pipeline(name)}, headers=headers)


def enhance(api: Service, headers: dict[str, str], name: str) -> TestResponse:
    form = {"file": picture(), "pipeline": json.dumps(pipeline(name))}
    return api.client.post("/v1/enhance", data=form, headers=headers)


def enhance_as_json(api: Service, headers: dict[str, str], name: str) -> TestResponse:
    return enhance(api, {**headers, "Accept": "application/json"}, name)


def run_stage(api: Service, headers: dict[str, str], name: str) -> TestResponse:
    form = {"file": picture(), "parameters": json.dumps({BACKGROUND: name})}
    return api.client.post("/v1/stages/finish", data=form, headers=headers)


def save_config(api: Service, headers: dict[str, str], name: str) -> TestResponse:
    return api.client.put("/v1/configs/sku/LAMP", json={"pipeline": pipeline(name)}, headers=headers)


def import_rows(api: Service, headers: dict[str, str], name: str, path: str = "/v1/import") -> TestResponse:
    rows = [{"sku_id": "A", "image_url": "http://shop.example/a.jpg"}]
    return api.client.post(path, json=rows, query_string={"pipeline": json.dumps(pipeline(name))}, headers=headers)


def import_rows_as_elsewhere(api: Service, headers: dict[str, str], name: str) -> TestResponse:
    return import_rows(api, headers, name, "/api/v1/import")


def batch(api: Service, headers: dict[str, str], name: str) -> TestResponse:
    wishes = {"jobs": [_finished(api, headers)], "pipeline": pipeline(name)}
    return api.client.post("/v1/batch", json=wishes, headers=headers)


def rework(api: Service, headers: dict[str, str], name: str) -> TestResponse:
    path = f"/v1/jobs/{_finished(api, headers)}/rework"
    return api.client.post(path, json={"pipeline": pipeline(name)}, headers=headers)


def review(api: Service, headers: dict[str, str], name: str, path: str = "/v1/qc/{}/review") -> TestResponse:
    told = {"status": "rejected", "pipeline": pipeline(name)}
    return api.client.post(path.format(_finished(api, headers)), json=told, headers=headers)


def review_as_elsewhere(api: Service, headers: dict[str, str], name: str) -> TestResponse:
    return review(api, headers, name, "/api/v1/qc/{}/review")


DOORS: dict[str, Ask] = {
    "create_job": post_job,
    "sign_upload": sign_upload,
    "enhance": enhance,
    "enhance as JSON": enhance_as_json,
    "run_stage": run_stage,
    "save_config": save_config,
    "create_import": import_rows,
    "api_import": import_rows_as_elsewhere,
    "create_batch": batch,
    "rework_job": rework,
    "qc_review": review,
    "api_qc_review": review_as_elsewhere,
}
FOR_REVIEWERS = ("qc_review", "api_qc_review")


def fill(api: Service, owner: str) -> None:
    """Put one object of each kind into the uploads bucket."""
    owners = {"own": owner, "foreign": "bert", "unowned": "", "shared": "bert"}
    for whose, who in owners.items():
        new = NewObject(data=png_bytes(), content_type="image/png", metadata={"owner": who} if who else {})
        api.world.raw_objects.put("uploads", OBJECTS[whose], new)


@pytest.fixture(scope="module")
def locked() -> Service:
    api = service()
    fill(api, "anna")
    return api


def test_every_route_that_takes_a_pipeline_or_parameters_of_finish_is_among_the_doors() -> None:
    models = {route.name: (route.query_model, route.body_spec.model) for route in ROUTES}
    taking = {name for name, kinds in models.items() if any(_takes_a_pipeline(kind) for kind in kinds if kind)}
    assert taking == DOORS.keys() - {"enhance as JSON"}


def _takes_a_pipeline(model: type[BaseModel]) -> bool:
    return not {"pipeline", "output", "parameters"}.isdisjoint(model.model_fields)


@pytest.mark.parametrize("whose", OBJECTS)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("role", ["submitter", "reviewer", "admin"])
def test_only_own_and_shared_objects_are_accepted_whoever_asks_and_wherever(
    locked: Service, role: Role, door: str, whose: str
) -> None:
    if role == "submitter" and door in FOR_REVIEWERS:
        pytest.skip("a submitter does not review")
    answer = DOORS[door](locked, locked.key("anna", role), OBJECTS[whose])
    if whose in READABLE or ((role, door) == ("admin", "create_batch") and whose != "missing"):
        assert answer.status_code in (200, 201, 202), answer.get_data(as_text=True)
    else:
        assert answer.status_code == 404, answer.get_data(as_text=True)
        told = answer.get_json()
        assert told["code"] == "object_not_found"
        assert told["detail"] == f"there is no object {OBJECTS[whose]!r} in the uploads bucket."


def test_in_a_batch_of_everybodys_jobs_each_job_reads_what_its_own_owner_may() -> None:
    api = service()
    fill(api, "anna")
    admin, anna, bert = api.key("root", "admin"), api.key("anna", "submitter"), api.key("bert", "submitter")
    jobs = {"anna": _finished(api, anna), "bert": _finished(api, bert)}
    wishes = {"jobs": list(jobs.values()), "pipeline": pipeline(OBJECTS["foreign"])}
    made = api.client.post("/v1/batch", json=wishes, headers=admin).get_json()
    api.world.deliver_all()
    (refused,) = api.client.get(f"/v1/batch/{made['id']}", headers=admin).get_json()["failures"]
    assert (refused["what"], refused["code"]) == (jobs["anna"], "object_not_found")
    assert api.world.job(jobs["bert"]).status == "completed"


def test_on_a_computer_without_keys_everything_is_the_one_owners() -> None:
    api = service()
    for name in ("dropped.jpg", "shared/beach.jpg"):
        api.world.drop(name, jpeg_bytes())
        assert enhance(api, {}, name).status_code == 200
        job_id = post_job(api, {}, name).get_json()["id"]
        api.world.deliver_all()
        assert api.world.job(job_id).status == "completed"
    assert enhance(api, {}, "nothing.jpg").status_code == 404


def test_the_background_lies_under_the_subject_at_once_and_in_a_job() -> None:
    import numpy as np

    from darkroom.imaging.codec import decode

    api = service()
    green = np.full((64, 64, 3), GREEN, np.uint8)
    api.world.drop("backs/green.png", png_bytes(green))
    at_once = enhance(api, {}, "backs/green.png").data
    wishes = json.dumps(pipeline("backs/green.png"))
    job_id = api.finished_job(data=png_bytes(scene_with_alpha()), pipeline=wishes)
    as_a_job = api.client.get(f"/v1/jobs/{job_id}/result").data
    for data in (at_once, as_a_job):
        assert tuple(decode(data).picture.pixels[2, 2]) == GREEN


@pytest.mark.parametrize("whose", OBJECTS)
def test_a_dropped_upload_that_names_an_object_is_planned_only_if_its_owner_may_read_it(whose: str) -> None:
    api = service()
    fill(api, "anna")
    name = OBJECTS[whose]
    job_id = api.world.drop("a.jpg", jpeg_bytes(), owner="anna", pipeline=json.dumps(pipeline(name)))
    api.world.deliver_all()
    job = api.world.job(job_id)
    if whose in READABLE:
        assert job.status == "completed"
    else:
        assert job.error is not None
        told = (job.error.code, job.error.message)
        assert told == ("source_gone", f"there is no object {name!r} in the uploads bucket")
        assert [step.stage for step in job.plan] == ["assess"], "nothing was planned"


def test_an_object_that_somebody_else_puts_in_the_place_of_ones_own_is_not_read() -> None:
    api = service()
    fill(api, "anna")
    job_id = post_job(api, api.key("anna", "submitter"), OBJECTS["own"]).get_json()["id"]
    api.world.drop(OBJECTS["own"], png_bytes(), owner="bert")
    api.world.deliver_all()
    error = api.world.job(job_id).error
    assert error is not None
    assert error.code == "source_gone"


def test_what_takes_the_objects_name_after_the_plan_is_not_read() -> None:
    world = memory_world()
    world.drop("back.jpg", jpeg_bytes())
    job_id = world.drop("a.png", png_bytes(scene_with_alpha()), pipeline=json.dumps(pipeline("back.jpg")))
    while world.raw_jobs.absent([job_id]) or len(world.job(job_id).plan) < 2:
        world.deliver(limit=1)
    world.drop("back.jpg", png_bytes(), owner="bert")
    world.deliver_all()
    error = world.job(job_id).error
    assert error is not None
    assert (error.code, error.stage) == ("source_gone", "finish")


def test_a_stage_reads_no_object_that_the_plan_does_not_hold() -> None:
    world = memory_world()
    world.drop("private.jpg", jpeg_bytes(), owner="bert")
    job_id = world.drop("a.png", png_bytes(scene_with_alpha()), pipeline='{"stages": []}')
    world.deliver_all()
    job = world.job(job_id)
    step = job.plan[-2].model_copy(
        update={"parameters": {**job.plan[-2].parameters, BACKGROUND: "private.jpg"}, "output_name": "stolen.png"}
    )
    from darkroom.handlers.stages import run_stage

    request = StageRequested(job_id=job.id, run=1, index=1, step=step, input=job.source.ref, source=job.source.ref)
    run_stage(world.system, "finish", request)
    (delivery,) = world.broker.lease(world.clock.now(), limit=10)
    message = decode(delivery.data)
    assert getattr(message, "code", "") == "source_gone"
    assert "results/stolen.png" not in world.objects()


def test_what_is_configured_for_a_sku_is_checked_again_when_it_is_used() -> None:
    api = service()
    fill(api, "anna")
    anna = api.key("anna", "submitter")
    assert save_config(api, anna, OBJECTS["own"]).status_code == 200
    api.world.raw_objects.delete(api.world.raw_objects.stat("uploads", OBJECTS["own"]).ref)
    job_id = api.world.drop("a.jpg", jpeg_bytes(), owner="anna", **{"label-sku_id": "LAMP"})
    api.world.deliver_all()
    error = api.world.job(job_id).error
    assert error is not None
    assert error.code == "source_gone"


def test_an_admin_shares_an_object_and_every_submitter_may_name_it() -> None:
    api = service()
    admin, anna = api.key("root", "admin"), api.key("anna", "submitter")
    put = api.client.put("/v1/shared/backs/beach.png", data=png_bytes(), headers=admin)
    assert (put.status_code, put.get_json()["name"]) == (200, "shared/backs/beach.png")
    api.world.deliver_all()
    assert api.client.get("/v1/jobs", headers=admin).get_json()["jobs"] == [], "it is no photograph to work on"
    assert enhance(api, anna, "shared/backs/beach.png").status_code == 200
    (listed,) = api.client.get("/v1/shared", headers=anna).get_json()["objects"]
    assert listed["name"] == "shared/backs/beach.png"
    assert api.client.delete("/v1/shared/backs/beach.png", headers=admin).status_code == 200
    assert enhance(api, anna, "shared/backs/beach.png").status_code == 404


@pytest.mark.parametrize("role", ["submitter", "reviewer"])
def test_only_admins_share(role: Role) -> None:
    api = service()
    headers = api.key("anna", role)
    assert api.client.put("/v1/shared/beach.png", data=png_bytes(), headers=headers).status_code == 403
    assert api.client.delete("/v1/shared/beach.png", headers=headers).status_code == 403


@pytest.mark.parametrize("key", ["../private.png", "a//b.png", "./a.png", "a%00.png", "a/"])
def test_a_name_that_leaves_the_shared_folder_is_refused(key: str) -> None:
    api = service()
    answer = api.client.put(f"/v1/shared/{key}", data=png_bytes())
    assert answer.status_code in (404, 422), answer.get_data(as_text=True)
    assert list(api.world.raw_objects.list("uploads")) == []


def test_a_new_parameter_that_names_an_object_falls_under_the_rule_by_its_type() -> None:
    from darkroom.domain.parameters import ObjectName, Parameters

    class Mask(BaseModel):
        drawn: ObjectName

    class WithMasks(Parameters):
        masks: list[Mask] = []

    names: set[str] = set()
    WithMasks.model_validate({"masks": [{"drawn": "a.png"}, {"drawn": "b.png"}]}, context=names)
    assert names == {"a.png", "b.png"}
