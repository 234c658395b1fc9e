"""A list of pictures behind URLs becomes jobs: checked row by row, fetched once, counted, cancelled."""

import json
from io import BytesIO
from typing import Any

import pytest

from darkroom.domain.envelope import encode
from darkroom.domain.errors import PermanentError, TransientError
from darkroom.domain.products.messages import PageRequested
from darkroom.domain.products.rows import MAX_ROWS, TEMPLATE
from darkroom.domain.topology import SUBSCRIPTIONS
from darkroom.handlers.schedule import sweep
from darkroom.runtime.settings import Settings
from tests.api_client import Service, service
from tests.pictures import jpeg_bytes

SHOP = "https://shop.example"
MOST = next(each.max_attempts for each in SUBSCRIPTIONS if each.name == "importer-imports")


class Shop:
    """The internet of these tests: the same picture everywhere, unless something else is said of a URL."""

    def __init__(self) -> None:
        self.answers: dict[str, list[bytes | Exception]] = {}
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        answers = self.answers.get(url, [jpeg_bytes()])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def shop_of(api: Service) -> Shop:
    shop = api.world.fetch
    assert isinstance(shop, Shop)
    return shop


@pytest.fixture
def api() -> Service:
    made = service()
    made.world.fetch = Shop()
    return made


def rows(*names: str, **more: Any) -> list[dict[str, Any]]:
    """One row a name."""
    return [{"sku_id": name, "image_url": f"{SHOP}/{name}.jpg", **more} for name in names]


def post(api: Service, value: Any, path: str = "/v1/import?pipeline=denoise", **headers: str) -> Any:
    """The answer to an import, which must be taken."""
    answer = api.client.post(path, json=value, headers=headers)
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return answer.get_json()


def state(api: Service, batch_id: str, **headers: str) -> Any:
    return api.client.get(f"/v1/import/{batch_id}", headers=headers).get_json()


def test_good_rows_become_jobs_with_labels_and_bad_ones_are_told_by_number(api: Service) -> None:
    listed = [*rows("A", product_group_id="LAMPS", image_type="side"), {"sku_id": "B"}, *rows("C"), *rows("C")]
    told = post(api, listed)
    assert (told["accepted"], told["rejected"], told["duplicates"], told["waiting"]) == (2, 1, 1, 2)
    assert told["problems"] == [{"row": 2, "field": "image_url", "message": "missing", "value": None, "limit": None}]
    assert told["first_duplicates"] == [{"row": 4, "same_as": 3}]
    assert (told["status"], told["percent"], told["eta_s"]) == ("processing", 0.0, None)
    api.world.clock.advance(60)
    api.world.deliver_all()
    done = state(api, told["id"])
    assert (done["status"], done["percent"], done["jobs"]["completed"]) == ("completed", 100.0, 2)
    (job,) = api.client.get("/v1/jobs?label=product_group_id=LAMPS").get_json()["jobs"]
    assert job["labels"] == {"product_group_id": "LAMPS", "sku_id": "A", "image_type": "side"}
    assert (job["display_name"], job["pipeline"]["preset"], job["batches"]) == ("A.jpg", "denoise", [told["id"]])
    assert api.client.get(f"/v1/jobs/{job['id']}/result").status_code == 200
    assert len(api.client.get(f"/v1/jobs?batch={told['id']}").get_json()["jobs"]) == 2


def test_the_remaining_time_is_that_of_the_pace_so_far(api: Service) -> None:
    told = post(api, rows("A", "B", "C", "D"))
    shop_of(api).answers = {f"{SHOP}/{name}.jpg": [TransientError("busy")] for name in "BCD"}
    api.world.deliver()
    api.world.clock.advance(8)
    view = state(api, told["id"])
    assert (view["done"], view["total"], view["percent"], view["eta_s"]) == (1, 4, 25.0, 24.0)
    assert (view["fetched"], view["waiting"]) == (1, 3)


