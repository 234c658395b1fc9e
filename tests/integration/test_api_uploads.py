"""Photographs that are too large for a request go past it, under a signature."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from darkroom.adapters.gcp.signed_uploads import GcsUploads
from darkroom.runtime.ports import UploadGrant
from darkroom.runtime.settings import Settings
from tests.api_client import Service, service
from tests.photographs import small_jpeg


@pytest.fixture
def here(tmp_path: Any) -> Service:
    return service(Settings(home=tmp_path / "home", max_bytes=50_000))


def sign(here: Service, **wishes: Any) -> dict[str, Any]:
    answer = here.client.post("/v1/uploads", json={"name": "cat.jpg", "pipeline": "denoise", **wishes})
    assert answer.status_code == 201, answer.get_data()
    told: dict[str, Any] = answer.get_json()
    return told


def test_a_signed_photograph_becomes_a_job_with_the_wishes_it_was_signed_with(here: Service) -> None:
    told = sign(here, labels={"shelf": "7"})
    data = small_jpeg(96)
    assert here.client.put(told["url"], data=data, headers=told["headers"]).status_code == 200
    here.world.deliver_all()
    (job,) = here.client.get(told["job"]).get_json()["jobs"]
    assert (job["status"], job["display_name"]) == ("completed", "cat.jpg")
    assert job["labels"] == {"shelf": "7", "upload": told["id"]}


def test_an_upload_in_pieces_goes_on_where_it_stopped(here: Service) -> None:
    told, data = sign(here, resumable=True), small_jpeg(96)
    begun = here.client.post(told["url"], headers=told["headers"])
    assert begun.status_code == 201
    where, half = begun.headers["Location"], len(data) // 2
    first = put_piece(here, where, data[:half], f"bytes 0-{half - 1}/{len(data)}")
    assert (first.status_code, first.headers["Range"]) == (308, f"bytes=0-{half - 1}")
    assert put_piece(here, where, b"", f"bytes */{len(data)}").headers["Range"] == f"bytes=0-{half - 1}"
    again = put_piece(here, where, data[half - 10 :], f"bytes {half - 10}-{len(data) - 1}/{len(data)}")
    assert again.get_json()["size_bytes"] == len(data)
    (stored,) = here.world.system.objects.list("uploads")
    assert here.world.system.objects.read(stored.ref) == data


def put_piece(here: Service, where: str, data: bytes, content_range: str) -> Any:
    return here.client.put(where, data=data, headers={"Content-Range": content_range})


def test_a_piece_that_leaves_a_gap_is_refused_and_nothing_is_lost(here: Service) -> None:
    told = sign(here, resumable=True)
    where = here.client.post(told["url"], headers=told["headers"]).headers["Location"]
    put_piece(here, where, b"0123456789", "bytes 0-9/40")
    refused = put_piece(here, where, b"0123456789", "bytes 20-29/40")
    assert refused.status_code == 400
    assert "byte 20" in refused.get_json()["detail"]
    assert put_piece(here, where, b"", "bytes */40").headers["Range"] == "bytes=0-9"


@pytest.mark.parametrize(("size", "status"), [(50_000, 200), (50_001, 413)])
def test_no_upload_exceeds_the_limit_of_uploads(here: Service, size: int, status: int) -> None:
    told = sign(here)
    answer = here.client.put(told["url"], data=small_jpeg(32).ljust(size, b"\0"), headers=told["headers"])
    assert answer.status_code == status
    assert len(list(here.world.system.objects.list("uploads"))) == (status == 200)


def test_a_size_above_the_limit_is_refused_before_anything_is_sent(here: Service) -> None:
    answer = here.client.post("/v1/uploads", json={"size_bytes": 50_001})
    assert (answer.status_code, answer.get_json()["limit"]) == (413, 50_000)


def test_a_signature_is_good_for_one_object_once_and_not_for_ever(here: Service) -> None:
    told, data = sign(here), small_jpeg(32)
    assert here.client.put(told["url"], data=data).status_code == 200
    assert here.client.put(told["url"], data=data).status_code == 409
    late = sign(here)
    here.world.clock.advance(3601)
    assert here.client.put(late["url"], data=data).status_code == 404


@pytest.mark.parametrize(
    "change", [lambda url: url[:-9] + ("A" if url[-9] != "A" else "B") + url[-8:], lambda url: url + "x"]
)
def test_a_signature_that_was_tampered_with_is_none(here: Service, change: Any) -> None:
    answer = here.client.put(change(sign(here)["url"]), data=small_jpeg(32))
    assert (answer.status_code, answer.get_json()["code"]) == (404, "object_not_found")


def test_an_upload_belongs_to_whoever_had_it_signed(here: Service) -> None:
    key = here.key("ada", "submitter")
    told = here.client.post("/v1/uploads", json={"name": "a.jpg"}, headers=key).get_json()
    here.client.put(told["url"], data=small_jpeg(64))
    here.world.deliver_all()
    assert len(here.client.get(told["job"], headers=key).get_json()["jobs"]) == 1
    assert here.client.get(told["job"], headers=here.key("bob", "submitter")).get_json()["jobs"] == []


def test_names_that_cannot_travel_in_a_header_are_refused_with_advice(here: Service) -> None:
    answer = here.client.post("/v1/uploads", json={"name": "Straße.jpg"})
    assert answer.status_code == 422
    assert "display-name" in answer.get_json()["detail"]


@pytest.fixture(scope="module")
def account() -> Any:
    """A service account with a key of its own, which nobody knows."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from google.oauth2.service_account import Credentials

    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    info = {"client_email": "fn-api@example.iam.gserviceaccount.com", "token_uri": "http://127.0.0.1:9/none"}
    return Credentials.from_service_account_info({**info, "private_key": pem.decode()})


@pytest.mark.parametrize("resumable", [False, True])
def test_what_cloud_storage_is_asked_for_is_bound_by_the_signature(account: Any, resumable: bool) -> None:
    from google.cloud.storage import Client

    expires_at = datetime.now(UTC) + timedelta(hours=1)
    grant = UploadGrant(
        bucket="uploads",
        name="api/1",
        content_type="image/jpeg",
        metadata={"owner": "ada", "pipeline": '{"preset": "denoise"}'},
        max_bytes=100_000_000,
        expires_at=expires_at,
        resumable=resumable,
    )
    signed = GcsUploads("project", client=Client("project", credentials=account)).sign(grant)
    assert signed.method == ("POST" if resumable else "PUT")
    assert signed.url.startswith("https://storage.googleapis.com/uploads/api/1?")
    bound = signed.url.split("X-Goog-SignedHeaders=")[1].split("&")[0].split("%3B")
    assert {name.lower() for name in signed.headers} <= set(bound)
    assert signed.headers["x-goog-content-length-range"] == "0,100000000"
    assert signed.headers["x-goog-if-generation-match"] == "0"
    assert json.loads(signed.headers["x-goog-meta-pipeline"]) == {"preset": "denoise"}
