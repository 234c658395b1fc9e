"""Routes as data, and the router that finds the route of a request.

A route holds its path, its access, its models, its handler and its documentation together. Authorisation, the OpenAPI
document and the tests read the same value, so they cannot differ. `route` builds one; mypy refuses a handler whose
query or body differs from the models of its route.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, Never, Required, TypeAlias, TypedDict, Unpack, cast, overload

from flask import Request
from pydantic import BaseModel
from typing_extensions import TypeVar
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from darkroom.api.core.app_context import AppContext
from darkroom.api.core.bodies import Body, NoBody
from darkroom.api.core.caching import Validator
from darkroom.api.core.reading import ModelQuery, NoQuery, QuerySource, refuse_encoding
from darkroom.api.core.submissions import Submission
from darkroom.auth.callers import Access, Principal
from darkroom.domain.errors import DarkroomError
from darkroom.domain.http_errors import NoSuchPath, WrongMethod

#: Path variables that may contain slashes: their values come from other systems.
_WITH_SLASHES = ("key", "group")

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
#: Content types of pictures in responses.
PICTURES = ("image/jpeg", "image/png", "image/webp", "image/tiff", "image/avif")

QueryT_co = TypeVar("QueryT_co", covariant=True, default=object)
BodyT_co = TypeVar("BodyT_co", covariant=True, default=object)
QueryT = TypeVar("QueryT")
BodyT = TypeVar("BodyT")
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext(Generic[QueryT_co, BodyT_co]):
    """A request that is matched, authenticated and checked.

    `RequestContext` without parameters is any request: for functions that read neither the query nor the body.
    """

    app: AppContext
    request: Request
    caller: Principal
    #: Values of the path variables.
    path: Mapping[str, str]
    #: The query as an instance of the route's model; None if the route has no query.
    query: QueryT_co
    #: The body as the route's `Body` reads it; None if the route has no body, or if the handler reads it.
    body: BodyT_co


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    """The response of a handler."""

    #: A model becomes JSON. Bytes and streams are sent unchanged.
    content: BaseModel | bytes | Iterator[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The validator of a file. A document needs none: its validator is made from its bytes.
    validator: Validator | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSpec:
    """The documentation of one successful response of a route."""

    description: str
    status: int = 200
    #: The model of a JSON response.
    model: type[BaseModel] | None = None
    #: The content types of any other response.
    media: tuple[str, ...] = ()
    #: Whether a client may request a range of the bytes.
    has_ranges: bool = False


#: A request with a picture.
PictureContext: TypeAlias = RequestContext[object, Submission]
#: A function that answers a request with this query and this body.
Handler: TypeAlias = Callable[[RequestContext[QueryT, BodyT]], ApiResponse]
#: Answers a request whose query or body is invalid; None leaves the answer to the problem document.
OnValidationError: TypeAlias = Callable[[Request, DarkroomError], ApiResponse | None]


def _no_response(_request: Request, _error: DarkroomError) -> ApiResponse | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(ABC):
    """One method of one path. The router, the OpenAPI document and the tests need no more of a route."""

    method: Method
    #: The path as in OpenAPI: `/v1/jobs/{job}`.
    path: str
    #: The unique operation id.
    name: str
    summary: str
    #: The least role that may use the route.
    access: Access
    responses: tuple[ResponseSpec, ...]
    #: Statuses of problem documents in addition to those that every route has.
    problems: tuple[int, ...] = ()
    #: Headers that the handler reads, with their descriptions.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The heading in the documentation.
    section: str = ""
    #: The picture is processed while the client waits. Such requests are counted before their bodies are read.
    is_synchronous: bool = False
    on_validation_error: OnValidationError = _no_response

    @property
    @abstractmethod
    def query_model(self) -> type[BaseModel] | None:
        """The model of the query; None if the route has none."""

    @property
    @abstractmethod
    def body_spec(self) -> Body[object]:
        """How the body is read and documented."""

    @abstractmethod
    def respond(self, app: AppContext, request: Request, *, caller: Principal, path: Mapping[str, str]) -> ApiResponse:
        """Read the query and the body, and call the handler. Raises DarkroomError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Endpoint, Generic[QueryT, BodyT]):
    """An endpoint with its handler. Build it with `route`."""

    query: QuerySource[QueryT]
    body: Body[BodyT]
    handler: Handler[QueryT, BodyT]

    @property
    def query_model(self) -> type[BaseModel] | None:
        return self.query.model

    @property
    def body_spec(self) -> Body[object]:
        return self.body

    def respond(self, app: AppContext, request: Request, *, caller: Principal, path: Mapping[str, str]) -> ApiResponse:
        try:
            refuse_encoding(request)
            self.body.prepare(request)
            query, body = self.query.read(request), self.body.read(request)
        except DarkroomError as exc:
            if (response := self.on_validation_error(request, exc)) is not None:
                return response
            raise
        context = RequestContext(app=app, request=request, caller=caller, path=path, query=query, body=body)
        return self.handler(context)