def test_the_same_row_in_two_imports_is_one_job_that_belongs_to_both_and_is_fetched_once(api: Service) -> None:
    first = post(api, rows("A", "B"))
    api.world.deliver_all()
    second = post(api, rows("A"))
    api.world.deliver_all()
    assert shop_of(api).asked == [f"{SHOP}/A.jpg", f"{SHOP}/B.jpg"]
    assert state(api, first["id"])["jobs"]["completed"] == 2
    assert (state(api, second["id"])["jobs"]["completed"], state(api, second["id"])["percent"]) == (1, 100.0)
    jobs = api.client.get("/v1/jobs").get_json()["jobs"]
    assert sorted(len(job["batches"]) for job in jobs) == [1, 2]


def test_the_same_row_of_somebody_else_is_another_job(api: Service) -> None:
    for owner in ("anna", "ben"):
        post(api, rows("A"), **api.key(owner, "submitter"))
    api.world.deliver_all()
    jobs = api.client.get("/v1/jobs", headers=api.key("ada", "admin")).get_json()["jobs"]
    assert sorted(job["owner"] for job in jobs) == ["anna", "ben"]


def test_a_job_that_was_purged_begins_again_with_the_picture_that_is_there(api: Service) -> None:
    post(api, rows("A"))
    api.world.deliver_all()
    (job,) = api.client.get("/v1/jobs").get_json()["jobs"]
    api.world.raw_jobs.delete(job["id"])
    again = post(api, rows("A"))
    api.world.deliver_all()
    assert state(api, again["id"])["jobs"]["completed"] == 1
    assert len(shop_of(api).asked) == 1


def test_what_cannot_be_fetched_is_refused_once_and_for_all_and_the_rest_goes_on(api: Service) -> None:
    shop_of(api).answers[f"{SHOP}/B.jpg"] = [PermanentError("shop.example answered 404", code="url_failed")]
    shop_of(api).answers[f"{SHOP}/C.jpg"] = [b""]
    told = post(api, rows("A", "B", "C"))
    api.world.deliver_all()
    done = state(api, told["id"])
    assert (done["status"], done["percent"], done["refused"], done["fetched"]) == ("completed", 100.0, 2, 1)
    assert [(each["what"], each["code"], each["image_url"]) for each in done["failures"]] == [
        ("2", "url_failed", f"{SHOP}/B.jpg"),
        ("3", "empty_object", f"{SHOP}/C.jpg"),
    ]
    assert "answered 404" in done["failures"][0]["message"]
    assert shop_of(api).asked.count(f"{SHOP}/B.jpg") == 1


def test_a_picture_that_is_too_large_is_refused_with_size_and_limit() -> None:
    api = service(Settings(max_bytes=100))
    api.world.fetch = Shop()
    told = post(api, rows("A"))
    api.world.deliver_all()
    (failure,) = state(api, told["id"])["failures"]
    assert failure["code"] == "too_many_bytes"
    assert failure["message"] == f"{len(jpeg_bytes())} bytes exceed 100 bytes"
    assert api.world.objects() == {}


def test_what_is_no_picture_fails_as_every_upload_does_and_is_told_with_its_job(api: Service) -> None:
    shop_of(api).answers[f"{SHOP}/A.jpg"] = [b"<html>Not here</html>"]
    told = post(api, rows("A"))
    api.world.deliver_all()
    (failure,) = state(api, told["id"])["failures"]
    assert (failure["code"], failure["what"]) == ("unsupported_format", None)
    assert api.world.job(failure["job"]).status == "failed"


def test_a_shop_that_is_down_for_a_while_is_asked_again(api: Service) -> None:
    shop_of(api).answers[f"{SHOP}/A.jpg"] = [TransientError("shop.example answered 503"), jpeg_bytes()]
    told = post(api, rows("A"))
    api.world.deliver()
    assert state(api, told["id"])["waiting"] == 1
    api.world.deliver_all()
    assert state(api, told["id"])["jobs"]["completed"] == 1
    assert len(shop_of(api).asked) == 2


