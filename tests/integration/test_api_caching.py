"""Clients load a response again only if it has changed, and only the part that they miss."""

import gzip
import json
from email.utils import parsedate_to_datetime

import pytest

from tests.api_client import Service, service

YEAR = "private, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def api() -> Service:
    return service()


@pytest.fixture(scope="module")
def job(api: Service) -> str:
    return f"/v1/jobs/{api.finished_job(pipeline='optimize')}"


FILES = ["result", "original", "thumbnail?side=32", "thumbnail?side=32&of=original", "stages/1"]


@pytest.mark.parametrize("file", FILES)
def test_a_client_that_has_a_picture_does_not_get_it_again(api: Service, job: str, file: str) -> None:
    first = api.client.get(f"{job}/{file}")
    assert (first.status_code, first.headers["Cache-Control"]) == (200, "private, no-cache")
    again = api.client.get(f"{job}/{file}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert api.client.get(f"{job}/{file}", headers={"If-None-Match": '"another"'}).data == first.data


def test_a_known_thumbnail_is_not_made_again(api: Service, job: str) -> None:
    etag = api.client.get(f"{job}/thumbnail").headers["ETag"]
    slots = api.api.app.inference_slots
    taken = [slots.acquire(blocking=False) for _ in range(2)]
    try:
        assert taken == [True, True]  # no slot is free for making one
        assert api.client.get(f"{job}/thumbnail", headers={"If-None-Match": etag}).status_code == 304
    finally:
        slots.release(2)


def test_a_picture_under_its_etag_is_kept_for_a_year(api: Service, job: str) -> None:
    etags = api.client.get(job).get_json()["etags"]
    for of in ("original", "result"):
        for path in (f"{job}/{of}?etag={etags[of]}", f"{job}/thumbnail?of={of}&etag={etags[of]}"):
            assert api.client.get(path).headers["Cache-Control"] == YEAR
        assert api.client.get(f"{job}/{of}?etag=former").headers["Cache-Control"] == "private, no-cache"


def test_a_rework_changes_the_etag_of_the_result_alone() -> None:
    api = service()
    path = f"/v1/jobs/{api.finished_job(pipeline='optimize')}"
    before = api.client.get(path).get_json()["etags"]
    etag = api.client.get(f"{path}/result").headers["ETag"]
    api.client.post(f"{path}/rework", json={"pipeline": "sharpen"})
    api.world.deliver_all()
    after = api.client.get(path).get_json()["etags"]
    assert after["original"] == before["original"]
    assert after["result"] != before["result"]
    assert api.client.get(f"{path}/result", headers={"If-None-Match": etag}).status_code == 200


def test_the_result_of_one_run_is_kept_for_a_year(api: Service, job: str) -> None:
    assert api.client.get(f"{job}/versions/1").headers["Cache-Control"] == YEAR


def test_a_picture_not_modified_since_is_not_sent(api: Service, job: str) -> None:
    modified = api.client.get(f"{job}/result").headers["Last-Modified"]
    assert parsedate_to_datetime(modified).tzinfo is not None
    assert api.client.get(f"{job}/result", headers={"If-Modified-Since": modified}).status_code == 304


def test_a_download_continues_where_it_stopped(api: Service, job: str) -> None:
    whole = api.client.get(f"{job}/result")
    size = len(whole.data)
    assert whole.headers["Accept-Ranges"] == "bytes"
    headers = {"Range": "bytes=100-", "If-Range": whole.headers["ETag"]}
    rest = api.client.get(f"{job}/result", headers=headers)
    assert (rest.status_code, rest.headers["Content-Range"]) == (206, f"bytes 100-{size - 1}/{size}")
    assert rest.data == whole.data[100:]
    changed = api.client.get(f"{job}/result", headers={"Range": "bytes=100-", "If-Range": '"former"'})
    assert (changed.status_code, changed.data) == (200, whole.data)


@pytest.mark.parametrize(
    ("asked", "status"),
    [("bytes=0-0", 206), ("bytes=-5", 206), ("bytes=0-1,4-5", 200), ("lines=1-2", 200), ("bytes", 200)],
)
def test_one_range_of_bytes_is_sent_and_other_ranges_are_ignored(
    api: Service, job: str, asked: str, status: int
) -> None:
    assert api.client.get(f"{job}/result", headers={"Range": asked}).status_code == status


def test_a_range_behind_the_end_is_refused_with_the_size(api: Service, job: str) -> None:
    size = len(api.client.get(f"{job}/result").data)
    refused = api.client.get(f"{job}/result", headers={"Range": f"bytes={size}-"})
    assert (refused.status_code, refused.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert (refused.get_json()["code"], refused.get_json()["limit"]) == ("range_not_satisfiable", size)


def test_a_known_version_goes_before_a_range(api: Service, job: str) -> None:
    etag = api.client.get(f"{job}/result").headers["ETag"]
    asked = {"If-None-Match": etag, "Range": "bytes=0-9"}
    assert api.client.get(f"{job}/result", headers=asked).status_code == 304


def test_an_unexpected_version_is_refused(api: Service, job: str) -> None:
    refused = api.client.get(f"{job}/result", headers={"If-Match": '"former"'})
    assert (refused.status_code, refused.get_json()["code"]) == (412, "precondition_failed")


@pytest.mark.parametrize("file", ["result", "original", "manifest", "thumbnail"])
def test_head_has_the_headers_of_get_and_no_body(api: Service, job: str, file: str) -> None:
    get, head = api.client.get(f"{job}/{file}"), api.client.head(f"{job}/{file}")
    assert (head.status_code, head.data) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/review", "/v1/presets", "/v1/jobs", "/version"])
def test_an_unchanged_document_is_not_sent_again(api: Service, path: str) -> None:
    first = api.client.get(path)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["ETag"].startswith('W/"')
    assert api.client.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/health", "/v1/nothing"])
def test_what_holds_for_a_moment_is_not_kept(api: Service, path: str) -> None:
    assert api.client.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/review", "/v1/stages", "/v1/export.csv"])
def test_a_text_is_compressed_for_a_client_that_can_read_it(api: Service, job: str, path: str) -> None:
    plain = api.client.get(path)
    small = api.client.get(path, headers={"Accept-Encoding": "gzip, br"})
    assert (small.headers["Content-Encoding"], "Content-Encoding" in plain.headers) == ("gzip", False)
    assert gzip.decompress(small.data) == plain.data
    assert "Accept-Encoding" in small.headers.getlist("Vary")


@pytest.mark.parametrize("accepted", ["br", "gzip;q=0", ""])
def test_no_other_client_gets_a_compressed_text(api: Service, accepted: str) -> None:
    plain = api.client.get("/openapi.json", headers={"Accept-Encoding": accepted})
    assert json.loads(plain.data)["openapi"] == "3.1.0"


def test_pictures_and_short_texts_are_not_compressed(api: Service, job: str) -> None:
    for path in (f"{job}/original", "/version"):
        assert "Content-Encoding" not in api.client.get(path, headers={"Accept-Encoding": "gzip"}).headers
