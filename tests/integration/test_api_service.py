"""What there is, how it describes itself, and how it refuses."""

import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from darkroom import __version__
from darkroom.api.core.openapi import described_responses, document, problem_statuses
from darkroom.api.routes.table import ROUTES
from darkroom.domain.errors import TransientError
from darkroom.domain.parameters import PARAMETERS
from darkroom.domain.pipeline import PRESETS
from darkroom.runtime.logs import configure
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.settings import Settings
from tests.api_client import Service, service
from tests.world import memory_world


@pytest.fixture
def api() -> Service:
    return service()


def test_health_tells_version_backend_and_models(api: Service) -> None:
    told = api.client.get("/health").get_json()
    assert told["status"] == "healthy"
    assert (told["version"], told["backend"], told["backend_reachable"]) == (__version__, "local", True)
    assert all(re.fullmatch("[0-9a-f]{64}", model["sha256"]) for model in told["models"])


class DeafJobs:
    """A job store that does not answer."""

    def query(self, query: JobQuery) -> Any:
        raise TransientError("the job store does not answer")


def test_health_is_503_when_the_backend_does_not_answer() -> None:
    from darkroom.api.core.application import Api
    from tests.api_client import flask_app

    world = memory_world(wrap=lambda name, port: DeafJobs() if name == "jobs" else port)
    answer = flask_app(Api.of(world.system)).test_client().get("/health")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "unhealthy")


def test_health_has_no_rate_limit_and_queries_the_backend_once_in_three_seconds() -> None:
    from darkroom.api.core.application import Api
    from tests.api_client import flask_app

    class CountingJobs(DeafJobs):
        queries = 0

        def query(self, query: JobQuery) -> Any:
            self.queries += 1
            return super().query(query)

    jobs = CountingJobs()
    world = memory_world(
        settings=Settings(api_rate_per_minute=1), wrap=lambda name, port: jobs if name == "jobs" else port
    )
    client = flask_app(Api.of(world.system)).test_client()
    assert [client.get("/health").status_code for _ in range(5)] == [503] * 5
    assert jobs.queries == 1
    world.clock.advance(3)
    client.get("/health")
    assert jobs.queries == 2
    assert [client.get("/version").status_code for _ in range(2)] == [200, 429]


def test_what_does_not_answer_is_503_with_the_advice_to_ask_again() -> None:
    from darkroom.api.core.application import Api
    from tests.api_client import flask_app

    world = memory_world(wrap=lambda name, port: DeafJobs() if name == "jobs" else port)
    answer = flask_app(Api.of(world.system)).test_client().get("/v1/jobs")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json()["code"] == "transient"


def test_presets_and_stages_are_those_of_the_code(api: Service) -> None:
    for path in ("/v1/presets", "/v1/pipelines"):
        assert [each["name"] for each in api.client.get(path).get_json()["presets"]] == list(PRESETS)
    stages = api.client.get("/v1/stages").get_json()["stages"]
    assert [each["stage"] for each in stages] == list(PARAMETERS)
    denoise = next(each for each in stages if each["stage"] == "denoise")
    assert denoise["parameters"]["sigma"]["description"].startswith("noise standard deviation")


def test_models_tell_their_licence_and_what_they_were_trained_on(api: Service) -> None:
    models = api.client.get("/v1/models").get_json()["models"]
    assert models
    assert all(model["licence"] and model["training_data"] and model["installed"] for model in models)


def test_a_warm_up_opens_the_default_models(api: Service) -> None:
    defaults = [model["id"] for model in api.client.get("/v1/models").get_json()["models"] if model["default"]]
    assert api.client.post("/v1/warmup").get_json() == {"opened": defaults, "refused": {}}


def test_the_description_and_the_routes_are_one() -> None:
    told = {(m.upper(), path) for path, methods in document()["paths"].items() for m in methods}
    assert told == {(route.method, route.path) for route in ROUTES}
    assert len({route.name for route in ROUTES}) == len(ROUTES)
    for route in ROUTES:
        operation = document()["paths"][route.path][route.method.lower()]
        statuses = {str(status) for status in problem_statuses(route)} | {
            str(o.status) for o in described_responses(route)
        }
        assert set(operation["responses"]) == statuses
        assert operation["security"] == ([] if route.access == "anyone" else [{"key": []}, {"header": []}, {}])


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(each) for each in value.values()))
    return set().union(*(references(each) for each in value)) if isinstance(value, list) else set()


