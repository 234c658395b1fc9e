"""Which headers does every answer carry, and whose pages may read it?"""

from collections.abc import Collection, Mapping

from flask import Request
from werkzeug.wrappers import Response

from darkroom.auth.visitors import is_https

#: Nothing that is answered here may load, run or be framed by anything, however it is looked at.
_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_SECURITY: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HTTPS_ONLY = "max-age=31536000"
#: Headers of requests and answers that pages of an allowed origin may set and read.
_ALLOWED = "Authorization, X-Api-Key, Content-Type, Accept, Idempotency-Key, X-Request-Id, Last-Event-ID"
_EXPOSED = "Location, Retry-After, X-Request-Id, Content-Disposition, Darkroom-Review"
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_PREFLIGHT_AGE_S = 600


def secured(response: Response, request: Request, *, request_id: str, more: Mapping[str, str]) -> Response:
    """The response with every header that it must have; what it says of itself stays."""
    for name, value in {**_SECURITY, **more}.items():
        if name != "Vary":
            response.headers.setdefault(name, value)
    if "Access-Control-Allow-Origin" in more:
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    for name in ("Accept", "Origin"):
        response.headers.add("Vary", name)
    response.headers["X-Request-Id"] = request_id
    if is_https(request):
        response.headers["Strict-Transport-Security"] = _HTTPS_ONLY
    return response


def cors_headers(request: Request, origins: Collection[str]) -> dict[str, str]:
    """What lets a page of an allowed origin read the answer; nothing for any other."""
    origin = request.headers.get("Origin")
    if origin is None or origin not in origins:
        return {}
    allowed = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED}
    if request.method == "OPTIONS":
        allowed |= {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _ALLOWED,
            "Access-Control-Max-Age": str(_PREFLIGHT_AGE_S),
        }
    return allowed


def preflight(_request: Request) -> Response:
    """The answer to a browser that asks whether it may ask; the headers above hold what it wants to know."""
    return Response(iter(()), status=204, headers={"Allow": f"{_METHODS}, OPTIONS", "Content-Length": "0"})
