"""Jobs over HTTP: made, followed, changed, reviewed, fetched."""

import json
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from darkroom.domain.job import Job
from darkroom.domain.messages import ObjectRef
from darkroom.imaging.codec import decode
from darkroom.runtime.ports import NewObject
from tests import pictures
from tests.api_client import Service, service
from tests.fault.test_bad_input import BAD as BAD_INPUT
from tests.photographs import small_jpeg
from tests.pictures import jpeg_bytes, png_bytes


@pytest.fixture
def api() -> Service:
    return service()


def job(api: Service, job_id: str) -> dict[str, Any]:
    answer = api.client.get(f"/v1/jobs/{job_id}")
    assert answer.status_code == 200, answer.get_json()
    told: dict[str, Any] = answer.get_json()
    return told


def test_a_posted_photograph_goes_all_the_way(api: Service) -> None:
    data = small_jpeg(64)
    answer = api.post_job(data, labels='{"sku_id": "S-1"}', display_name="The cat")
    told = answer.get_json()
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/jobs/{told['id']}")
    assert (told["status"], told["display_name"], told["labels"]) == ("pending", "The cat", {"sku_id": "S-1"})
    assert told["pipeline"]["preset"] == "denoise"
    # The id can be asked for before anything was delivered, and nothing but the upload's event was published.
    assert job(api, told["id"])["status"] == "pending"
    assert {name: count for name, count in api.world.broker.pending().items() if count} == {"dispatcher-uploads": 1}
    api.world.deliver_all()
    done = job(api, told["id"])
    assert (done["status"], done["links"]["result"]) == ("completed", f"/v1/jobs/{told['id']}/result")
    assert [stage["stage"] for stage in done["stages"]] == ["assess", "denoise", "finish", "assess"]
    result = api.client.get(done["links"]["result"])
    assert (result.status_code, result.content_type) == (200, "image/jpeg")
    assert decode(result.data).picture.pixels.shape == decode(data).picture.pixels.shape
    assert "The%20cat.jpg" in result.headers["Content-Disposition"]


BODIES: dict[str, dict[str, Any]] = {
    "bytes": {"data": jpeg_bytes(), "query_string": {"pipeline": "denoise", "labels": '{"a": "b"}'}},
    "a form": {"data": {"file": (BytesIO(jpeg_bytes()), "x.jpg"), "pipeline": "denoise", "labels": '{"a": "b"}'}},
    "a url": {"json": {"url": "https://shop.example/a/b.jpg?w=1", "pipeline": "denoise", "labels": {"a": "b"}}},
    "an object": {"json": {"object": "drop/b.jpg", "pipeline": {"preset": "denoise"}, "labels": {"a": "b"}}},
}


@pytest.mark.parametrize("body", BODIES)
def test_a_photograph_may_come_in_four_ways(body: str) -> None:
    api = service(fetch=lambda _url: jpeg_bytes())
    api.world.raw_objects.put("uploads", "drop/b.jpg", NewObject(data=jpeg_bytes(), content_type="image/jpeg"))
    answer = api.client.post("/v1/jobs", **BODIES[body])
    assert answer.status_code == 202
    told = answer.get_json()
    assert (told["pipeline"]["preset"], told["labels"]) == ("denoise", {"a": "b"})
    names = {"bytes": "upload", "a form": "x.jpg", "a url": "b.jpg", "an object": "b.jpg"}
    assert told["display_name"] == names[body]
    assert api.client.get(f"/v1/jobs/{told['id']}/original").data == jpeg_bytes()


def test_two_photographs_of_one_name_are_two_jobs(api: Service) -> None:
    assert api.post_job().get_json()["id"] != api.post_job().get_json()["id"]


