"""How does a request get its answer?"""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

from flask import Request
from pydantic import BaseModel
from werkzeug.wrappers import Response

from darkroom.api.core.crowd import Room
from darkroom.api.core.headers import cors_headers, preflight, secured
from darkroom.api.core.parts import AppContext
from darkroom.api.core.problems import CONTENT_TYPE, body_of, problem_of
from darkroom.api.core.rate_limits import RateLimiter
from darkroom.api.core.reading import (
    MAX_BODY_BYTES,
    checked,
    drain,
    leave_to_handler,
    limit_body,
    read_json,
    read_query,
)
from darkroom.api.core.routing import ApiResponse, Match, RequestContext, Route, Router
from darkroom.api.core.submissions import read_submission
from darkroom.api.routes.table import ROUTES
from darkroom.auth.callers import Authenticator, Principal, address
from darkroom.auth.google_sign_in import GoogleSignIn
from darkroom.auth.keys import Keys
from darkroom.auth.signing import signing_key
from darkroom.auth.visitors import Visitors, remember
from darkroom.domain.errors import DarkroomError
from darkroom.runtime.settings import Settings
from darkroom.runtime.system import System

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
#: Larger answers are sent in pieces: Google's front end takes no more than 32 MiB at once.
_AT_ONCE_BYTES = 30 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
#: Pictures that wait for each place on which one is worked on: as many as are done within the patience of a client.
_WAITING_PER_PLACE = 8
#: Memory for bodies, in bytes: four of the largest. A body is held twice while it is read.
_BODIES_BYTES = 4 * MAX_BODY_BYTES
#: Requests that wait unread until there is memory for their bodies.
_WAITING_BODIES = 16
#: functions-framework has four threads for each processor; half of them stay free for everybody else.
_STREAMS_PER_PROCESSOR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The API over one system."""

    parts: AppContext
    rates: RateLimiter
    router: Router

    @classmethod
    def of(cls, system: System, *, places: int | None = None, fetch: Callable[[str], bytes] | None = None) -> "Api":
        """The API over a system. Nothing is asked of the backend yet."""
        from darkroom.outbound.fetching import fetch as fetch_public
        from darkroom.runtime.bootstrap import processors, signed_uploads

        settings, seats = system.settings, places or processors()
        keys = Keys(objects=system.objects, bucket=settings.keys_bucket, clock=system.clock)
        parts = AppContext(
            system=system,
            door=Authenticator(
                keys=keys,
                is_local=settings.backend == "local",
                origins=settings.origins,
                visitors=Visitors(key=lambda: signing_key(settings)) if settings.anonymous else None,
                google=_google(settings),
            ),
            places=BoundedSemaphore(seats),
            crowd=Room(seats * (1 + _WAITING_PER_PLACE), waiting=0, what="pictures"),
            bodies=Room(_BODIES_BYTES, waiting=_WAITING_BODIES, what="large bodies"),
            streams=BoundedSemaphore(_STREAMS_PER_PROCESSOR * processors()),
            fetch=fetch or fetch_public,
            uploads=signed_uploads(system),
        )
        rates = RateLimiter(clock=system.clock, per_minute=settings.api_rate_per_minute)
        return cls(parts=parts, rates=rates, router=Router(ROUTES))

    def answer(self, request: Request) -> Response:
        """The answer to any request; nothing is raised."""
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
        try:
            response = self._preflight(request) or self._answered(request)
        except Exception as exc:  # noqa: BLE001  the one place where errors become answers
            response = refusal(exc, request_id)
        drain(request)
        origins = self.parts.system.settings.origins
        return secured(response, request, request_id=request_id, more=cors_headers(request, origins))

    def _preflight(self, request: Request) -> Response | None:
        return preflight(request) if request.method == "OPTIONS" else None

    def _answered(self, request: Request) -> Response:
        self.rates.take(f"address {address(request, is_local=self.parts.door.is_local)}")
        match = self.router.match(request.path, request.method)
        caller = self.parts.door.caller(request, match.route.access)
        if caller.key_id:
            self.rates.take(f"key {caller.key_id}")
        response = _response(self._handled(request, match, caller))
        if caller.cookie:
            remember(response, request, caller.cookie)
        return response

    def _handled(self, request: Request, match: Match, caller: Principal) -> ApiResponse:
        route, parts = match.route, self.parts
        with parts.crowd.taken(int(route.is_at_once)), parts.bodies.taken(_body_bytes(request, route)):
            return self._let_in(request, match, caller)

    def _let_in(self, request: Request, match: Match, caller: Principal) -> ApiResponse:
        try:
            (leave_to_handler if match.route.takes_stream else limit_body)(request)
            query, body = _read(request, match)
        except DarkroomError as exc:
            if (answer := match.route.misread(request, exc)) is not None:
                return answer
            raise
        call = RequestContext(parts=self.parts, request=request, caller=caller, path=match.path, query=query, body=body)
        return match.route.handler(call)


def _google(settings: Settings) -> GoogleSignIn | None:
    if not settings.google_audience:
        return None
    return GoogleSignIn(audience=settings.google_audience, roles=settings.accounts)


def _body_bytes(request: Request, route: Route) -> int:
    """The bytes that a request may hold while it is handled; a stream goes to the disk piece by piece."""
    if route.takes_stream or request.method in ("GET", "DELETE"):
        return 0
    if route.picture is not None and request.mimetype == "application/json":
        return MAX_BODY_BYTES  # what lies behind a URL, or in another object
    return MAX_BODY_BYTES if request.content_length is None else request.content_length


def _read(request: Request, match: Match) -> tuple[BaseModel | None, Any]:
    """The checked query and body of a route."""
    route: Route = match.route
    if route.picture is not None:
        return None, read_submission(request, route.picture)
    query = read_query(request, route.query)
    if route.body is None or route.reads_body:
        return query, None
    return query, checked(route.body, read_json(request))


def _response(answer: ApiResponse) -> Response:
    content = answer.content
    if isinstance(content, BaseModel):
        content = content.model_dump_json().encode()
    if not isinstance(content, bytes):
        return _streamed(content, answer)
    return _whole(content, answer)


def _whole(data: bytes, answer: ApiResponse) -> Response:
    """A response whose length is told, unless it is too large for that.

    Always a stream for functions-framework, which would otherwise read the rest of the request by itself, and answer
    a body that is too large with a page of its own.
    """
    if len(data) > _AT_ONCE_BYTES:
        return _streamed(_pieces(data), answer)
    response = _streamed(iter((data,)), answer)
    response.content_length = len(data)
    return response


def _streamed(content: Iterator[bytes], answer: ApiResponse) -> Response:
    return Response(content, status=answer.status, content_type=answer.content_type, headers=dict(answer.headers))


def _pieces(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for start in range(0, len(data), _PIECE_BYTES):
        yield bytes(view[start : start + _PIECE_BYTES])


def refusal(exc: Exception, request_id: str) -> Response:
    """The problem document of an error as a response."""
    problem, headers = problem_of(exc, request_id)
    # A value that was sent may hold half a surrogate pair, which no encoding of text can.
    data = json.dumps(body_of(problem), ensure_ascii=False).encode(errors="replace")
    return _whole(data, ApiResponse(content=data, status=problem.status, content_type=CONTENT_TYPE, headers=headers))
