"""Security and CORS headers of every response."""

from collections.abc import Collection, Mapping

from flask import Request
from werkzeug.wrappers import Response

from darkroom.auth.visitors import is_https

#: Content-Security-Policy of every response but pages: a browser loads, runs and frames nothing.
_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_SECURITY: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: Strict-Transport-Security: one year in seconds.
_HTTPS_ONLY = "max-age=31536000"
#: Request headers that pages of an allowed origin may set.
_ALLOWED = (
    "Authorization, X-Api-Key, Content-Type, Accept, Idempotency-Key, X-Request-Id, Last-Event-ID, Content-Range, "
    "If-Match, If-None-Match, If-Modified-Since, If-Range, Range, X-Goog-Resumable"
)
#: Response headers that these pages may read.
_EXPOSED = (
    "Location, Retry-After, X-Request-Id, Content-Disposition, Darkroom-Review, ETag, Range, Content-Range, "
    "Accept-Ranges, Content-Encoding"
)
#: Methods that these pages may use.
_METHODS = "GET, POST, PUT, PATCH, DELETE"
#: Seconds for which a browser keeps the response to a preflight request.
_PREFLIGHT_AGE_S = 600


def with_security_headers(
    response: Response, request: Request, *, request_id: str, cors: Mapping[str, str]
) -> Response:
    """The response with every required header. Headers that it has already stay."""
    for name, value in {**_SECURITY, **cors}.items():
        response.headers.setdefault(name, value)
    if "Access-Control-Allow-Origin" in cors:
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    for name in ("Accept", "Accept-Encoding", "Origin"):
        response.headers.add("Vary", name)
    response.headers["X-Request-Id"] = request_id
    if is_https(request):
        response.headers["Strict-Transport-Security"] = _HTTPS_ONLY
    return response


def cors_headers(request: Request, origins: Collection[str]) -> dict[str, str]:
    """The headers with which a page of an allowed origin may read the response; none for other origins."""
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


def preflight() -> Response:
    """The response to a preflight request; `cors_headers` adds the permissions."""
    return Response(iter(()), status=204, headers={"Allow": f"{_METHODS}, OPTIONS", "Content-Length": "0"})