def test_the_same_idempotency_key_is_the_same_job(api: Service) -> None:
    first = api.post_job(headers={"Idempotency-Key": "order-7"})
    api.world.deliver_all()
    again = api.post_job(headers={"Idempotency-Key": "order-7"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.get_json()["id"] == first.get_json()["id"]
    assert again.get_json()["status"] == "completed"
    assert len(list(api.world.raw_objects.list("uploads"))) == 1


@pytest.mark.parametrize("other", [{"data": png_bytes()}, {"pipeline": "sharpen"}, {"labels": '{"a": "b"}'}])
def test_an_idempotency_key_with_another_request_is_409(api: Service, other: dict[str, Any]) -> None:
    api.post_job(headers={"Idempotency-Key": "order-7"})
    answer = api.post_job(headers={"Idempotency-Key": "order-7"}, **other)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "idempotency_key_reused")


def test_idempotency_keys_of_different_owners_are_different(api: Service) -> None:
    ids = {
        api.post_job(headers={"Idempotency-Key": "order-7", **api.key(owner, "submitter")}).get_json()["id"]
        for owner in ("anna", "ben")
    }
    assert len(ids) == 2


def test_of_many_requests_with_one_key_at_the_same_moment_one_makes_the_job(api: Service) -> None:
    ids: list[str] = []
    begin = threading.Barrier(8)

    def post() -> None:
        begin.wait(timeout=20)
        ids.append(api.post_job(headers={"Idempotency-Key": "order-7"}).get_json()["id"])

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert (len(ids), len(set(ids))) == (8, 1)


BAD: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "nothing": (pictures.empty, 422, "empty_object"),
    "a text": (pictures.text_file, 415, "unsupported_format"),
    "an enormous claim": (pictures.bomb_png, 413, "too_many_pixels"),
    "a long thin picture": (lambda: pictures.png_bytes(np.zeros((2_000_000, 1), np.uint8)), 413, "side_too_long"),
    "no width": (pictures.zero_area_png, 422, "zero_area"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_photograph_is_refused_and_leaves_nothing(api: Service, kind: str) -> None:
    make, status, code = BAD[kind]
    answer = api.post_job(make())
    told = answer.get_json()
    assert (answer.status_code, told["code"]) == (status, code)
    if status == 413:
        assert (told["value"], told["limit"]) in ((10_000_000_000, 40_000_000), (2_000_000, 1_000_000))
    assert list(api.world.raw_objects.list("uploads")) == []
    assert api.client.get("/v1/jobs").get_json()["jobs"] == []


@pytest.mark.parametrize("kind", [kind for kind, bad in BAD_INPUT.items() if not kind.startswith("folder")])
def test_every_bad_input_of_the_pipeline_is_refused_or_fails_with_its_code(api: Service, kind: str) -> None:
    bad = BAD_INPUT[kind]
    answer = api.post_job(bad.data(), pipeline=dict(bad.metadata).get("pipeline", "auto"))
    assert answer.status_code in (202, 404, 413, 415, 422)
    told = answer.get_json()
    if answer.status_code == 202:
        api.world.deliver_all()
        told = job(api, told["id"])["error"]
    # An object that is not there is not found when it is posted, and gone when only the job finds out.
    assert told["code"] == ("object_not_found" if answer.status_code == 404 else bad.code)


def test_a_photograph_that_is_damaged_inside_is_a_failed_job_with_its_reason(api: Service) -> None:
    told = job(api, api.finished_job(data=pictures.truncated_jpeg()))
    assert (told["status"], told["error"]["code"], told["links"]["result"]) == ("failed", "truncated", None)


@pytest.mark.parametrize(
    "wishes",
    [
        {"pipeline": "sepia"},
        {"pipeline": '{"preset": "auto", "x": 1}'},
        {"labels": "no JSON"},
        {"labels": '{"a b": "c"}'},
        {"display_name": ""},
        {"colour": "red"},
        {"url": "https://shop.example/a.jpg"},
        {"object": "a.jpg"},
    ],
)
def test_wishes_that_are_not_valid_are_refused(api: Service, wishes: dict[str, str]) -> None:
    assert api.post_job(**wishes).status_code == 422
    assert list(api.world.raw_objects.list("uploads")) == []


def test_what_a_rule_of_ours_says_is_told_in_its_words(api: Service) -> None:
    (told,) = api.post_job(callback_url="ftp://x.example").get_json()["errors"]
    words = "is no http or https URL with a host"
    assert told == {"where": "callback_url", "problem": words, "value": "ftp://x.example"}


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "C:\\photos\\cat.jpg", "a\r\nSet-Cookie: x=1.jpg", "\u202ecat.jpg", ""]
)
def test_a_file_name_is_only_ever_something_to_show(api: Service, name: str) -> None:
    answer = api.client.post("/v1/jobs", data={"file": (BytesIO(jpeg_bytes()), name or None), "pipeline": "denoise"})
    assert answer.status_code in (202, 422)
    if answer.status_code == 202:
        shown = answer.get_json()["display_name"]
        assert not set(shown) & set("/\\\r\n")
        original = api.client.get(answer.get_json()["links"]["original"])
        assert "Set-Cookie" not in original.headers
    for info in api.world.raw_objects.list("uploads"):
        assert info.ref.name.startswith("api/")
        assert len(info.ref.name) == len("api/") + 32


