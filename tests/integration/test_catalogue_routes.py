"""Pipelines by SKU and group, products with their pictures, and results as a table."""

import csv
import io
from typing import Any
from zipfile import ZipFile

import pytest

from darkroom.domain.messages import ObjectRef, StepRecord
from darkroom.domain.products.batches import Batch
from darkroom.handlers.batches import start_batch
from darkroom.runtime.ports import JobQuery, NewObject
from tests.api_client import Service, service
from tests.contract.jobs import START, make_job
from tests.pictures import jpeg_bytes
from tests.world import memory_world

LABELS = '{"product_group_id": "LAMPS", "sku_id": "LAMP-1"}'


@pytest.fixture
def api() -> Service:
    return service()


def put(api: Service, path: str, value: Any, **headers: str) -> Any:
    answer = api.client.put(f"/v1/configs/{path}", json=value, headers=headers)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def preset_of(api: Service, job_id: str) -> tuple[str, float]:
    pipeline = api.world.job(job_id).pipeline
    return pipeline.preset, pipeline.qc_threshold


def posted(api: Service, **more: Any) -> str:
    """The id of a job that nobody asked a pipeline for."""
    headers = more.pop("headers", {})
    form = {"file": (io.BytesIO(jpeg_bytes()), "cat.jpg"), "labels": LABELS, **more}
    answer = api.client.post("/v1/jobs", data=form, headers=headers)
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return str(answer.get_json()["id"])


# Configurations


def test_a_sku_beats_its_group_and_that_beats_the_default_for_every_way_in(api: Service) -> None:
    def dropped(name: str) -> str:
        job = api.world.drop(name, jpeg_bytes(), **{"label-product_group_id": "LAMPS", "label-sku_id": "LAMP-1"})
        api.world.deliver()
        return job

    assert preset_of(api, posted(api)) == ("auto", 75.0)
    put(api, "group/LAMPS", {"pipeline": "color_cast"})
    assert preset_of(api, posted(api)) == preset_of(api, dropped("a.jpg")) == ("color_cast", 75.0)
    put(api, "sku/LAMP-1", {"pipeline": {"preset": "sharpen"}, "qc_threshold": 90})
    assert preset_of(api, posted(api)) == preset_of(api, dropped("restore/b.jpg")) == ("sharpen", 90.0)
    assert preset_of(api, posted(api, labels="{}")) == ("auto", 75.0)
    assert preset_of(api, posted(api, pipeline="denoise")) == ("denoise", 75.0)
    assert api.client.delete("/v1/configs/sku/LAMP-1").get_json() == {"scope": "sku", "key": "LAMP-1"}
    assert preset_of(api, posted(api)) == ("color_cast", 75.0)


def test_a_threshold_alone_changes_the_verdict_and_nothing_else(api: Service) -> None:
    put(api, "group/LAMPS", {"pipeline": "denoise"})
    put(api, "sku/LAMP-1", {"qc_threshold": 100})
    job_id = posted(api)
    api.world.deliver_all()
    assert preset_of(api, job_id) == ("denoise", 100.0)
    assert api.world.job(job_id).qc_status == "needs_review"


def test_what_is_set_can_be_read_replaced_and_forgotten(api: Service) -> None:
    assert api.client.get("/v1/configs/sku/A").status_code == 404
    put(api, "sku/A", {"pipeline": {"preset": "product", "output": {"width": 800}}})
    told = api.client.get("/v1/configs/sku/A").get_json()
    assert told["pipeline"] == {"preset": "product", "output": {"width": 800}}
    assert (told["scope"], told["key"], told["qc_threshold"]) == ("sku", "A", None)
    put(api, "sku/A", {"qc_threshold": 12.5})
    assert api.client.get("/v1/configs/sku/A").get_json()["pipeline"] is None
    assert api.client.delete("/v1/configs/sku/A").status_code == 200
    assert api.client.delete("/v1/configs/sku/A").status_code == 404


