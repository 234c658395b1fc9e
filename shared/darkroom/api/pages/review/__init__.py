"""What does a reviewer see in a browser?

One page that asks the routes of quality control itself, as any program would. It holds no data, so anyone may have it;
where a key is needed it asks for one, keeps it for this tab alone, and sends it with every request.
"""

from functools import cache
from pathlib import Path

from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.pages.layout import policy, preset_options

_HERE = Path(__file__).parent


def show(_call: RequestContext) -> ApiResponse:
    """The page."""
    page, allowed = _page()
    # Under `no-referrer` a browser tells the origin of none of this page's requests.
    headers = {"Content-Security-Policy": allowed, "Referrer-Policy": "same-origin"}
    return ApiResponse(content=page, content_type="text/html; charset=utf-8", headers=headers)


@cache
def _page() -> tuple[bytes, str]:
    """The page, and what it may do: its own style and script, requests of this origin, pictures that it has fetched."""
    whole, style, script = ((_HERE / name).read_text("utf-8") for name in ("page.html", "style.css", "script.js"))
    for mark, text in (("{style}", style), ("{script}", script), ("{presets}", preset_options("auto"))):
        whole = whole.replace(mark, text)
    return whole.encode(), policy(style, script, pictures="blob: data:")


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/review",
        name="review_page",
        summary="The queue as a page: before and after, and a verdict by one key",
        access="anyone",
        handler=show,
        outcomes=(ResponseSpec(what="the page", media=("text/html",)),),
    ),
)