def test_a_shop_that_stays_down_is_given_up_with_the_reason(api: Service) -> None:
    shop_of(api).answers[f"{SHOP}/A.jpg"] = [TransientError("shop.example answered 503")]
    told = post(api, rows("A", "B"))
    api.world.deliver_all()
    assert shop_of(api).asked.count(f"{SHOP}/A.jpg") == MOST
    done = state(api, told["id"])
    assert (done["status"], done["fetched"], done["refused"]) == ("completed", 1, 1)
    (failure,) = done["failures"]
    assert failure["code"] == "delivery_exhausted"
    assert failure["message"] == f"given up after {MOST} attempts; the first one: shop.example answered 503"


def test_a_cancelled_import_fetches_nothing_more_and_cancels_what_it_began(api: Service) -> None:
    told = post(api, rows("A", "B", "C"))
    shop_of(api).answers[f"{SHOP}/C.jpg"] = [TransientError("busy")]
    api.world.deliver(limit=4)  # the list, and a request for each row
    begun = state(api, told["id"])
    assert (begun["fetched"], begun["waiting"]) == (2, 1)
    answer = api.client.post(f"/v1/batch/{told['id']}/cancel")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "cancelled")
    api.world.deliver_all()
    done = state(api, told["id"])
    assert (done["jobs"]["cancelled"], done["refused"], done["jobs"]["completed"]) == (2, 1, 0)
    assert done["failures"][0]["code"] == "batch_cancelled"
    assert shop_of(api).asked.count(f"{SHOP}/C.jpg") == 1
    assert sweep(api.world.system).driven == 0


def test_cancelling_twice_is_as_once_and_a_finished_import_stays_finished(api: Service) -> None:
    told = post(api, rows("A"))
    api.world.deliver_all()
    for _ in range(2):
        answer = api.client.post(f"/v1/batch/{told['id']}/cancel")
        assert (answer.status_code, answer.get_json()["status"]) == (202, "completed")
        api.world.deliver_all()
    assert state(api, told["id"])["jobs"]["completed"] == 1


# How the list comes


def test_a_table_is_taken_as_text_and_as_a_file_with_columns_of_other_names(api: Service) -> None:
    table = f"Artikel;Bild\r\nA;{SHOP}/a.jpg\r\nB;{SHOP}/b.jpg\r\n;{SHOP}/c.jpg\r\n".encode()
    names = "sku_column=Artikel&url_column=Bild"
    answer = api.client.post(f"/v1/import?{names}", data=table, content_type="text/csv")
    assert answer.get_json()["accepted"] == 2
    assert answer.get_json()["problems"][0]["row"] == 3
    form = {"file": (BytesIO(table), "list.csv"), "sku_column": "Artikel", "url_column": "Bild", "pipeline": "sharpen"}
    second = api.client.post("/v1/import", data=form)
    assert (second.status_code, second.get_json()["accepted"]) == (202, 2)


def test_the_template_is_a_table_that_can_be_imported(api: Service) -> None:
    answer = api.client.get("/v1/import/template.csv")
    assert (answer.mimetype, answer.get_data(as_text=True)) == ("text/csv", TEMPLATE)
    told = api.client.post("/v1/import", data=answer.data, content_type="text/csv").get_json()
    assert (told["accepted"], told["rejected"]) == (2, 0)


