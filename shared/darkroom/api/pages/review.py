"""The review page: before and after, and a verdict with one key.

Its script calls the routes of quality control like any other client. The page contains no data, so that anyone may
load it. If the API needs a key, the page asks for one, keeps it for this tab only, and sends it with every request.
"""

from functools import cache

from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.pages.templates import Page
from darkroom.domain.presets import PRESET_RULES

PAGE = Page("review")


def show(_context: RequestContext) -> ApiResponse:
    """The page."""
    # With `no-referrer`, a browser sends the origin `null` with the requests of the page.
    headers = {"Content-Security-Policy": PAGE.policy(pictures="blob: data:"), "Referrer-Policy": "same-origin"}
    return ApiResponse(content=_page(), content_type="text/html; charset=utf-8", headers=headers)


@cache
def _page() -> bytes:
    return PAGE.render(presets=PRESET_RULES).encode()


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/review",
        name="review_page",
        summary="The review page: before and after, and a verdict with one key",
        access="anyone",
        handler=show,
        responses=(ResponseSpec(description="the page", media=("text/html",)),),
    ),
)
