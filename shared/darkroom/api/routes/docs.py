"""The description for machines and the one for people, as routes."""

import json

from darkroom.api.core.openapi import document
from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.pages.reference import POLICY, render


def openapi_json(_call: RequestContext) -> ApiResponse:
    """The OpenAPI document."""
    return ApiResponse(content=json.dumps(document(), ensure_ascii=False).encode())


def docs(_call: RequestContext) -> ApiResponse:
    """The description as a page."""
    page = render(document()).encode()
    return ApiResponse(
        content=page, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY}
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/openapi.json",
        name="openapi",
        summary="This description, for machines",
        access="anyone",
        handler=openapi_json,
        outcomes=(ResponseSpec(what="the document", media=("application/json",)),),
    ),
    Route(
        method="GET",
        path="/docs",
        name="docs",
        summary="This description, for people; works offline",
        access="anyone",
        handler=docs,
        outcomes=(ResponseSpec(what="the page", media=("text/html",)),),
    ),
)
