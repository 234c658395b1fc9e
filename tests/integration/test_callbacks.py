"""Whoever wants to hear of a job is told when it has ended: signed, at least once, on the public internet only."""

import base64
import hashlib
import hmac
import http.server
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from functions_framework import create_app

from darkroom.domain.envelope import decode, encode
from darkroom.domain.errors import BadMessage, ConfigurationError, PermanentError, TransientError
from darkroom.domain.messages import ObjectRef, Upload
from darkroom.domain.topology import SUBSCRIPTIONS
from darkroom.domain.webhooks import CallbackDue, callback_key, signed_headers
from darkroom.handlers.webhooks import deliver_callback
from darkroom.runtime.bootstrap import LocalParts, local_parts, system
from darkroom.runtime.settings import Settings
from tests.api_client import Service, service
from tests.contract.jobs import START, make_job
from tests.pictures import jpeg_bytes

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT / "functions" / "importer" / "main.py"
TESTED = ROOT / "tests" / "importer_main.py"
HOOK = "https://shop.example/hook?shop=1"
MOST = next(each.max_attempts for each in SUBSCRIPTIONS if each.name == "importer-callbacks")


class Listener:
    """Takes what is posted, unless it has a reason not to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes, dict[str, str]]] = []
        self.reasons: list[Exception] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.heard.append((url, body, dict(headers)))
        if self.reasons:
            raise self.reasons.pop(0)


@pytest.fixture
def api() -> Service:
    made = service(Settings(signing_key="k" * 32))
    made.world.post = Listener()
    return made


def listener(api: Service) -> Listener:
    assert isinstance(api.world.post, Listener)
    return api.world.post


def post(api: Service, data: bytes | None = None, **more: Any) -> str:
    answer = api.post_job(data, callback_url=HOOK, **more)
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return str(answer.get_json()["id"])


def events(api: Service) -> list[str]:
    return [json.loads(body)["event"] for _, body, _ in listener(api).heard]


def test_a_completed_job_is_told_once_with_what_one_wants_to_know(api: Service) -> None:
    job_id = post(api, labels='{"sku_id": "A"}', pipeline="optimize")
    assert events(api) == []
    api.world.deliver_all()
    ((url, body, headers),) = listener(api).heard
    job, told = api.world.job(job_id), json.loads(body)
    assert (url, told["event"], told["job"]["id"]) == (HOOK, "job.completed", job_id)
    assert (told["job"]["qc_status"], told["job"]["labels"]) == (job.qc_status, {"sku_id": "A"})
    assert api.client.get(told["job"]["result"]).status_code == 200
    assert headers["Darkroom-Event-Id"] == told["event_id"]


def test_the_signature_can_be_checked_with_the_key_that_the_api_tells(api: Service) -> None:
    anna, ben = api.key("anna", "submitter"), api.key("ben", "submitter")
    post(api, headers=anna, pipeline="optimize")
    api.world.deliver_all()
    ((_, body, headers),) = listener(api).heard
    key = api.client.get("/v1/callback-key", headers=anna).get_json()["key"]
    expected = hmac.new(key.encode(), headers["Darkroom-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["Darkroom-Signature"] == f"v1={expected}"
    assert headers["Darkroom-Timestamp"] == str(int(api.world.clock.now().timestamp()))
    assert api.client.get("/v1/callback-key", headers=ben).get_json()["key"] != key
    assert "k" * 32 not in key


def test_another_body_moment_or_owner_has_another_signature() -> None:
    key = callback_key("secret", "anna")
    signed = signed_headers(key, b"{}", event_id="e", now=START)["Darkroom-Signature"]
    others = [
        signed_headers(key, b"{ }", event_id="e", now=START),
        signed_headers(key, b"{}", event_id="e", now=START.replace(year=2025)),
        signed_headers(callback_key("secret", "ben"), b"{}", event_id="e", now=START),
        signed_headers(callback_key("other", "anna"), b"{}", event_id="e", now=START),
    ]
    assert signed not in [each["Darkroom-Signature"] for each in others]


def test_jobs_that_fail_or_are_cancelled_are_told_too(api: Service) -> None:
    post(api, pipeline='{"stages": [{"stage": "denoise", "model": "nonsense"}]}')
    api.world.deliver_all()
    cancelled = post(api)
    api.client.post(f"/v1/jobs/{cancelled}/cancel")
    api.world.deliver_all()
    assert set(events(api)) == {"job.failed", "job.cancelled"}
    failed = next(body for _, body, _ in listener(api).heard if b"job.failed" in body)
    assert json.loads(failed)["job"]["error"]["code"] == "model_unknown"


def test_each_run_is_told_by_itself_and_each_attempt_under_the_same_id(api: Service) -> None:
    job_id = post(api, pipeline="optimize")
    listener(api).reasons = [TransientError("shop.example answered 503"), TransientError("and again")]
    api.world.deliver_all()
    ids = [headers["Darkroom-Event-Id"] for _, _, headers in listener(api).heard]
    assert (len(ids), len(set(ids))) == (3, 1)
    api.client.post(f"/v1/jobs/{job_id}/rework", json={"pipeline": "sharpen"})
    api.world.deliver_all()
    assert [json.loads(body)["job"]["run"] for _, body, _ in listener(api).heard] == [1, 1, 1, 2]
    assert listener(api).heard[-1][2]["Darkroom-Event-Id"] != ids[0]


def test_who_refuses_is_not_asked_again_and_the_history_says_so(api: Service) -> None:
    job_id = post(api, pipeline="optimize")
    listener(api).reasons = [PermanentError("shop.example answered 404")]
    api.world.deliver_all()
    assert len(listener(api).heard) == 1
    last = api.world.job(job_id).history[-1]
    assert (last.action, last.text) == ("callback_failed", "refused: shop.example answered 404")
    assert api.world.job(job_id).status == "completed"


def test_who_never_answers_is_given_up_and_the_history_says_so(api: Service) -> None:
    job_id = post(api, pipeline="optimize")
    listener(api).reasons = [TransientError("no answer")] * 100
    api.world.deliver_all()
    assert len(listener(api).heard) == MOST
    last = api.world.job(job_id).history[-1]
    assert (last.action, last.text) == ("callback_failed", f"given up after {MOST} attempts")


def test_nobody_is_told_without_asking(api: Service) -> None:
    api.finished_job()
    assert listener(api).heard == []


@pytest.mark.parametrize("url", ["ftp://shop.example/", "https://me:secret@shop.example/", "nonsense", "https://a b/"])
def test_what_is_no_url_is_refused_when_it_is_asked_for(api: Service, url: str) -> None:
    answer = api.client.post("/v1/jobs", query_string={"callback_url": url}, data=jpeg_bytes())
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid")
    assert b"secret" not in answer.data


def test_without_a_key_there_are_no_callbacks() -> None:
    api = service(Settings(backend="gcp", project="p"))
    ada = api.key("ada", "admin")
    for answer in (api.post_job(callback_url=HOOK, headers=ada), api.client.get("/v1/callback-key", headers=ada)):
        assert (answer.status_code, answer.get_json()["code"]) == (422, "callbacks_off")
    job = make_job(status="completed", source=_wanting(HOOK))
    api.world.raw_jobs.create(job)
    with pytest.raises(ConfigurationError, match="signing_key must be set"):
        deliver_callback(api.world.system, due(), post=Listener(), signing_key="")


def test_a_message_that_is_none_is_refused() -> None:
    assert decode(encode(due())[0]) == due()
    with pytest.raises(BadMessage):
        decode(b"{}")


def due() -> CallbackDue:
    return CallbackDue(job_id="job-1", run=1, status="completed")


def _wanting(url: str) -> Upload:
    ref = ObjectRef(bucket="uploads", name="a.jpg", generation=1)
    return Upload(ref=ref, size_bytes=1, metadata={"callback-url": url, "owner": "anna"})


# The real function, over a real network


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, body, dict(self.headers)))  # type: ignore[attr-defined]
        self.send_response(int(self.path.strip("/")))
        self.send_header("Location", "http://inside.example/200")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bytes, dict[str, str]]]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.heard = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("SHOP_PORT", str(server.server_port))
    yield server.heard  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalParts]:
    """The adapters of a home that the function uses, because the environment names it."""
    monkeypatch.setenv("DARKROOM_HOME", str(tmp_path / "home"))
    # `create_app` changes these, and the other tests want them back.
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("FUNCTION_TARGET", "")
    monkeypatch.setenv("FUNCTION_SIGNATURE_TYPE", "http")
    system.cache_clear()
    yield local_parts(Settings(home=tmp_path / "home"))
    system.cache_clear()


def pushed(parts: LocalParts, url: str, source: Path = TESTED) -> int:
    """The status with which the function answers, for a job that wants to be told of at this URL."""
    parts.jobs.create(make_job(status="completed", owner="anna", source=_wanting(url)))
    data, attributes = encode(due())
    told = {"data": base64.b64encode(data).decode(), "messageId": "17", "attributes": attributes}
    app = create_app(target="on_callback", source=str(source))
    app.testing = False
    body = json.dumps({"subscription": "projects/p/subscriptions/s", "message": told})
    return int(app.test_client().post("/", data=body, headers={"Content-Type": "application/json"}).status_code)


def test_the_function_posts_what_it_signs(parts: LocalParts, heard: list[tuple[str, bytes, dict[str, str]]]) -> None:
    assert pushed(parts, "http://shop.example/204") == 200
    ((path, body, headers),) = heard
    assert (path, headers["Host"], headers["Content-Type"]) == ("/204", "shop.example", "application/json")
    from darkroom.auth.signing import signing_key

    key = callback_key(signing_key(system().settings), "anna")
    expected = hmac.new(key.encode(), headers["Darkroom-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["Darkroom-Signature"] == f"v1={expected}"


@pytest.mark.parametrize(("status", "answer"), [(404, 200), (302, 200), (503, 500), (429, 500)])
def test_what_may_pass_is_delivered_again_and_a_redirect_is_not_followed(
    parts: LocalParts, heard: list[tuple[str, bytes, dict[str, str]]], status: int, answer: int
) -> None:
    assert pushed(parts, f"http://shop.example/{status}") == answer
    assert len(heard) == 1
    noted = [entry.text for entry in parts.jobs.get("job-1").history if entry.action == "callback_failed"]
    assert noted == ([] if answer == 500 else [f"refused: shop.example answered {status}"])


@pytest.mark.parametrize(
    ("url", "source"),
    [("http://inside.example/200", TESTED), ("http://127.0.0.1/200", REAL), ("http://[::1]/200", REAL)],
)
def test_nobody_inside_is_told(
    parts: LocalParts, heard: list[tuple[str, bytes, dict[str, str]]], url: str, source: Path
) -> None:
    assert pushed(parts, url, source) == 200
    assert heard == []
    assert "is not on the public internet" in parts.jobs.get("job-1").history[-1].text