@pytest.mark.parametrize("key", ["4711/ü", "a b", "x" * 200, "写真", "..x", "%", "a?b#c"])
def test_a_key_may_hold_any_characters(api: Service, key: str) -> None:
    from urllib.parse import quote

    path = f"sku/{quote(key, safe='/')}"
    assert put(api, path, {"pipeline": "sharpen"})["key"] == key
    assert api.client.get(f"/v1/configs/{path}").get_json()["key"] == key
    job = api.world.drop("a.jpg", jpeg_bytes(), **{"label-sku_id": key})
    api.world.deliver()
    assert api.world.job(job).pipeline.preset == "sharpen"


@pytest.mark.parametrize(
    ("path", "value", "status"),
    [
        ("sku/A", {}, 422),
        ("sku/A", {"pipeline": "nonsense"}, 422),
        ("sku/A", {"pipeline": {"stages": {"denoise": {"strength": 2}}}}, 422),
        ("sku/A", {"qc_threshold": 101}, 422),
        ("sku/A", {"qc_threshold": "high"}, 422),
        ("sku/A", {"unknown": 1}, 422),
        ("sku/A", [], 422),
        (f"sku/{'x' * 201}", {"pipeline": "sharpen"}, 422),
        ("job/A", {"pipeline": "sharpen"}, 404),
        ("sku/", {"pipeline": "sharpen"}, 404),
    ],
)
def test_what_is_no_configuration_is_refused(api: Service, path: str, value: Any, status: int) -> None:
    assert api.client.put(f"/v1/configs/{path}", json=value).status_code == status


def test_everybody_has_configurations_of_their_own(api: Service) -> None:
    anna, ben = api.key("anna", "submitter"), api.key("ben", "submitter")
    rita, ada = api.key("rita", "reviewer"), api.key("ada", "admin")
    put(api, "sku/LAMP-1", {"pipeline": "sharpen"}, **anna)
    assert preset_of(api, posted(api, headers=anna))[0] == "sharpen"
    assert preset_of(api, posted(api, headers=ben))[0] == "auto"
    path, others = "/v1/configs/sku/LAMP-1", "/v1/configs/sku/LAMP-1?owner=anna"
    assert api.client.get(path, headers=ben).status_code == 404
    assert api.client.get(others, headers=ben).status_code == 404
    assert api.client.delete(others, headers=ben).status_code == 404
    assert api.client.get(others, headers=rita).get_json()["owner"] == "anna"
    assert api.client.delete(others, headers=rita).status_code == 403
    assert api.client.put(others, json={"pipeline": "product"}, headers=ada).get_json()["owner"] == "anna"
    assert preset_of(api, posted(api, headers=anna))[0] == "product"


def test_a_configuration_that_somebody_has_broken_fails_the_job_with_a_reason(api: Service) -> None:
    put(api, "sku/LAMP-1", {"pipeline": "sharpen"})
    (info,) = api.world.raw_objects.list("catalogue", "configs/")
    from darkroom.runtime.ports import NewObject

    api.world.raw_objects.put("catalogue", info.ref.name, NewObject(data=b"{}", content_type="application/json"))
    job = api.world.job(posted(api))
    assert (job.status, job.error and job.error.code) == ("failed", "bad_record")


def test_an_upload_without_sku_and_group_costs_no_look_at_the_configurations() -> None:
    asked: list[str] = []

    def wrap(name: str, port: Any) -> Any:
        return _Watched(port, asked) if name == "objects" else port

    world = memory_world(wrap=wrap)
    world.drop("a.jpg", jpeg_bytes(), **{"label-season": "2024"})
    world.deliver_all()
    assert asked == []
    world.drop("b.jpg", jpeg_bytes(), **{"label-sku_id": "A", "label-product_group_id": "G"})
    world.deliver_all()
    assert asked == ["catalogue", "catalogue"]


class _Watched:
    """A port that writes down which bucket each look at an object is for."""

    def __init__(self, port: Any, asked: list[str]) -> None:
        self._port, self._asked = port, asked

    def __getattr__(self, name: str) -> Any:
        if name == "read_latest":
            return self._read_latest
        return getattr(self._port, name)

    def _read_latest(self, bucket: str, name: str) -> Any:
        self._asked += [bucket] if bucket == "catalogue" else []
        return self._port.read_latest(bucket, name)


# Products


