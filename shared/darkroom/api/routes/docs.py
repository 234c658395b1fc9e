"""The description for machines and the one for people, as routes."""

import json

from darkroom.api.core.openapi import document
from darkroom.api.core.routing import Answer, Call, Outcome, Route
from darkroom.api.pages.reference import POLICY, render


def openapi_json(_call: Call) -> Answer:
    """The OpenAPI document."""
    return Answer(content=json.dumps(document(), ensure_ascii=False).encode())


def docs(_call: Call) -> Answer:
    """The description as a page."""
    page = render(document()).encode()
    return Answer(content=page, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY})


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/openapi.json",
        name="openapi",
        summary="This description, for machines",
        access="anyone",
        handler=openapi_json,
        outcomes=(Outcome(what="the document", media=("application/json",)),),
    ),
    Route(
        method="GET",
        path="/docs",
        name="docs",
        summary="This description, for people; works offline",
        access="anyone",
        handler=docs,
        outcomes=(Outcome(what="the page", media=("text/html",)),),
    ),
)
