"""Many pictures are done again together: chosen once, counted, within a budget, cancelled."""

from dataclasses import replace
from typing import Any

import pytest

from darkroom.domain.errors import ObjectNotFound
from darkroom.domain.job import job_id
from darkroom.domain.products.messages import Member, PageRequested
from darkroom.handlers.batches import (
    CANCELLED_AT_ONCE,
    CHOSEN_AT_ONCE,
    PAGE_SIZE,
    cancel_batch,
    process_member,
    read_batch,
    send,
)
from tests.api_client import Service, service
from tests.contract.jobs import make_job
from tests.jobs import new_job
from tests.pictures import jpeg_bytes

AGAIN = {"stages": []}


@pytest.fixture
def api() -> Service:
    return service()


def finished(api: Service, count: int, **labels: str) -> list[str]:
    """Ids of finished jobs with these labels; they went through no stage, so that there can be many."""
    made = []
    for number in range(count):
        data = {"owner": labels.get("owner", "")}
        info_id = api.world.drop(f"{'-'.join(labels.values())}-{number}.jpg", jpeg_bytes(), **data, **_metadata(labels))
        made.append(info_id)
    api.world.deliver_all()
    api.world.clock.advance(1)
    return made


def _metadata(labels: dict[str, str]) -> dict[str, str]:
    named = {f"label-{name}": value for name, value in labels.items() if name != "owner"}
    return {**named, "pipeline": '{"stages": []}'}


def post(api: Service, value: Any, **headers: str) -> Any:
    answer = api.client.post("/v1/batch", json=value, headers=headers)
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return answer.get_json()


def state(api: Service, batch_id: str, **headers: str) -> Any:
    return api.client.get(f"/v1/batch/{batch_id}", headers=headers).get_json()


def test_all_pictures_of_a_sku_are_done_again_with_another_pipeline(api: Service) -> None:
    chosen = finished(api, 2, sku_id="A")
    (other,) = finished(api, 1, sku_id="B")
    told = post(api, {"sku_id": "A", "pipeline": "denoise"})
    assert (told["status"], told["total"], told["percent"]) == ("choosing", None, None)
    api.world.deliver_all()
    done = state(api, told["id"])
    assert (done["status"], done["total"], done["percent"], done["jobs"]["completed"]) == ("completed", 2, 100.0, 2)
    assert done["failures"] == []
    for each in chosen:
        job = api.world.job(each)
        assert (job.run, job.pipeline.preset, job.batches) == (2, "denoise", (told["id"],))
        assert [entry.text for entry in job.history if entry.action == "rejected"] == [f"batch {told['id']}"]
    assert (api.world.job(other).run, api.world.job(other).batches) == (1, ())


@pytest.mark.parametrize("asked", [{"product_group_id": "LAMPS"}, {"label": "season=2024=spring"}])
def test_a_group_or_a_label_chooses_too(api: Service, asked: dict[str, str]) -> None:
    finished(api, 2, product_group_id="LAMPS", season="2024=spring")
    finished(api, 1, product_group_id="CHAIRS", season="2023")
    told = post(api, asked | {"pipeline": AGAIN})
    api.world.deliver_all()
    assert state(api, told["id"])["jobs"]["completed"] == 2


def test_jobs_and_objects_can_be_named_and_an_object_without_a_job_gets_one(api: Service) -> None:
    (job,) = finished(api, 1, sku_id="A")
    api.world.drop("late.jpg", jpeg_bytes())
    (lost,) = api.world.broker.lease(api.world.clock.now())
    assert api.world.broker.ack(lost)
    name = api.world.job(job).source.ref.name
    (second,) = finished(api, 1, sku_id="B")
    asked = {"jobs": [second], "objects": [name, "late.jpg", "nothing.jpg"], "pipeline": AGAIN}
    told = post(api, asked)
    api.world.deliver_all()
    done = state(api, told["id"])
    assert (done["jobs"]["completed"], done["refused"], done["status"]) == (3, 1, "completed")
    assert [(each["what"], each["code"]) for each in done["failures"]] == [("nothing.jpg", "object_not_found")]
    late = api.world.job(job_id(api.world.raw_objects.stat("uploads", "late.jpg").ref))
    assert (late.batches, late.pipeline.label) == ((told["id"],), "stages ")


