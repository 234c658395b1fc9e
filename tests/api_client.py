"""The API over a world in memory, and the ways in which tests ask it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from darkroom.api.core.application import Api
from darkroom.auth.keys import Keys
from darkroom.auth.roles import Role
from darkroom.runtime.settings import Settings
from tests.pictures import jpeg_bytes
from tests.world import World, memory_world

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]


def refused_fetch(url: str) -> bytes:
    """Stands for the network, which tests have none of."""
    raise AssertionError(f"nobody was to fetch {url}")


@dataclass
class Service:
    """A world, the API over it, and a client that sits at the same computer."""

    world: World
    api: Api
    client: FlaskClient
    keys: Keys
    tokens: dict[str, str] = field(default_factory=dict)
    batches: list[str] = field(default_factory=list)

    def key(self, owner: str, role: Role) -> dict[str, str]:
        """The header of a new key; the same one for the same owner and role."""
        name = f"{owner}/{role}"
        if name not in self.tokens:
            self.tokens[name] = self.keys.create(owner, role)[1]
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    def post_job(self, data: bytes | None = None, **more: Any) -> TestResponse:
        """A photograph as a job; the fields of its form, and `headers`, by name."""
        headers = more.pop("headers", {})
        form = {"file": (BytesIO(jpeg_bytes() if data is None else data), "cat.jpg"), "pipeline": "denoise", **more}
        return self.client.post("/v1/jobs", data=form, headers=headers)

    def any_job(self) -> str:
        """The id of a job that needs a review, made if there is none."""
        found = self.client.get("/api/v1/qc/pending").get_json()["pending"]
        if found:
            return str(found[0]["job"]["id"])
        return self.finished_job(pipeline='{"preset": "denoise", "qc_threshold": 100}')

    def any_batch(self) -> str:
        """The id of an import, made if there is none."""
        if not self.batches:
            rows = [{"sku_id": "A", "image_url": "http://shop.example/a.jpg"}]
            self.batches.append(self.client.post("/v1/import?pipeline=optimize", json=rows).get_json()["id"])
        return self.batches[0]

    def finished_job(self, **more: Any) -> str:
        """The id of a job that has gone all its way."""
        job_id: str = self.post_job(**more).get_json()["id"]
        self.world.deliver_all()
        return job_id


def flask_app(api: Api) -> Flask:
    """An application that hands every request to the API, as functions-framework does."""
    app = Flask("api")

    def view(path: str) -> Any:
        return api.answer(request._get_current_object())

    app.add_url_rule("/", "root", view, defaults={"path": ""}, methods=METHODS)
    app.add_url_rule("/<path:path>", "path", view, methods=METHODS)
    app.register_error_handler(404, lambda _error: view(""))
    return app


def service(
    settings: Settings | None = None, *, fetch: Callable[[str], bytes] = refused_fetch, slots: int = 2
) -> Service:
    """A new service in memory."""
    world = memory_world(settings=settings)
    system = world.system
    api = Api.of(system, fetch=fetch, slots=slots)
    keys = Keys(objects=system.objects, bucket=system.settings.keys_bucket, clock=system.clock)
    return Service(world=world, api=api, client=flask_app(api).test_client(), keys=keys)