class EndpointFields(TypedDict, total=False):
    """The arguments of `route` that have no influence on the types of its handler. See `Endpoint`."""

    method: Required[Method]
    path: Required[str]
    name: Required[str]
    summary: Required[str]
    access: Required[Access]
    responses: Required[tuple[ResponseSpec, ...]]
    problems: tuple[int, ...]
    headers: Mapping[str, str]
    on_validation_error: OnValidationError


@overload
def route(*, handler: Handler[None, None], **fields: Unpack[EndpointFields]) -> Endpoint: ...
@overload
def route(*, query: type[ModelT], handler: Handler[ModelT, None], **fields: Unpack[EndpointFields]) -> Endpoint: ...
@overload
def route(*, body: Body[BodyT], handler: Handler[None, BodyT], **fields: Unpack[EndpointFields]) -> Endpoint: ...
@overload
def route(
    *, query: type[ModelT], body: Body[BodyT], handler: Handler[ModelT, BodyT], **fields: Unpack[EndpointFields]
) -> Endpoint: ...
def route(
    *,
    handler: Handler[Never, Never],
    query: type[BaseModel] | None = None,
    body: Body[object] | None = None,
    **fields: Unpack[EndpointFields],
) -> Endpoint:
    """A route whose handler takes the models of its query and body.

    Parameters
    ----------
    handler
        Takes a `RequestContext` with the query and the body.
    query
        The model of the query; without one, query parameters are ignored and `context.query` is None.
    body
        How the body is read; without one, it is ignored and `context.body` is None.
    fields
        The rest of the endpoint.
    """
    return Route(
        query=NoQuery() if query is None else ModelQuery(query),
        body=NoBody() if body is None else body,
        handler=cast(Handler[object, object], handler),  # the overloads have compared it with the query and the body
        **fields,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An endpoint, and the values of the variables in its path."""

    route: Endpoint
    path: Mapping[str, str]


class Router:
    """Finds the endpoint of a path and a method."""

    def __init__(self, routes: Iterable[Endpoint]) -> None:
        self._routes = {route.name: route for route in routes}
        rules = [
            Rule(_rule(route.path), endpoint=route.name, methods=[route.method]) for route in self._routes.values()
        ]
        self._map = Map(rules, strict_slashes=False, merge_slashes=False)

    def match(self, path: str, method: str) -> Match:
        """The endpoint of a path and method. Raises NoSuchPath or WrongMethod."""
        try:
            name, variables = self._map.bind("").match(path, method)
        except NotFound as exc:
            raise NoSuchPath(f"there is nothing at {path[:200]!r}; /docs lists all paths") from exc
        except MethodNotAllowed as exc:
            allowed = ", ".join(sorted({*(exc.valid_methods or ()), "OPTIONS"}))
            raise WrongMethod(
                f"{path[:200]!r} supports {allowed}, not {method[:20]}", value=method[:20], limit=allowed
            ) from exc
        return Match(route=self._routes[name], path=variables)


def _rule(path: str) -> str:
    for name in _WITH_SLASHES:
        path = path.replace(f"{{{name}}}", f"<path:{name}>")
    return path.replace("{", "<").replace("}", ">")