def test_a_group_shows_its_products_with_their_pictures_and_verdicts(api: Service) -> None:
    for sku, kind in (("LAMP-1", "front"), ("LAMP-1", "side"), ("LAMP-2", "front")):
        labels = {"label-product_group_id": "LAMPS", "label-sku_id": sku, "label-image_type": kind}
        api.world.drop(f"{sku}-{kind}.jpg", jpeg_bytes(), **labels, pipeline="optimize")
    api.world.drop("chair.jpg", jpeg_bytes(), **{"label-product_group_id": "CHAIRS"})
    api.world.deliver_all()
    told = api.client.get("/v1/products/LAMPS").get_json()
    assert (told["product_group_id"], told["pictures"], told["next_cursor"]) == ("LAMPS", 3, None)
    products = {each["sku_id"]: each["pictures"] for each in told["products"]}
    assert {sku: sorted(each["image_type"] for each in pictures) for sku, pictures in products.items()} == {
        "LAMP-1": ["front", "side"],
        "LAMP-2": ["front"],
    }
    (picture,) = products["LAMP-2"]
    assert (picture["status"], picture["error"]) == ("completed", None)
    assert picture["score_after"] > 0
    assert api.client.get(picture["result"]).status_code == 200


def test_a_large_group_comes_in_pages(api: Service) -> None:
    for number in range(5):
        api.world.raw_jobs.create(make_job(f"{number:024x}", minutes=number, labels={"product_group_id": "a/b"}))
    first = api.client.get("/v1/products/a%2Fb?limit=3").get_json()
    assert (first["pictures"], len(first["products"][0]["pictures"])) == (5, 3)
    second = api.client.get(f"/v1/products/a/b?limit=3&cursor={first['next_cursor']}").get_json()
    assert (len(second["products"][0]["pictures"]), second["next_cursor"]) == (2, None)


def test_a_group_of_somebody_else_is_404_exactly_as_an_unknown_one(api: Service) -> None:
    api.world.raw_jobs.create(make_job("0" * 24, owner="anna", labels={"product_group_id": "LAMPS"}))
    assert api.client.get("/v1/products/LAMPS", headers=api.key("anna", "submitter")).status_code == 200
    assert api.client.get("/v1/products/LAMPS", headers=api.key("rita", "reviewer")).status_code == 200
    for group in ("LAMPS", "NOTHING"):
        answer = api.client.get(f"/v1/products/{group}", headers=api.key("ben", "submitter"))
        assert (answer.status_code, answer.get_json()["code"]) == (404, "not_in_catalogue")


# Export


def lines(api: Service, query: str = "", **headers: str) -> list[dict[str, str]]:
    answer = api.client.get(f"/v1/export.csv{query}", headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def test_results_leave_as_a_table(api: Service) -> None:
    job_id = api.finished_job(labels=LABELS)
    api.post_job(b"\x89PNG\r\n\x1a\n but no more")
    (line,) = lines(api, "?status=completed")
    job = api.world.job(job_id)
    assert job.result
    assert job.after
    assert (line["job"], line["sku_id"], line["product_group_id"]) == (job_id, "LAMP-1", "LAMPS")
    assert (line["result"], float(line["score_after"])) == (job.result.name, job.after.score)
    assert (line["pipeline"], line["degraded"], line["error_code"]) == ("preset denoise", "false", "")
    assert line["result_url"] == f"http://localhost/v1/jobs/{job_id}/result"
    assert api.client.get(line["result_url"]).status_code == 200
    (forwarded,) = lines(api, "?status=completed", **{"X-Forwarded-Proto": "https"})
    assert forwarded["result_url"].startswith("https://localhost/")


def test_a_table_of_many_pages_holds_every_job_once(api: Service) -> None:
    for number in range(450):
        api.world.raw_jobs.create(make_job(f"{number:024x}", minutes=number % 7, batches=("b" * 24,)))
    store = api.world.system.jobs
    found = store.query(JobQuery(limit=1000)).jobs
    assert sorted(each["job"] for each in lines(api)) == sorted(job.id for job in found)
    assert len(lines(api, f"?batch={'b' * 24}")) == 450
    assert lines(api, f"?batch={'c' * 24}") == []


def test_a_table_is_sent_while_it_is_made(api: Service) -> None:
    for number in range(401):
        api.world.raw_jobs.create(make_job(f"{number:024x}", minutes=number))
    answer = api.client.get("/v1/export.csv", buffered=False)
    pieces = [piece for piece in answer.response if piece]
    assert [len(bytes(piece).splitlines()) for piece in pieces] == [1, 200, 200, 1]
    assert "Content-Length" not in answer.headers


def test_a_job_that_changes_meanwhile_stands_twice_and_none_is_left_out(api: Service) -> None:
    for number in range(300):
        api.world.raw_jobs.create(make_job(f"{number:024x}", minutes=number))
    answer = api.client.get("/v1/export.csv", buffered=False)
    pieces = iter(answer.response)
    text = bytes(next(pieces)) + bytes(next(pieces))
    for number in (0, 250):
        job = api.world.raw_jobs.get(f"{number:024x}")
        api.world.raw_jobs.save(job.noted(api.world.clock.advance(30_000), "changed", ""))
    text += b"".join(bytes(piece) for piece in pieces)
    ids = [line["job"] for line in csv.DictReader(io.StringIO(text.decode()))]
    assert set(ids) == {f"{number:024x}" for number in range(300)}
    assert (ids.count(f"{0:024x}"), ids.count(f"{250:024x}"), len(ids)) == (2, 1, 301)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "=HYPERLINK(1)"])