def test_without_a_pipeline_each_picture_gets_what_is_configured_or_what_it_had(api: Service) -> None:
    configured, plain = finished(api, 1, sku_id="A", shelf="1")[0], finished(api, 1, sku_id="B", shelf="1")[0]
    api.client.put("/v1/configs/sku/A", json={"pipeline": "sharpen"})
    post(api, {"label": "shelf=1"})
    api.world.deliver_all()
    assert api.world.job(configured).pipeline.preset == "sharpen"
    assert api.world.job(plain).pipeline.label == "stages "


def failed(api: Service, count: int) -> None:
    """Jobs of SKU A that have failed and whose uploads are gone, so that doing them again fails at once."""
    for number in range(count):
        job = make_job(f"{number:024x}", status="failed", labels={"sku_id": "A"}, created_at=api.world.clock.now())
        api.world.raw_jobs.create(job.model_copy(update={"updated_at": api.world.clock.now()}))
    api.world.clock.advance(1)


def runs(api: Service, count: int) -> list[int]:
    return sorted(api.world.job(f"{number:024x}").run for number in range(count))


def deliver_batches(api: Service) -> None:
    """Deliver what is due for batches alone: stages are slow, and have not come to it yet."""
    world = api.world
    while due := world.broker.lease(world.clock.now(), subscriptions=["dispatcher-batches"]):
        world.handle(due[0])
        world.broker.ack(due[0])


def deliver_everything(api: Service) -> None:
    while api.world.deliver():
        continue


def test_a_budget_is_the_most_pictures_that_are_taken(api: Service) -> None:
    failed(api, 2 * PAGE_SIZE + 50)
    told = post(api, {"sku_id": "A", "pipeline": AGAIN, "budget": PAGE_SIZE + 50})
    deliver_everything(api)
    done = state(api, told["id"])
    assert (done["total"], done["jobs"]["failed"], done["status"]) == (PAGE_SIZE + 50, PAGE_SIZE + 50, "completed")
    assert runs(api, 2 * PAGE_SIZE + 50) == [1] * PAGE_SIZE + [2] * (PAGE_SIZE + 50)


def test_every_page_is_chosen_once_however_often_its_message_comes(api: Service) -> None:
    failed(api, 2 * PAGE_SIZE)
    told = post(api, {"sku_id": "A", "pipeline": AGAIN, "budget": PAGE_SIZE + 50})
    deliver_everything(api)
    again = PageRequested(batch_id=told["id"], page=0, room=PAGE_SIZE + 50)
    send(api.world.system, again)
    deliver_everything(api)
    assert state(api, told["id"])["total"] == PAGE_SIZE + 50
    assert runs(api, 2 * PAGE_SIZE).count(2) == PAGE_SIZE + 50


def test_a_job_that_is_at_work_or_gone_is_refused_and_the_others_go_on(api: Service) -> None:
    ended, gone, busy = finished(api, 3, sku_id="A")
    job = api.world.job(busy)
    api.world.raw_jobs.save(job.model_copy(update={"status": "processing", "updated_at": job.created_at}))
    told = post(api, {"jobs": [ended, gone, busy], "pipeline": AGAIN})
    api.world.raw_jobs.delete(gone)
    api.world.deliver_all()
    done = state(api, told["id"])
    assert (done["jobs"]["completed"], done["refused"], done["status"], done["percent"]) == (1, 2, "completed", 100.0)
    assert {each["what"]: each["code"] for each in done["failures"]} == {gone: "job_not_found", busy: "not_allowed"}