def test_jobs_are_listed_by_status_label_and_verdict_page_by_page(api: Service) -> None:
    made = []
    for number in range(5):
        made.append(api.post_job(labels=json.dumps({"n": str(number), "even": str(number % 2 == 0)})).get_json()["id"])
        api.world.clock.advance(1)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = api.client.get("/v1/jobs", query_string=query).get_json()
        seen += [each["id"] for each in page["jobs"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == made[::-1]
    even = api.client.get("/v1/jobs?label=even=True").get_json()["jobs"]
    assert {each["id"] for each in even} == set(made[::2])
    assert api.client.get("/v1/jobs?status=completed").get_json()["jobs"] == []
    api.world.deliver_all()
    verdict = job(api, made[0])["qc_status"]
    assert len(api.client.get(f"/v1/jobs?status=completed&qc_status={verdict}").get_json()["jobs"]) == 5


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "status=lost", "label=x", "sort=name", "limit=a"])
def test_a_query_that_is_not_valid_is_422(api: Service, query: str) -> None:
    answer = api.client.get(f"/v1/jobs?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid")
    assert answer.get_json()["errors"][0]["where"] == query.split("=", maxsplit=1)[0]


def test_a_label_and_a_batch_exclude_each_other(api: Service) -> None:
    answer = api.client.get(f"/v1/jobs?label=a=b&batch={'0' * 24}")
    assert answer.status_code == 422
    assert "not both" in answer.get_json()["detail"]


def test_a_cursor_that_nobody_made_is_400(api: Service) -> None:
    assert api.client.get("/v1/jobs?cursor=xyz").get_json()["code"] == "bad_cursor"


@pytest.mark.parametrize("job_id", ["0" * 24, "nonsense", "A" * 24, "%00", "..", "0" * 1000])
@pytest.mark.parametrize("rest", ["", "/result", "/events", "/stages/0"])
def test_an_unknown_job_is_404(api: Service, job_id: str, rest: str) -> None:
    answer = api.client.get(f"/v1/jobs/{job_id}{rest}")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_a_job_is_renamed_and_labelled(api: Service) -> None:
    job_id = api.post_job(labels='{"a": "1"}').get_json()["id"]
    told = api.client.patch(f"/v1/jobs/{job_id}", json={"display_name": "Wedding, 1931"}).get_json()
    assert (told["display_name"], told["labels"]) == ("Wedding, 1931", {"a": "1"})
    told = api.client.patch(f"/v1/jobs/{job_id}", json={"labels": {"b": "2"}}).get_json()
    assert (told["display_name"], told["labels"]) == ("Wedding, 1931", {"b": "2"})
    assert [each["id"] for each in api.client.get("/v1/jobs?label=b=2").get_json()["jobs"]] == [job_id]
    api.world.deliver_all()
    assert job(api, job_id)["status"] == "completed"


