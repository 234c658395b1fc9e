"""What does a reviewer see in a browser?

One page that asks the routes of quality control itself, as any program would. It holds no data, so anyone may have it;
where a key is needed it asks for one, keeps it for this tab alone, and sends it with every request.
"""

from functools import cache
from html import escape
from pathlib import Path

from shared.api.headers import hash_source
from shared.api.routing import Answer, Call, Outcome, Route
from shared.presets import PRESET_RULES

_HERE = Path(__file__).parent


def show(_call: Call) -> Answer:
    """The page."""
    page, policy = _page()
    # Under `no-referrer` a browser tells the origin of none of this page's requests.
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
    return Answer(content=page, content_type="text/html; charset=utf-8", headers=headers)


@cache
def _page() -> tuple[bytes, str]:
    """The page, and what it may do: its own style and script, requests of this origin, pictures that it has fetched."""
    whole, style, script = ((_HERE / name).read_text("utf-8") for name in ("page.html", "style.css", "script.js"))
    presets = "".join(
        f'<option value="{it}">{it}: {escape(rules.summary)}</option>' for it, rules in PRESET_RULES.items()
    )
    for mark, text in (("{style}", style), ("{script}", script), ("{presets}", presets)):
        whole = whole.replace(mark, text)
    policy = (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; img-src blob: data:; "
        f"connect-src 'self'; style-src {hash_source(style)}; script-src {hash_source(script)}"
    )
    return whole.encode(), policy


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/review",
        name="review_page",
        summary="The queue as a page: before and after, and a verdict by one key",
        access="anyone",
        handler=show,
        outcomes=(Outcome(what="the page", media=("text/html",)),),
    ),
)