def test_every_reference_of_the_description_leads_to_a_model() -> None:
    known = {f"#/components/schemas/{name}" for name in document()["components"]["schemas"]}
    assert references(document()) <= known


def test_the_description_is_served_as_it_is(api: Service) -> None:
    assert api.client.get("/openapi.json").get_json() == json.loads(json.dumps(document()))


class Page(HTMLParser):
    """What a page loads, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("script", "link", "img", "iframe", "object", "embed") and found.get("href") != "data:,":
            self.loaded.append(tag)
        self.links += [found["href"] or ""] if tag == "a" and "href" in found else []
        self.anchors += [found["id"] or ""] if "id" in found else []


def test_the_page_loads_nothing_names_every_route_and_its_links_lead_somewhere(api: Service) -> None:
    answer = api.client.get("/docs")
    text, page = answer.get_data(as_text=True), Page()
    page.feed(text)
    assert page.loaded == []
    assert [route.path for route in ROUTES if route.path not in text] == []
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside <= set(page.anchors)
    assert len(page.anchors) == len(set(page.anchors))
    assert not any(" " in anchor for anchor in page.anchors)
    assert {link for link in page.links if not link.startswith("#")} == {"openapi.json", "/", "/review"}
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "style-src 'sha256-" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/health", "/docs", "/v1/jobs", "/nothing"])
def test_every_answer_carries_the_security_headers(api: Service, path: str) -> None:
    headers = api.client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in headers


def test_a_request_id_is_kept_if_it_is_one_and_made_otherwise(api: Service) -> None:
    assert api.client.get("/version", headers={"X-Request-Id": "abc-12345"}).headers["X-Request-Id"] == "abc-12345"
    made = api.client.get("/version", headers={"X-Request-Id": "<script>"}).headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{24}", made)


def test_an_unknown_path_is_a_problem_document(api: Service) -> None:
    answer = api.client.get("/v1/nothing")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    told = answer.get_json()
    assert told["type"] == "urn:darkroom:problem:no_such_path"
    assert (told["title"], told["status"], told["code"]) == ("Not Found", 404, "no_such_path")
    assert told["request_id"] == answer.headers["X-Request-Id"]


def test_a_wrong_method_tells_the_right_ones(api: Service) -> None:
    answer = api.client.delete("/v1/jobs")
    assert (answer.status_code, answer.get_json()["code"]) == (405, "wrong_method")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


class BrokenJobs:
    """A job store with a mistake in it."""

    def query(self, query: JobQuery) -> Any:
        raise ZeroDivisionError("the secret reason")


def test_what_nobody_expected_is_logged_once_and_tells_nothing() -> None:
    from darkroom.api.core.application import Api
    from tests.api_client import flask_app

    stream = io.StringIO()
    configure("INFO", stream)
    world = memory_world(wrap=lambda name, port: BrokenJobs() if name == "jobs" else port)
    answer = flask_app(Api.of(world.system)).test_client().get("/v1/jobs")
    text = answer.get_data(as_text=True)
    assert (answer.status_code, answer.get_json()["code"]) == (500, "unexpected")
    assert "secret" not in text
    assert "Traceback" not in text
    (line,) = (json.loads(each) for each in stream.getvalue().splitlines())
    assert (line["severity"], line["event_id"]) == ("ERROR", answer.get_json()["request_id"])
    assert "the secret reason" in line["stack_trace"]


def test_an_origin_that_is_no_origin_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="api_origins contains 'shop"):
        Settings(api_origins="https://a.example, shop.example")


def test_the_openapi_document_names_its_server_and_each_tag_once() -> None:
    found = document()
    used = {tag for path in found["paths"].values() for operation in path.values() for tag in operation["tags"]}
    names = [tag["name"] for tag in found["tags"]]
    assert (sorted(names), found["servers"][0]["url"]) == (sorted(used), "/")