def test_a_name_may_hold_a_slash_but_nothing_that_cannot_be_printed(api: Service) -> None:
    job_id = api.post_job(display_name="a/\u202eb\x1b[31m").get_json()["id"]
    assert job(api, job_id)["display_name"] == "a/b[31m"
    told = api.client.patch(f"/v1/jobs/{job_id}", json={"display_name": "1931/32\u200b"}).get_json()
    assert told["display_name"] == "1931/32"


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


ODD_JSON: list[Any] = [
    {"display_name": "\ud800"},
    {"labels": {"a": "\ud800"}},
    {"labels": {"a": "line\nbreak"}},
    {"labels": {str(number): "x" for number in range(21)}},
    {"pipeline": nested(150)},
    {"pipeline": {"output": {"width": nested(900)}}},
    {"pipeline": {"output": {"width": 10**400}}},
    {"pipeline": "x" * 100_000},
]


@pytest.mark.parametrize("body", ODD_JSON, ids=range(len(ODD_JSON)))
def test_odd_json_is_refused_and_breaks_nothing(body: Any) -> None:
    api = service(fetch=lambda _url: jpeg_bytes())
    answer = api.client.post("/v1/jobs", json={"url": "https://shop.example/a.jpg", **body})
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert len(answer.data) < 20_000


@pytest.mark.parametrize("body", [{"display_name": ""}, {"display_name": "\n"}, {"labels": {"a": 1}}, {"id": "x"}, []])
def test_a_description_that_is_not_valid_is_422(api: Service, body: Any) -> None:
    assert api.client.patch(f"/v1/jobs/{api.post_job().get_json()['id']}", json=body).status_code == 422


def test_a_deleted_job_leaves_nothing_and_its_neighbours_everything(api: Service) -> None:
    first, second = api.finished_job(), api.finished_job()
    api.client.post(f"/v1/jobs/{first}/rework", json={"pipeline": "sharpen"})
    api.world.deliver_all()
    before = set(api.world.objects())
    assert api.client.delete(f"/v1/jobs/{first}").get_json() == {"deleted": first}
    after = set(api.world.objects())
    assert not [name for name in after if first[:12] in name]
    assert {name for name in before if second[:12] in name} == {name for name in after if second[:12] in name}
    assert len([name for name in after if name.startswith("uploads/")]) == 1
    assert api.client.get(f"/v1/jobs/{first}").status_code == 404
    assert api.client.get(f"/v1/jobs/{second}/result").status_code == 200


def test_a_job_that_is_deleted_under_way_stays_deleted(api: Service) -> None:
    job_id = api.post_job().get_json()["id"]
    api.world.deliver(limit=2)
    assert api.client.delete(f"/v1/jobs/{job_id}").status_code == 200
    api.world.deliver_all()
    assert api.client.get(f"/v1/jobs/{job_id}").status_code == 404


def test_results_with_names_that_had_to_be_cut_are_deleted_too(api: Service) -> None:
    job_id = api.world.drop("denoise/" + "n" * 1000 + ".jpg", jpeg_bytes())
    api.world.deliver_all()
    assert len(list(api.world.raw_objects.list("results"))) == 2
    api.client.delete(f"/v1/jobs/{job_id}")
    assert list(api.world.raw_objects.list("results")) == []


def test_a_job_is_cancelled_once(api: Service) -> None:
    job_id = api.post_job().get_json()["id"]
    assert api.client.post(f"/v1/jobs/{job_id}/cancel").get_json()["status"] == "cancelled"
    again = api.client.post(f"/v1/jobs/{job_id}/cancel")
    assert (again.status_code, again.get_json()["code"]) == (409, "not_allowed")


