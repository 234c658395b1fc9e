"""Answers requests: rate limit, route, authentication, admission, handler, response."""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from threading import BoundedSemaphore

from flask import Request
from werkzeug.wrappers import Response

from darkroom.api.core.admission import AdmissionQueue
from darkroom.api.core.app_context import AppContext
from darkroom.api.core.headers import cors_headers, preflight, with_security_headers
from darkroom.api.core.problems import CONTENT_TYPE, body_of, problem_of
from darkroom.api.core.rate_limits import RateLimiter
from darkroom.api.core.reachability import Reachability
from darkroom.api.core.reading import MAX_BODY_BYTES, drain
from darkroom.api.core.responses import http_response, whole
from darkroom.api.core.routing import ApiResponse, Match, Router
from darkroom.api.pages.problem import PAGE, page_of, wants_page
from darkroom.api.routes.table import ROUTES
from darkroom.auth.callers import Authenticator, Principal, address
from darkroom.auth.google_sign_in import GoogleSignIn
from darkroom.auth.keys import Keys
from darkroom.auth.signing import signing_key
from darkroom.auth.visitors import Visitors, remember
from darkroom.runtime.settings import Settings
from darkroom.runtime.system import System

#: An X-Request-Id of a client that is accepted as it is.
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
#: Paths without a rate limit. Monitors check the health often, and its cost is bounded by `Reachability`.
_UNLIMITED = ("/health",)
#: Pictures that wait for each inference slot: as many as are done before a client gives up.
_WAITING_PER_SLOT = 8
#: Memory for bodies in bytes: four of the largest. A body is held twice while it is read.
_BODIES_BYTES = 4 * MAX_BODY_BYTES
#: Requests that wait for memory before their bodies are read.
_WAITING_BODIES = 16
#: Event streams for each processor. functions-framework has four threads for each; half of them stay free.
_STREAMS_PER_PROCESSOR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The HTTP API of one system."""

    app: AppContext
    rate_limiter: RateLimiter
    router: Router

    @classmethod
    def of(cls, system: System, *, slots: int | None = None, fetch: Callable[[str], bytes] | None = None) -> "Api":
        """The API of a system. It sends no request to the backend.

        Parameters
        ----------
        system
            The assembled system.
        slots
            Pictures that are processed at the same time; by default one for each processor.
        fetch
            Reads a URL of a client; by default with the guard against private addresses.
        """
        from darkroom.runtime.bootstrap import processors

        app = _app_context(system, slots=slots or processors(), fetch=fetch)
        rate_limiter = RateLimiter(clock=system.clock, per_minute=system.settings.api_rate_per_minute)
        return cls(app=app, rate_limiter=rate_limiter, router=Router(ROUTES))

    def answer(self, request: Request) -> Response:
        """The response to any request. Raises nothing."""
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
        try:
            response = preflight() if request.method == "OPTIONS" else self._response(request)
        except Exception as exc:  # noqa: BLE001  the one place where errors become responses
            response = error_response(exc, request_id, as_page=wants_page(request))
        drain(request)
        cors = cors_headers(request, self.app.system.settings.origins)
        return with_security_headers(response, request, request_id=request_id, cors=cors)

    def _response(self, request: Request) -> Response:
        authenticator = self.app.authenticator
        if request.path not in _UNLIMITED:
            self.rate_limiter.acquire(f"address {address(request, is_local=authenticator.is_local)}")
        match = self.router.match(request.path, request.method)
        caller = authenticator.caller(request, match.route.access)
        if caller.key_id:
            self.rate_limiter.acquire(f"key {caller.key_id}")
        response = http_response(request, self._admitted(request, match, caller))
        if caller.cookie:
            remember(response, request, caller.cookie)
        return response

    def _admitted(self, request: Request, match: Match, caller: Principal) -> ApiResponse:
        """The response of the route, once there is room for the request. Raises Busy."""
        route, app = match.route, self.app
        body_bytes = route.body_spec.memory_bytes(request)
        with app.pictures.admit(int(route.is_synchronous)), app.bodies.admit(body_bytes):
            return route.respond(app, request, caller=caller, path=match.path)


def _app_context(system: System, *, slots: int, fetch: Callable[[str], bytes] | None) -> AppContext:
    from darkroom.outbound.fetching import fetch as fetch_public
    from darkroom.runtime.bootstrap import processors, signed_uploads

    return AppContext(
        system=system,
        authenticator=_authenticator(system),
        inference_slots=BoundedSemaphore(slots),
        pictures=AdmissionQueue(slots * (1 + _WAITING_PER_SLOT), waiting=0, what="pictures"),
        bodies=AdmissionQueue(_BODIES_BYTES, waiting=_WAITING_BODIES, what="large bodies"),
        streams=BoundedSemaphore(_STREAMS_PER_PROCESSOR * processors()),
        fetch=fetch or fetch_public,
        uploads=signed_uploads(system),
        backend=Reachability(jobs=system.jobs, clock=system.clock),
    )


def _authenticator(system: System) -> Authenticator:
    settings = system.settings
    return Authenticator(
        keys=Keys(objects=system.objects, bucket=settings.keys_bucket, clock=system.clock),
        is_local=settings.backend == "local",
        origins=settings.origins,
        visitors=Visitors(key=lambda: signing_key(settings)) if settings.anonymous else None,
        google=_google(settings),
    )


def _google(settings: Settings) -> GoogleSignIn | None:
    if not settings.google_audience:
        return None
    return GoogleSignIn(audience=settings.google_audience, roles=settings.accounts)


def error_response(exc: Exception, request_id: str, *, as_page: bool = False) -> Response:
    """The problem document of an error as a response, or the same as a page for a person."""
    problem, headers = problem_of(exc, request_id)
    if as_page:
        page, own = page_of(problem), {**headers, "Content-Security-Policy": PAGE.policy()}
        kind = "text/html; charset=utf-8"
        return whole(page, ApiResponse(content=page, status=problem.status, content_type=kind, headers=own))
    # A value of the request may contain half a surrogate pair, which UTF-8 cannot encode.
    data = json.dumps(body_of(problem), ensure_ascii=False).encode(errors="replace")
    return whole(data, ApiResponse(content=data, status=problem.status, content_type=CONTENT_TYPE, headers=headers))
