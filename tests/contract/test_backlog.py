"""The age of a backlog, as Cloud Monitoring tells it over HTTP."""

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from darkroom.adapters.backlog import PubsubBacklog
from darkroom.domain.errors import TransientError
from tests.fakes.memory import ManualClock

NOW = ManualClock().now()


class Monitoring:
    """A server that answers as projects.timeSeries.list does."""

    def __init__(self) -> None:
        self.pages: list[dict[str, Any]] = []
        self.asked: list[dict[str, list[str]]] = []
        self.paths: list[str] = []
        self.status = 200
        monitoring = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                monitoring.paths.append(urlsplit(self.path).path)
                monitoring.asked.append(parse_qs(urlsplit(self.path).query))
                body = json.dumps(monitoring.pages[len(monitoring.asked) - 1] if monitoring.pages else {}).encode()
                self.send_response(monitoring.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def backlog(self) -> PubsubBacklog:
        url = f"http://127.0.0.1:{self.server.server_port}"
        return PubsubBacklog("my-project", session=requests.Session(), url=url, clock=ManualClock())


@pytest.fixture
def monitoring() -> Iterator[Monitoring]:
    served = Monitoring()
    thread = Thread(target=served.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


def series(subscription: str, *ages_s: int) -> dict[str, Any]:
    """The points of a subscription, newest first, as in the service's reference."""
    moments = [f"{NOW - timedelta(seconds=120 + 60 * n):%Y-%m-%dT%H:%M:%SZ}" for n in range(len(ages_s))]
    return {
        "metric": {"type": "pubsub.googleapis.com/subscription/oldest_unacked_message_age"},
        "resource": {
            "type": "pubsub_subscription",
            "labels": {"project_id": "my-project", "subscription_id": subscription},
        },
        "metricKind": "GAUGE",
        "valueType": "INT64",
        "points": [
            {
                "interval": {"startTime": measured_at, "endTime": measured_at},
                "value": {"int64Value": str(age)},
            }
            for measured_at, age in zip(moments, ages_s, strict=True)
        ],
    }


def test_the_oldest_message_is_as_old_as_the_newest_point_says(monitoring: Monitoring) -> None:
    monitoring.pages = [{"timeSeries": [series("stage-denoise", 3600, 3540), series("stage-assess", 0, 500)]}]
    assert monitoring.backlog().waiting_since() == {"stage-denoise": NOW - timedelta(seconds=3720)}


def test_all_pages_are_read_and_one_figure_of_all_subscriptions_is_asked_for(monitoring: Monitoring) -> None:
    monitoring.pages = [
        {"timeSeries": [series("stage-denoise", 60)], "nextPageToken": "next"},
        {"timeSeries": [series("stage-finish", 60)]},
    ]
    assert set(monitoring.backlog().waiting_since() or {}) == {"stage-denoise", "stage-finish"}
    assert monitoring.paths == ["/v3/projects/my-project/timeSeries"] * 2
    assert monitoring.asked[1]["pageToken"] == ["next"]
    assert "oldest_unacked_message_age" in monitoring.asked[0]["filter"][0]
    assert monitoring.asked[0]["interval.endTime"] == [NOW.isoformat()]


def test_a_backlog_that_is_empty_everywhere_is_known_to_be_empty(monitoring: Monitoring) -> None:
    monitoring.pages = [{"timeSeries": [series("stage-denoise", 0)]}]
    assert monitoring.backlog().waiting_since() == {}


@pytest.mark.parametrize("page", [{}, {"timeSeries": []}, {"timeSeries": [series("stage-denoise")]}])
def test_without_any_figure_nobody_knows(monitoring: Monitoring, page: dict[str, Any]) -> None:
    monitoring.pages = [page]
    assert monitoring.backlog().waiting_since() is None


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_an_error_of_the_service_passes(monitoring: Monitoring, status: int) -> None:
    monitoring.status = status
    with pytest.raises(TransientError, match=f"could not read the backlog of project my-project .*{status}"):
        monitoring.backlog().waiting_since()
