"""Routes with the documentation: the OpenAPI document and the reference page."""

import json
from functools import cache

from darkroom.api.core.openapi import document
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.pages.reference import PAGE, render


def openapi_json(_context: RequestContext) -> ApiResponse:
    """The OpenAPI document."""
    return ApiResponse(content=json.dumps(document(), ensure_ascii=False).encode())


def docs(_context: RequestContext) -> ApiResponse:
    """The reference page."""
    return ApiResponse(
        content=_page(), content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": PAGE.policy()}
    )


@cache
def _page() -> bytes:
    return render(document()).encode()


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/openapi.json",
        name="openapi",
        summary="The OpenAPI document",
        access="anyone",
        handler=openapi_json,
        responses=(ResponseSpec(description="the document", media=("application/json",)),),
    ),
    route(
        method="GET",
        path="/docs",
        name="docs",
        summary="The reference page; works offline",
        access="anyone",
        handler=docs,
        responses=(ResponseSpec(description="the page", media=("text/html",)),),
    ),
)