def test_the_history_says_who_cancelled_replayed_and_reworked(api: Service) -> None:
    anna, ada = api.key("anna", "submitter"), api.key("ada", "admin")
    job_id = api.finished_job(data=pictures.truncated_jpeg(), headers=anna)
    api.client.post(f"/v1/jobs/{job_id}/replay", headers=anna)
    api.client.post(f"/v1/jobs/{job_id}/cancel", headers=ada)
    wishes = {"pipeline": "sharpen", "notes": "once more"}
    api.client.post(f"/v1/jobs/{job_id}/rework", headers=anna, json=wishes)
    told = api.client.get(f"/v1/qc/{job_id}/history", headers=anna).get_json()["history"]
    assert [(line["action"], line["who"]) for line in told[-3:]] == [
        ("replayed", "anna"),
        ("cancelled", "ada"),
        ("rework", "anna"),
    ]
    assert told[-1]["text"] == "run 2 with preset sharpen: once more"


def test_a_finished_job_is_reworked_and_a_failed_one_replayed(api: Service) -> None:
    job_id = api.finished_job()
    answer = api.client.post(f"/v1/jobs/{job_id}/rework", json={"pipeline": {"preset": "sharpen"}, "notes": "softer"})
    assert (answer.status_code, answer.get_json()["run"]) == (202, 2)
    api.world.deliver_all()
    assert job(api, job_id)["status"] == "completed"
    assert api.client.post(f"/v1/jobs/{job_id}/replay").status_code == 409
    failed = api.finished_job(data=pictures.truncated_jpeg())
    answer = api.client.post(f"/v1/jobs/{failed}/replay")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "processing")
    assert api.client.post(f"/v1/jobs/{job_id}/rework", json={"pipeline": "sepia"}).status_code == 422


def test_the_files_of_a_job_come_out_as_they_are(api: Service) -> None:
    data = small_jpeg(200)
    job_id = api.finished_job(data=data)
    own = f"/v1/jobs/{job_id}"
    assert api.client.get(f"{own}/original").data == data
    manifest = api.client.get(f"{own}/manifest").get_json()
    assert (manifest["job_id"], manifest["status"]) == (job_id, "completed")
    assert "score" in api.client.get(f"{own}/stages/0").get_json()
    middle = api.client.get(f"{own}/stages/1")
    assert (middle.status_code, middle.content_type) == (200, "image/webp")
    assert api.client.get(f"{own}/stages/2").data == api.client.get(f"{own}/result").data
    for number in ("4", "-1", "x", "9999", "١"):
        assert api.client.get(f"{own}/stages/{number}").status_code == 404


def test_a_thumbnail_is_small_and_of_the_result_if_there_is_one(api: Service) -> None:
    waiting = api.post_job(small_jpeg(300)).get_json()["id"]
    made = api.client.get(f"/v1/jobs/{waiting}/thumbnail?side=64")
    assert (made.status_code, made.content_type) == (200, "image/webp")
    assert max(decode(made.data).picture.pixels.shape[:2]) == 64
    assert api.client.get(f"/v1/jobs/{waiting}/thumbnail?of=result").status_code == 404
    api.world.deliver_all()
    assert api.client.get(f"/v1/jobs/{waiting}/thumbnail?of=result&side=16").status_code == 200
    assert api.client.get(f"/v1/jobs/{waiting}/thumbnail?side=5000").status_code == 422


@pytest.mark.parametrize("what", ["result", "manifest"])
def test_what_is_not_there_yet_is_404_and_says_why(api: Service, what: str) -> None:
    answer = api.client.get(f"/v1/jobs/{api.post_job().get_json()['id']}/{what}")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "nothing_there")
    assert "is pending" in answer.get_json()["detail"]


def test_an_original_that_is_a_page_is_handed_out_as_no_page(api: Service) -> None:
    job_id = api.world.drop("evil.jpg", b"<html><script>alert(1)</script>")
    api.world.deliver_all()
    answer = api.client.get(f"/v1/jobs/{job_id}/original")
    assert (answer.status_code, answer.content_type) == (200, "application/octet-stream")
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_a_purged_original_is_404(api: Service) -> None:
    job_id = api.finished_job()
    source = api.world.job(job_id).source.ref
    api.world.raw_objects.delete(ObjectRef(bucket=source.bucket, name=source.name, generation=source.generation))
    assert api.client.get(f"/v1/jobs/{job_id}/original").get_json()["code"] == "nothing_there"