def test_no_cell_is_a_formula(api: Service, name: str) -> None:
    api.world.raw_jobs.create(make_job("0" * 24, display_name=name, labels={"sku_id": f'{name}",x'}))
    (line,) = lines(api)
    assert (line["display_name"], line["sku_id"]) == (f"'{name}", f"'{name}\",x")


def test_everybody_exports_their_own_jobs_and_reviewers_all(api: Service) -> None:
    for number, owner in enumerate(("anna", "ben", "ben")):
        api.world.raw_jobs.create(make_job(f"{number:024x}", owner=owner))
    assert len(lines(api, **api.key("ben", "submitter"))) == 2
    assert lines(api, "?owner=anna", **api.key("ben", "submitter")) == []
    assert len(lines(api, **api.key("rita", "reviewer"))) == 3
    assert len(lines(api, "?owner=anna", **api.key("rita", "reviewer"))) == 1


@pytest.mark.parametrize("query", ["?label=a=b&batch=" + "0" * 24, "?status=sleeping", "?batch=x", "?unknown=1"])
def test_a_filter_that_is_none_is_refused(api: Service, query: str) -> None:
    assert api.client.get(f"/v1/export.csv{query}").status_code == 422


def finished(output: ObjectRef) -> StepRecord:
    return StepRecord(
        stage="finish", method="classical", parameters={}, output=output, elapsed_ms=1.0, peak_memory_mb=1.0, run=1
    )


def test_the_results_of_a_batch_are_one_zip_file_and_what_was_deleted_is_listed(api: Service) -> None:
    batch = "b" * 24
    start_batch(api.world.system, Batch(id=batch, kind="rework", owner="", created_at=START, budget=9))
    for number, name in enumerate(("lamp.png", "../lamp.jpg", "gone.jpg", "failed.jpg")):
        new = NewObject(data=b"picture %d" % number, content_type="image/jpeg")
        result = api.world.raw_objects.create("results", f"{number}.jpg", new).ref
        record = finished(result)
        fields = {"status": "failed"} if name == "failed.jpg" else {"status": "completed", "records": (record,)}
        job = make_job(f"{number:012x}{0:012x}", minutes=number, batches=(batch,), display_name=name, **fields)
        api.world.raw_jobs.create(job)
        if name == "gone.jpg":
            api.world.raw_objects.delete(result)
    answer = api.client.get(f"/v1/batch/{batch}/results.zip", buffered=False)
    pieces = [bytes(piece) for piece in answer.response]
    assert "Content-Length" not in answer.headers
    with ZipFile(io.BytesIO(b"".join(pieces))) as file:
        content = {name: file.read(name) for name in file.namelist()}
        assert file.testzip() is None
    assert content == {
        "lamp.000000000000.jpg": b"picture 0",
        "lamp.000000000001.jpg": b"picture 1",
        "missing.txt": b"gone.000000000002.jpg\n",
    }
    assert len(pieces) >= 3  # each picture is sent before the next one is read