def test_a_list_may_stand_under_images_as_other_services_have_it(api: Service) -> None:
    value = {"images": [{"sku_id": "SKU-001", "image_url": f"{SHOP}/1.jpg", "product_group_id": "PG-001"}]}
    assert post(api, value)["accepted"] == 1
    assert post(api, value, "/api/v1/import")["accepted"] == 1


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"[{}, 1]", "application/json", 422, "no_valid_row"),
        (b"[]", "application/json", 422, "no_valid_row"),
        (b'{"rows": []}', "application/json", 422, "no_list"),
        (b"[", "application/json", 400, "not_json"),
        (b"", "text/csv", 422, "bad_table"),
        (b"a,b\n1,2\n", "text/csv", 422, "bad_table"),
        (b"sku_id,image_url\n", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"[1]", "image/jpeg", 415, "unsupported_media_type"),
    ],
)
def test_what_is_no_list_is_refused(api: Service, body: bytes, kind: str, status: int, code: str) -> None:
    answer = api.client.post("/v1/import", data=body, content_type=kind)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_a_list_without_any_valid_row_is_refused_with_every_reason(api: Service) -> None:
    answer = api.client.post("/v1/import", json=[{"sku_id": "A"}, {"image_url": "x"}])
    told = {each["where"]: each["problem"] for each in answer.get_json()["errors"]}
    assert set(told) == {"1.image_url", "2.sku_id", "2.image_url"}


def test_more_rows_than_an_import_may_have_are_refused(api: Service) -> None:
    lines = "".join(f"{number},{SHOP}\n" for number in range(MAX_ROWS + 1))
    answer = api.client.post("/v1/import", data=f"sku_id,image_url\n{lines}", content_type="text/csv")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "too_many_rows")


def test_a_pipeline_that_is_wrong_or_too_long_is_refused_before_anything_is_fetched(api: Service) -> None:
    for pipeline, code in (("nonsense", "unknown_preset"), (json.dumps(_long()), "invalid")):
        answer = api.client.post("/v1/import", query_string={"pipeline": pipeline}, json=rows("A"))
        assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert api.world.broker.pending()["importer-imports"] == 0


def _long() -> dict[str, Any]:
    return {"preset": "product", "stages": {"denoise": {"model": "x" * 5000}}}


def test_a_whole_catalogue_comes_in_parts_and_ends_whole(api: Service) -> None:
    """More rows than one part of the list holds; the pictures are no pictures, so that nothing is developed."""
    shop_of(api).answers = {f"{SHOP}/{number}.jpg": [b"no picture"] for number in range(450)}
    told = post(api, rows(*map(str, range(450))))
    api.world.deliver(limit=100_000)
    done = state(api, told["id"])
    assert (done["status"], done["percent"], done["jobs"]["failed"]) == ("completed", 100.0, 450)
    assert len(done["failures"]) == 100
    assert len(shop_of(api).asked) == 450


# Whose it is


def test_other_peoples_imports_are_404_exactly_as_unknown_ones(api: Service) -> None:
    told = post(api, rows("A"), **api.key("anna", "submitter"))
    for path in ("/v1/import/{}", "/v1/batch/{}", "/api/v1/batch/{}"):
        found = []
        for batch_id in (told["id"], "0" * 24):
            answer = api.client.get(path.format(batch_id), headers=api.key("ben", "submitter"))
            assert answer.status_code == 404
            problem = answer.get_json()
            found.append({**problem, "request_id": "", "detail": problem["detail"].replace(batch_id, "ID")})
        assert found[0] == found[1]
    assert state(api, told["id"], **api.key("rita", "reviewer"))["owner"] == "anna"
    cancel = f"/v1/batch/{told['id']}/cancel"
    assert api.client.post(cancel, headers=api.key("ben", "submitter")).status_code == 404
    assert api.client.post(cancel, headers=api.key("rita", "reviewer")).status_code == 403
    assert api.client.post(cancel, headers=api.key("anna", "submitter")).status_code == 202


@pytest.mark.parametrize("batch_id", ["", "x", "0" * 23, "0" * 25, "..", "%2e%2e", "0" * 23 + "G"])
def test_what_is_no_id_is_404(api: Service, batch_id: str) -> None:
    assert api.client.get(f"/v1/import/{batch_id}").status_code in (404, 405)


def test_a_message_for_a_batch_that_is_gone_is_dropped(api: Service) -> None:
    api.world.broker.publish("batches", *encode(PageRequested(batch_id="0" * 24, page=0, room=1)))
    api.world.deliver_all()
    assert api.world.broker.dead_letters() == []