def test_a_job_that_fails_in_a_batch_is_told_with_its_reason(api: Service) -> None:
    (job,) = finished(api, 1, sku_id="A")
    told = post(api, {"jobs": [job], "pipeline": {"stages": [{"stage": "denoise", "model": "nonsense"}]}})
    api.world.deliver_all()
    done = state(api, told["id"])
    assert [(each["job"], each["code"]) for each in done["failures"]] == [(job, "model_unknown")]
    assert (done["status"], done["jobs"]["failed"]) == ("completed", 1)


def test_a_cancelled_batch_takes_nothing_more_and_cancels_what_is_at_work(api: Service) -> None:
    taken = CANCELLED_AT_ONCE + CHOSEN_AT_ONCE
    failed(api, taken + 10)
    told = post(api, {"sku_id": "A", "pipeline": "denoise"})
    api.world.deliver(limit=1 + taken // CHOSEN_AT_ONCE)  # the page, and all of its parts but the last
    assert state(api, told["id"])["jobs"]["pending"] == taken
    answer = api.client.post(f"/v1/batch/{told['id']}/cancel")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "cancelled")
    deliver_batches(api)
    deliver_everything(api)
    done = state(api, told["id"])
    assert (done["jobs"]["cancelled"], done["refused"], done["percent"]) == (taken, 10, 100.0)
    assert {each["code"] for each in done["failures"]} == {"batch_cancelled"}


def test_the_history_of_a_cancelled_batchs_jobs_says_who_cancelled_it(api: Service) -> None:
    (job,) = finished(api, 1, sku_id="A")
    ada = api.key("ada", "admin")
    told = post(api, {"jobs": [job], "pipeline": "denoise"}, **ada)
    api.world.deliver(limit=2)
    api.client.post(f"/v1/batch/{told['id']}/cancel", headers=ada)
    deliver_everything(api)
    assert [(line.action, line.who) for line in api.world.job(job).history[-1:]] == [("cancelled", "ada")]


def test_a_job_that_was_taken_while_somebody_cancelled_is_cancelled_too(api: Service) -> None:
    """The cancellation is written down between the look at it and the saving of the job."""
    (job,) = finished(api, 1, sku_id="A")
    told = post(api, {"jobs": [job], "pipeline": "denoise"})
    system, batch = api.world.system, read_batch(api.world.system, told["id"])
    hidden = _Hidden(system.objects, f"{batch.id}/cancelled.json")
    cancel_batch(system, batch, who="")
    process_member(replace(system, objects=hidden), batch, Member(kind="job", name=job))
    assert hidden.looks == 2
    assert api.world.job(job).status == "cancelled"


class _Hidden:
    """A store in which one object is not there yet when it is looked for the first time."""

    def __init__(self, store: Any, ending: str) -> None:
        self._store, self._ending = store, ending
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def read_latest(self, bucket: str, name: str) -> Any:
        if name.endswith(self._ending):
            self.looks += 1
            if self.looks == 1:
                raise ObjectNotFound(f"there is no object {bucket}/{name}")
        return self._store.read_latest(bucket, name)


def test_a_batch_whose_messages_were_given_up_comes_to_its_end_and_says_so(api: Service) -> None:
    (job,) = finished(api, 1, sku_id="A")
    told = post(api, {"jobs": [job], "pipeline": AGAIN})
    _give_up(api, "dispatcher-batches")
    api.world.deliver_all()
    done = state(api, told["id"])
    assert (done["status"], done["total"], done["refused"]) == ("completed", 1, 1)
    assert "never chosen: given up after" in done["failures"][0]["message"]
    second = post(api, {"jobs": [job], "pipeline": AGAIN})
    api.world.deliver(limit=1)
    _give_up(api, "dispatcher-batches")
    api.world.deliver_all()
    assert [(each["what"], each["code"]) for each in state(api, second["id"])["failures"]] == [
        (job, "delivery_exhausted")
    ]