# Progress


def test_progress_is_one_document_for_whoever_polls(api: Service) -> None:
    job_id = api.post_job().get_json()["id"]
    answer = api.client.get(f"/v1/jobs/{job_id}/events")
    assert (answer.content_type, answer.headers["Retry-After"]) == ("application/json", "1")
    assert (answer.get_json()["status"], answer.get_json()["stage"]) == ("pending", "assess")
    api.world.deliver_all()
    answer = api.client.get(f"/v1/jobs/{job_id}/events")
    told = answer.get_json()
    assert (told["status"], told["done"], told["steps"], told["stage"]) == ("completed", 4, 4, None)
    assert "Retry-After" not in answer.headers


def stream_of(api: Service, job_id: str, pause: Callable[[float], None], **headers: str) -> list[str]:
    from dataclasses import replace

    from darkroom.api.core.application import Api
    from tests.api_client import flask_app

    waiting = Api(app=replace(api.api.app, pause=pause), rate_limiter=api.api.rate_limiter, router=api.api.router)
    client = flask_app(waiting).test_client()
    answer = client.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream", **headers})
    assert answer.content_type.startswith("text/event-stream")
    return answer.get_data(as_text=True).strip().split("\n\n")


def test_a_stream_tells_every_change_and_ends_with_the_job(api: Service) -> None:
    job_id = api.post_job().get_json()["id"]
    retry, *told = stream_of(api, job_id, lambda _seconds: void(api.world.deliver(limit=1)))
    assert retry == "retry: 2000"
    events = [dict(line.split(": ", 1) for line in each.splitlines()) for each in told]
    assert [each["event"] for each in events[-2:]] == ["progress", "end"]
    done = [json.loads(each["data"])["done"] for each in events]
    assert done == sorted(done)
    assert set(done) == {0, 1, 2, 3, 4}
    assert json.loads(events[-1]["data"])["status"] == "completed"


def void(_: object) -> None:
    return None


def test_a_stream_that_is_taken_up_again_repeats_nothing(api: Service) -> None:
    job_id = api.finished_job()
    revision = str(api.world.job(job_id).revision)
    _, *told = stream_of(api, job_id, lambda _seconds: None, **{"Last-Event-ID": revision})
    assert [each.splitlines()[1] for each in told] == ["event: end"]


def test_a_stream_of_a_job_that_stands_still_shows_that_it_lives_and_ends(api: Service) -> None:
    job_id = api.post_job().get_json()["id"]
    pauses: list[float] = []
    told = stream_of(api, job_id, pauses.append)
    assert sum(pauses) == 50
    assert told.count(": still here") == 4


def test_the_stream_of_a_job_that_is_deleted_ends(api: Service) -> None:
    job_id = api.post_job().get_json()["id"]
    told = stream_of(api, job_id, lambda _seconds: api.world.raw_jobs.delete(job_id))
    assert len(told) == 2


def test_when_all_threads_for_streams_are_taken_the_answer_is_to_poll(api: Service) -> None:
    job_id = api.finished_job()
    ask = {"headers": {"Accept": "text/event-stream"}}
    streams = api.api.app.streams
    taken = 0
    while streams.acquire(blocking=False):
        taken += 1
    assert api.client.get(f"/v1/jobs/{job_id}/events", **ask).content_type == "application/json"
    for _ in range(taken):
        streams.release()
    # However often streams are opened, read or left: each gives its place back, and exactly once.
    for _ in range(2 * taken):
        with api.client.get(f"/v1/jobs/{job_id}/events", **ask) as answer:
            assert answer.content_type.startswith("text/event-stream")
    assert [streams.acquire(blocking=False) for _ in range(taken + 1)] == [True] * taken + [False]


# Quality control


