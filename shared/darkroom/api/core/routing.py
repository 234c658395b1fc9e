"""What is a route, and which one does a request mean?

A route is data: who may use it, what it takes, what it answers and who does it stand side by side, so that
authorisation, documentation and the tests of both cannot differ.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flask import Request
from pydantic import BaseModel
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from darkroom.api.core.parts import AppContext
from darkroom.auth.callers import Access, Principal
from darkroom.domain.errors import DarkroomError
from darkroom.domain.http_errors import NoSuchPath, WrongMethod

#: Variable parts of paths that may hold slashes: names that other people's systems have given.
_WITH_SLASHES = ("key", "group")

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
#: Content types of pictures that may be answered.
PICTURES = ("image/jpeg", "image/png", "image/webp", "image/tiff", "image/avif")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """A request on its way to its handler: matched, let in and checked."""

    parts: AppContext
    request: Request
    caller: Principal
    #: The variable parts of the path.
    path: Mapping[str, str]
    #: An instance of the route's `query`, `body` or `picture` model; None where the route has none.
    query: Any
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    """What a handler answers."""

    #: A model becomes JSON; bytes and streams are sent as they are.
    content: BaseModel | bytes | Iterator[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSpec:
    """A way in which a route answers when all went well."""

    what: str
    status: int = 200
    #: The model of a JSON answer.
    model: type[BaseModel] | None = None
    #: The content types of any other answer.
    media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path."""

    method: Method
    #: As OpenAPI writes it: `/v1/jobs/{job}`.
    path: str
    #: Unique, and the name of the operation in the description.
    name: str
    summary: str
    access: Access
    handler: Callable[[RequestContext], ApiResponse]
    outcomes: tuple[ResponseSpec, ...]
    #: Statuses of problems that this route has beside those that every one has.
    problems: tuple[int, ...] = ()
    query: type[BaseModel] | None = None
    #: The model of a JSON body.
    body: type[BaseModel] | None = None
    #: The body is a picture: a form with a file, the bytes alone, or JSON that says where it lies. The model holds
    #: the wishes that come with it: fields of the form, of the query or of the JSON.
    picture: type[BaseModel] | None = None
    #: The picture is worked on while the client waits; such requests are counted before their bodies are read.
    is_at_once: bool = False
    #: The handler reads the JSON body itself, whatever type the request claims.
    reads_body: bool = False
    #: Types of text that the body may be instead of JSON.
    texts: tuple[str, ...] = ()
    #: The handler reads the body itself, and counts what it reads: a whole upload, of any size.
    takes_stream: bool = False
    #: What to answer if the query or the body cannot be read; None leaves it to the problem document.
    misread: Callable[[Request, DarkroomError], ApiResponse | None] = lambda _request, _error: None
    #: Headers that the handler reads, with their descriptions.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Under which heading the description lists it.
    section: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route and the variable parts of the path that led to it."""

    route: Route
    path: Mapping[str, str]


class Router:
    """Finds routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = {route.name: route for route in routes}
        rules = [
            Rule(_rule(route.path), endpoint=route.name, methods=[route.method]) for route in self._routes.values()
        ]
        self._map = Map(rules, strict_slashes=False, merge_slashes=False)

    def match(self, path: str, method: str) -> Match:
        """The route of a path and method. Raises NoSuchPath or WrongMethod."""
        try:
            name, found = self._map.bind("").match(path, method)
        except NotFound as exc:
            raise NoSuchPath(f"there is nothing at {path[:200]!r}; /docs lists what there is") from exc
        except MethodNotAllowed as exc:
            known = ", ".join(sorted({*(exc.valid_methods or ()), "OPTIONS"}))
            raise WrongMethod(
                f"{path[:200]!r} knows {known}, not {method[:20]}", value=method[:20], limit=known
            ) from exc
        return Match(route=self._routes[name], path=found)


def _rule(path: str) -> str:
    for name in _WITH_SLASHES:
        path = path.replace(f"{{{name}}}", f"<path:{name}>")
    return path.replace("{", "<").replace("}", ">")
