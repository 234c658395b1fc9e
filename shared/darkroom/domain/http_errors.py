"""Defines the errors that only the API raises.

The codes are listed in docs/http.md; a test compares the list with this module.
"""

from darkroom.domain.errors import DarkroomError
from darkroom.domain.field_errors import FieldProblem


class HttpError(DarkroomError):
    """The request cannot be answered."""

    status = 400
    code = "bad_request"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        value: object = None,
        limit: object = None,
        retry_after_s: int | None = None,
        fields: tuple[FieldProblem, ...] = (),
    ) -> None:
        super().__init__(message, code=code, value=value, limit=limit)
        #: Each field that is not valid.
        self.fields = fields
        self.retry_after_s = retry_after_s


class NotAuthenticated(HttpError):
    """The caller is not identified."""

    status = 401
    code = "not_authenticated"


class Forbidden(HttpError):
    """The caller is not allowed to do this."""

    status = 403
    code = "forbidden"


class QuotaReached(HttpError):
    """The owner has reached the limit of kept photographs."""

    status = 403
    code = "quota_reached"


class CrossOrigin(HttpError):
    """The request comes from a page of another origin, or uses a host name that is not this computer's."""

    status = 403
    code = "cross_origin"


class NoSuchPath(HttpError):
    """There is nothing at this path."""

    status = 404
    code = "no_such_path"


class ResultNotFound(HttpError):
    """The job exists, but the requested part of it does not, or not yet."""

    status = 404
    code = "nothing_there"


class ProductNotFound(HttpError):
    """No such product, no pictures of that kind, or nothing configured."""

    status = 404
    code = "not_in_catalogue"


class WrongMethod(HttpError):
    """The path supports other methods."""

    status = 405
    code = "wrong_method"


class Conflict(HttpError):
    """Another request changed the same thing first."""

    status = 409
    code = "conflict"


class PreconditionFailed(HttpError):
    """The content has another version than the request expects."""

    status = 412
    code = "precondition_failed"


class TooLarge(HttpError):
    """The request is larger than this endpoint accepts."""

    status = 413
    code = "too_large"


class UnreadableType(HttpError):
    """The body is of a type that is not read here."""

    status = 415
    code = "unsupported_media_type"


class RangeNotSatisfiable(HttpError):
    """The requested range is outside of the content."""

    status = 416
    code = "range_not_satisfiable"


class Invalid(HttpError):
    """The body or the query was read and is not valid."""

    status = 422
    code = "invalid"


class UnfetchableUrl(HttpError):
    """The URL may not be fetched, or could not be."""

    status = 422
    code = "url_refused"


class TooManyRequests(HttpError):
    """The rate is used up."""

    status = 429
    code = "too_many_requests"


class Busy(HttpError):
    """All places are taken."""

    status = 503
    code = "busy"