def needing_review(api: Service, **more: Any) -> str:
    """A job whose threshold no score reaches."""
    job_id = api.finished_job(pipeline='{"preset": "denoise", "qc_threshold": 100}', **more)
    assert job(api, job_id)["qc_status"] == "needs_review"
    return job_id


def test_the_queue_is_oldest_first_and_says_why(api: Service) -> None:
    ids = []
    for _ in range(3):
        ids.append(needing_review(api))
        api.world.clock.advance(60)
    api.finished_job(pipeline='{"preset": "optimize", "qc_threshold": 0}')
    queue = api.client.get("/v1/qc/pending?limit=2").get_json()
    assert [each["job"]["id"] for each in queue["pending"]] == ids[:2]
    first = queue["pending"][0]
    assert any(reason.endswith("is not above 100") for reason in first["reasons"])
    assert api.client.get(first["before"]).status_code == api.client.get(first["after"]).status_code == 200
    rest = api.client.get("/v1/qc/pending", query_string={"cursor": queue["next_cursor"]}).get_json()
    assert [each["job"]["id"] for each in rest["pending"]] == ids[2:]


def test_the_queue_says_which_stage_is_not_sure(api: Service) -> None:
    """The score alone would have approved it."""
    flat = png_bytes(np.full((64, 64, 3), 128, np.uint8))
    job_id = api.finished_job(data=flat, pipeline='{"preset": "cutout", "qc_threshold": 0}')
    (waiting,) = api.client.get("/v1/qc/pending").get_json()["pending"]
    assert (waiting["job"]["id"], [each["stage"] for each in waiting["job"]["stages"] if each["doubtful"]]) == (
        job_id,
        ["background"],
    )
    (reason,) = waiting["reasons"]
    assert reason.startswith("background is not sure of its result")


def test_a_verdict_is_recorded_with_who_when_and_why(api: Service) -> None:
    job_id = needing_review(api)
    body = {"status": "approved", "reviewer_id": "anna", "notes": "LGTM"}
    assert api.client.post(f"/v1/qc/{job_id}/review", json=body).get_json()["qc_status"] == "approved"
    history = api.client.get(f"/v1/qc/{job_id}/history").get_json()["history"]
    assert [each["action"] for each in history][-1] == "approved"
    assert (history[-1]["who"], history[-1]["text"]) == ("anna", "LGTM")
    assert api.client.get("/v1/qc/pending").get_json()["pending"] == []


def test_nobody_signs_with_the_name_of_another_alone(api: Service) -> None:
    reviewer = api.key("ben", "reviewer")
    api_headers = api.key("anna", "submitter")
    job_id = api.finished_job(pipeline='{"preset": "denoise", "qc_threshold": 100}', headers=api_headers)
    body = {"status": "rejected", "reviewer_id": "anna"}
    api.client.post(f"/v1/qc/{job_id}/review", json=body, headers=reviewer)
    assert api.world.job(job_id).history[-1].who == "anna (ben)"


def test_rejecting_with_a_pipeline_is_a_rework(api: Service) -> None:
    job_id = needing_review(api)
    body = {"status": "rejected", "reviewer_id": "anna", "pipeline": "sharpen"}
    told = api.client.post(f"/v1/qc/{job_id}/review", json=body).get_json()
    assert (told["run"], told["status"], told["pipeline"]["preset"]) == (2, "pending", "sharpen")
    api.world.deliver_all()
    assert job(api, job_id)["status"] == "completed"
    actions = [each["action"] for each in api.client.get(f"/v1/qc/{job_id}/history").get_json()["history"]]
    assert actions.index("rejected") < actions.index("rework")


def test_a_job_that_has_not_finished_is_not_reviewed(api: Service) -> None:
    job_id = api.post_job().get_json()["id"]
    answer = api.client.post(f"/v1/qc/{job_id}/review", json={"status": "approved"})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "not_allowed")