def _give_up(api: Service, subscription: str) -> None:
    """Let every delivery of a subscription fail until its messages are given up."""
    for _ in range(200):
        due = api.world.broker.next_due(api.world.clock.now(), subscriptions=[subscription])
        if due is None:
            return
        api.world.clock.advance(max((due - api.world.clock.now()).total_seconds(), 0.001))
        for delivery in api.world.broker.lease(api.world.clock.now(), subscriptions=[subscription]):
            api.world.broker.nack(delivery, api.world.clock.now())
    raise AssertionError("the messages are never given up")


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"sku_id": "A", "product_group_id": "B"},
        {"sku_id": "A", "jobs": ["0" * 24]},
        {"jobs": []},
        {"jobs": ["x"]},
        {"jobs": ["0" * 24] * 1001},
        {"sku_id": "A", "budget": 0},
        {"sku_id": "A", "pipeline": "nonsense"},
        {"sku_id": "A", "unknown": 1},
        {"label": "no-equals-sign"},
    ],
)
def test_what_is_no_batch_is_refused(api: Service, asked: dict[str, Any]) -> None:
    answer = api.client.post("/v1/batch", json=asked)
    assert answer.status_code == 422


def test_a_batch_of_nothing_is_404(api: Service) -> None:
    answer = api.client.post("/v1/batch", json={"sku_id": "A"})
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_in_catalogue")


def test_everybody_does_their_own_pictures_again_and_an_admin_all(api: Service) -> None:
    mine, theirs = finished(api, 1, sku_id="A", owner="anna")[0], finished(api, 1, sku_id="A", owner="ben")[0]
    told = post(api, {"sku_id": "A", "pipeline": AGAIN}, **api.key("anna", "submitter"))
    api.world.deliver_all()
    named = post(api, {"jobs": [mine, theirs], "pipeline": AGAIN}, **api.key("anna", "submitter"))
    api.world.deliver_all()
    assert (api.world.job(mine).run, api.world.job(theirs).run) == (3, 1)
    assert state(api, told["id"], **api.key("anna", "submitter"))["total"] == 1
    (failure,) = state(api, named["id"], **api.key("anna", "submitter"))["failures"]
    assert (failure["what"], failure["code"]) == (theirs, "job_not_found")
    api.world.clock.advance(1)
    everybody = post(api, {"sku_id": "A", "pipeline": AGAIN}, **api.key("ada", "admin"))
    api.world.deliver_all()
    assert state(api, everybody["id"], **api.key("ada", "admin"))["jobs"]["completed"] == 2
    reviewer = api.client.post("/v1/batch", json={"sku_id": "A"}, headers=api.key("rita", "reviewer"))
    assert reviewer.status_code == 404


def test_the_other_services_batch_takes_a_mode_and_answers_under_a_job_id(api: Service) -> None:
    (job,) = finished(api, 1, sku_id="SKU-001")
    asked = {"sku_id": "SKU-001", "mode": "sharpen", "remove_background": False}
    told = api.client.post("/api/v1/batch", json=asked).get_json()
    api.world.deliver_all()
    done = api.client.get(f"/api/v1/batch/{told['job_id']}").get_json()
    assert (done["job_id"], done["status"], done["jobs"]["completed"]) == (told["id"], "completed", 1)
    assert api.world.job(job).pipeline.preset == "sharpen"
    both = {"sku_id": "A", "product_group_id": "B"}
    assert api.client.post("/api/v1/batch", json=both).status_code == 422


def test_a_rework_stays_in_the_batches_of_its_job() -> None:
    job = new_job().in_batch("b")
    failed = job.failed(job.created_at, "code", "message")
    assert failed.reworked(job.created_at, job.pipeline, job.expires_at).batches == ("b",)
    assert failed.in_batch("b") is failed
