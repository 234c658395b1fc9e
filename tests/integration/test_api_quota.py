"""A limit of photographs holds for requests at the same time, signed uploads and imports, and no place is lost."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from darkroom.api.routes.uploads import LIFETIME, RESUMABLE_LIFETIME
from darkroom.auth.keys import Keys
from darkroom.domain.errors import PermanentError, TransientError
from darkroom.domain.quota import Reservation
from darkroom.handlers.quota import MAX_ENTRIES, reserve
from darkroom.local_cloud.api_server import ApiServer, listen
from darkroom.runtime.bootstrap import local_parts
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.settings import Settings
from tests.api_client import Service, service
from tests.pictures import jpeg_bytes

LIMIT = 3
ROWS = [{"sku_id": str(number), "image_url": f"http://shop.example/{number}.jpg"} for number in range(LIMIT)]


@pytest.fixture
def api() -> Service:
    return service(Settings(owner_limit=LIMIT))


@pytest.fixture
def anna(api: Service) -> dict[str, str]:
    return api.key("anna", "submitter")


def post(api: Service, headers: dict[str, str], **more: Any) -> int:
    return api.post_job(headers=headers, pipeline='{"stages": []}', **more).status_code


def sign(api: Service, headers: dict[str, str], **more: Any) -> Any:
    return api.client.post("/v1/uploads", json={"pipeline": {"stages": []}, **more}, headers=headers)


def upload(api: Service, signed: dict[str, Any]) -> str:
    """Drop what was signed, and return the id of its job."""
    path = str(signed["object"])
    metadata = {"owner": "anna", "label-upload": str(signed["id"]), "pipeline": '{"stages": []}'}
    job_id = api.world.drop(path, jpeg_bytes(), **metadata)
    api.world.deliver_all()
    return job_id


def entries(api: Service) -> int:
    return len(api.world.system.reservations.get("anna").entries)


def kept(api: Service) -> int:
    return api.world.raw_jobs.count(JobQuery(owner="anna"))


def test_a_post_takes_one_place_and_holds_no_reservation_afterwards(api: Service, anna: dict[str, str]) -> None:
    assert [post(api, anna) for _ in range(LIMIT + 1)] == [202] * LIMIT + [403]
    assert (kept(api), entries(api)) == (LIMIT, 0)


def test_a_post_that_fails_gives_its_place_back(api: Service, anna: dict[str, str]) -> None:
    assert [post(api, anna, data=b"no picture") for _ in range(LIMIT + 1)] == [415] * (LIMIT + 1)
    missing = '{"output": {"background_object": "nothing.jpg"}}'
    assert api.post_job(headers=anna, pipeline=missing).status_code == 404
    assert entries(api) == 0
    assert [post(api, anna) for _ in range(LIMIT + 1)] == [202] * LIMIT + [403]


def test_deleting_a_job_gives_its_place_back(api: Service, anna: dict[str, str]) -> None:
    ids = [api.finished_job(headers=anna, pipeline='{"stages": []}') for _ in range(LIMIT)]
    assert post(api, anna) == 403
    assert api.client.delete(f"/v1/jobs/{ids[0]}", headers=anna).status_code == 200
    assert [post(api, anna), post(api, anna)] == [202, 403]


def test_the_same_key_again_is_the_same_job_even_when_no_place_is_left(api: Service, anna: dict[str, str]) -> None:
    with_key = {**anna, "Idempotency-Key": "a"}
    first = api.post_job(headers=with_key).get_json()["id"]
    for _ in range(LIMIT - 1):
        assert post(api, anna) == 202
    assert api.post_job(headers=with_key).get_json()["id"] == first
    assert post(api, {**anna, "Idempotency-Key": "b"}) == 403


def test_signed_uploads_count_when_they_are_signed(api: Service, anna: dict[str, str]) -> None:
    assert [sign(api, anna).status_code for _ in range(LIMIT + 1)] == [201] * LIMIT + [403]
    assert post(api, anna) == 403


def test_a_signed_upload_counts_once_whether_it_has_arrived_or_not(api: Service, anna: dict[str, str]) -> None:
    signed = [sign(api, anna).get_json() for _ in range(LIMIT)]
    for each in signed:
        upload(api, each)
        assert sign(api, anna).status_code == 403
    assert kept(api) == LIMIT


@pytest.mark.parametrize(("resumable", "lifetime"), [(False, LIFETIME), (True, 2 * RESUMABLE_LIFETIME)])
def test_signed_uploads_that_do_not_come_give_their_places_back(
    api: Service, anna: dict[str, str], resumable: bool, lifetime: Any
) -> None:
    for _ in range(LIMIT):
        sign(api, anna, resumable=resumable)
    api.world.clock.advance(lifetime.total_seconds() - 1)
    assert sign(api, anna).status_code == 403
    api.world.clock.advance(1)
    assert sign(api, anna).status_code == 201


def test_a_signature_serves_no_second_photograph_after_the_first_was_deleted(
    api: Service, anna: dict[str, str]
) -> None:
    signed = sign(api, anna).get_json()
    job_id = upload(api, signed)
    assert api.client.delete(f"/v1/jobs/{job_id}", headers=anna).status_code == 200
    assert [post(api, anna) for _ in range(LIMIT + 1)] == [202] * LIMIT + [403], "its place is free"
    upload(api, signed)
    assert kept(api) == LIMIT


def test_a_signature_that_cannot_be_made_takes_no_place(api: Service, anna: dict[str, str]) -> None:
    for _ in range(LIMIT + 1):
        assert sign(api, anna, display_name="ä").status_code == 422
    assert entries(api) == 0


def test_an_import_takes_a_place_for_every_row(api: Service, anna: dict[str, str]) -> None:
    def start() -> int:
        return api.client.post('/v1/import?pipeline={"stages": []}', json=ROWS, headers=anna).status_code

    assert [start(), start()] == [202, 403]
    assert post(api, anna) == 403


def test_rows_of_an_import_count_once_and_refused_ones_no_more(api: Service, anna: dict[str, str]) -> None:
    def fetch(url: str) -> bytes:
        if url.endswith("0.jpg"):
            raise PermanentError("there is nothing", code="url_failed")
        return jpeg_bytes()

    api.world.fetch = fetch
    assert api.client.post('/v1/import?pipeline={"stages": []}', json=ROWS, headers=anna).status_code == 202
    api.world.deliver_all()
    assert kept(api) == LIMIT - 1
    assert [post(api, anna), post(api, anna)] == [202, 403]


def test_a_deleted_picture_of_an_import_that_is_not_done_gives_its_place_back(
    api: Service, anna: dict[str, str]
) -> None:
    def fetch(url: str) -> bytes:
        if url.endswith("0.jpg"):
            raise TransientError("the shop is down")
        return jpeg_bytes()

    api.world.fetch = fetch
    assert api.client.post('/v1/import?pipeline={"stages": []}', json=ROWS, headers=anna).status_code == 202
    api.world.deliver()
    jobs = api.world.raw_jobs.query(JobQuery(owner="anna")).jobs
    assert len(jobs) == LIMIT - 1
    assert post(api, anna) == 403
    assert api.client.delete(f"/v1/jobs/{jobs[0].id}", headers=anna).status_code == 200
    assert [post(api, anna), post(api, anna)] == [202, 403]


def test_a_place_that_a_dead_process_held_is_free_when_it_expires(api: Service, anna: dict[str, str]) -> None:
    system = api.world.system
    expires_at = api.world.clock.advance(0)
    lost = Reservation(object="api/lost", expires_at=expires_at.replace(minute=10))
    assert reserve(system, "anna", lost, limit=LIMIT).id is not None
    assert [post(api, anna) for _ in range(LIMIT)] == [202] * (LIMIT - 1) + [403]
    api.world.clock.advance(600)
    assert post(api, anna) == 202


def test_a_place_whose_process_died_after_the_job_was_stored_counts_no_more(api: Service, anna: dict[str, str]) -> None:
    system = api.world.system
    lost = Reservation(object="api/lost", expires_at=api.world.clock.now().replace(minute=10))
    assert reserve(system, "anna", lost, limit=LIMIT).id is not None
    api.world.drop("api/lost", jpeg_bytes(), owner="anna", pipeline='{"stages": []}')
    api.world.deliver_all()
    assert [post(api, anna) for _ in range(LIMIT)] == [202] * (LIMIT - 1) + [403]


def test_reviewers_and_admins_have_no_limit_and_leave_no_reservation(api: Service) -> None:
    reviewer = api.key("anna", "reviewer")
    assert [post(api, reviewer) for _ in range(LIMIT + 1)] == [202] * (LIMIT + 1)
    assert entries(api) == 0


def test_an_owner_holds_no_more_reservations_than_a_document_takes() -> None:
    api = service()
    system, expires_at = api.world.system, api.world.clock.now().replace(minute=10)
    full = {str(n): Reservation(object=f"api/{n:032}", expires_at=expires_at) for n in range(MAX_ENTRIES)}
    held = system.reservations.get("anna").model_copy(update={"entries": full})
    system.reservations.save(held)
    assert len(held.model_dump_json()) < 1_000_000
    assert reserve(system, "anna", Reservation(object="api/x", expires_at=expires_at), limit=10**6).id is None


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Settings]]:
    """The API as `darkroom up` serves it, over SQLite."""
    home: Path = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, owner_limit=LIMIT, api_rate_per_minute=100_000)
    (home / "logs").mkdir()
    server = ApiServer(settings, listen(0))
    server.start()
    yield f"http://127.0.0.1:{server.port}", settings
    server.stop()


@pytest.mark.parametrize("way", ["jobs", "uploads", "both"])
def test_of_many_requests_at_the_same_moment_exactly_as_many_succeed_as_the_limit_allows(
    served: tuple[str, Settings], way: str
) -> None:
    url, settings = served
    parts = local_parts(settings)
    keys = Keys(objects=parts.objects, bucket=settings.keys_bucket, clock=service().world.clock)
    token = keys.create(way, "submitter")[1]
    headers = {"Authorization": f"Bearer {token}"}

    def ask(number: int) -> int:
        if way == "uploads" or (way == "both" and number % 2):
            return requests.post(f"{url}/v1/uploads", json={"pipeline": "denoise"}, headers=headers).status_code
        data = {"pipeline": json.dumps({"stages": []})}
        files = {"file": ("a.jpg", jpeg_bytes())}
        return requests.post(f"{url}/v1/jobs", data=data, files=files, headers=headers).status_code

    with ThreadPoolExecutor(16) as pool:
        found = Counter(pool.map(ask, range(24)))
    assert found[403] == 24 - LIMIT, found
    assert found[201] + found[202] == LIMIT
    assert parts.jobs.count(JobQuery(owner=way)) == found[202]