def test_of_two_reviewers_the_first_wins_and_the_other_hears_so(api: Service) -> None:
    job_id = needing_review(api)
    answers: list[int] = []
    begin = threading.Barrier(6)

    def decide(number: int) -> None:
        begin.wait(timeout=20)
        body = {"status": "approved" if number % 2 else "rejected", "reviewer_id": f"r{number}"}
        answers.append(api.client.post(f"/v1/qc/{job_id}/review", json=body).status_code)

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(answers) == [200, 409, 409, 409, 409, 409]
    assert sum(entry.action in ("approved", "rejected") for entry in api.world.job(job_id).history) == 1


def test_a_verdict_is_changed_only_by_whoever_names_the_revision(api: Service) -> None:
    job_id = needing_review(api)
    api.client.post(f"/v1/qc/{job_id}/review", json={"status": "approved"})
    again = api.client.post(f"/v1/qc/{job_id}/review", json={"status": "rejected"})
    assert (again.status_code, again.get_json()["code"]) == (409, "already_reviewed")
    revision = job(api, job_id)["revision"]
    stale = api.client.post(f"/v1/qc/{job_id}/review", json={"status": "rejected", "revision": revision - 1})
    assert (stale.status_code, stale.get_json()["limit"]) == (409, revision)
    changed = api.client.post(f"/v1/qc/{job_id}/review", json={"status": "rejected", "revision": revision})
    assert changed.get_json()["qc_status"] == "rejected"


@pytest.mark.parametrize(
    "body", [{"status": "fine"}, {}, {"status": "approved", "pipeline": "sharpen"}, {"status": None}]
)
def test_a_review_that_is_not_valid_is_422(api: Service, body: dict[str, Any]) -> None:
    assert api.client.post(f"/v1/qc/{needing_review(api)}/review", json=body).status_code == 422


def test_the_short_form_of_a_review_takes_json_of_any_type(api: Service) -> None:
    job_id = needing_review(api)
    assert len(api.client.get("/api/v1/qc/pending").get_json()["pending"]) == 1
    answer = api.client.post(
        f"/api/v1/qc/{job_id}/review",
        data=b'{"status": "approved", "reviewer_id": "user123", "notes": "LGTM"}',
        content_type="application/x-www-form-urlencoded",
    )
    assert (answer.status_code, answer.get_json()["job"]["qc_status"]) == (200, "approved")


def test_the_pictures_of_a_job_are_those_of_the_pipeline(api: Service) -> None:
    job_id = api.finished_job(data=png_bytes(), pipeline="optimize")
    result = decode(api.client.get(f"/v1/jobs/{job_id}/result").data).picture.pixels
    assert np.array_equal(result, pictures.scene())
    assert isinstance(api.world.job(job_id), Job)


def test_the_results_of_all_runs_can_be_read(api: Service) -> None:
    job_id = api.finished_job()
    first = api.client.get(f"/v1/jobs/{job_id}/result").data
    assert api.client.post(f"/v1/jobs/{job_id}/rework", json={"pipeline": "low_light"}).status_code == 202
    api.world.deliver_all()
    told = api.client.get(f"/v1/jobs/{job_id}/versions").get_json()["versions"]
    pictures = [api.client.get(each["result"]).data for each in told]
    assert [each["run"] for each in told] == [1, 2]
    assert pictures == [first, api.client.get(f"/v1/jobs/{job_id}/result").data]
    assert [each["size_bytes"] for each in told] == [len(data) for data in pictures]
    assert api.client.get(f"/v1/jobs/{job_id}/versions/3").get_json()["code"] == "nothing_there"


def test_a_pipeline_is_checked_before_the_url_is_fetched() -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return jpeg_bytes()

    client, url = service(fetch=fetch).client, "https://shop.example/a.jpg"
    assert client.post("/v1/jobs", json={"url": url, "pipeline": "denoize"}).status_code == 422
    assert fetched == []
    assert client.post("/v1/jobs", json={"url": url, "pipeline": "denoise"}).status_code == 202
    assert fetched == [url]
