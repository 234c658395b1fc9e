"""The kinds of request bodies: how each is read, and how much memory it takes."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from flask import Request
from pydantic import BaseModel
from typing_extensions import override

from darkroom.api.core.reading import (
    MAX_BODY_BYTES,
    checked,
    leave_to_handler,
    limit_body,
    parse_json,
    read_json,
    read_raw,
)
from darkroom.api.core.submissions import PictureRequest, Submission, read_submission

ContentT_co = TypeVar("ContentT_co", covariant=True)
ModelT = TypeVar("ModelT", bound=BaseModel)
RequestT = TypeVar("RequestT", bound=PictureRequest)


class Body(ABC, Generic[ContentT_co]):
    """How a route reads its body."""

    #: The model in the documentation; None if there is no JSON body.
    model: type[BaseModel] | None = None
    #: Text types that the body may have instead of JSON.
    text_types: tuple[str, ...] = ()

    @abstractmethod
    def read(self, request: Request) -> ContentT_co:
        """The body, checked. Raises HttpError."""

    def prepare(self, request: Request) -> None:
        """Set the limits of reading. Raises TooLarge for a body that declares more."""
        limit_body(request)

    def memory_bytes(self, request: Request) -> int:
        """The bytes that a request may hold while it is handled."""
        if request.method in ("GET", "HEAD", "DELETE"):
            return 0
        return MAX_BODY_BYTES if request.content_length is None else request.content_length


class NoBody(Body[None]):
    """A body that is ignored."""

    @override
    def read(self, request: Request) -> None:
        return None


class StreamBody(Body[None]):
    """A body of any size that the handler reads piece by piece, with a limit of its own. It goes to the disk."""

    @override
    def read(self, request: Request) -> None:
        return None

    def prepare(self, request: Request) -> None:
        leave_to_handler(request)

    @override
    def memory_bytes(self, request: Request) -> int:
        return 0


class UnreadBody(Body[None]):
    """A body that the handler reads, because the model alone does not describe it."""

    def __init__(self, model: type[BaseModel], *, text_types: tuple[str, ...] = ()) -> None:
        self.model, self.text_types = model, text_types

    @override
    def read(self, request: Request) -> None:
        return None


class JsonBody(Body[ModelT]):
    """JSON that a model checks."""

    def __init__(self, model: type[ModelT], *, any_type: bool = False) -> None:
        """`any_type` reads JSON whatever content type the request declares: `curl -d` declares a form."""
        self._model = self.model = model
        self._any_type = any_type

    def read(self, request: Request) -> ModelT:
        value = parse_json(read_raw(request)) if self._any_type else read_json(request)
        return checked(self._model, value)


class PictureBody(Body[Submission[RequestT]]):
    """A picture with options: a form with a file, the bytes alone, or JSON with a URL."""

    def __init__(self, model: type[RequestT], *, takes_mask: bool = False) -> None:
        """`takes_mask`: a form may have a second picture, the mask."""
        self._model = self.model = model
        self.takes_mask = takes_mask

    def read(self, request: Request) -> Submission[RequestT]:
        return read_submission(request, self._model, takes_mask=self.takes_mask)

    def memory_bytes(self, request: Request) -> int:
        if request.mimetype == "application/json":
            return MAX_BODY_BYTES  # the picture behind the URL, or in another object
        return super().memory_bytes(request)
