"""What can the API refuse that the rest of the system does not know of?

The codes are listed in docs/http.md, which a test holds to this module.
"""

from darkroom.domain.errors import DarkroomError
from darkroom.domain.field_errors import FieldProblem


class Refused(DarkroomError):
    """A request that cannot be answered as asked."""

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


class NotAuthenticated(Refused):
    """Nobody knows who asks."""

    status = 401
    code = "not_authenticated"


class Forbidden(Refused):
    """Who asks may not do this."""

    status = 403
    code = "forbidden"


class QuotaReached(Refused):
    """Somebody keeps as much as they may."""

    status = 403
    code = "quota_reached"


class CrossOrigin(Refused):
    """A page of another origin asks, or under a name that is not this computer's."""

    status = 403
    code = "cross_origin"


class NoSuchPath(Refused):
    """There is nothing at this path."""

    status = 404
    code = "no_such_path"


class NothingThere(Refused):
    """The job is there, and what was asked of it is not, or not yet."""

    status = 404
    code = "nothing_there"


class NotInCatalogue(Refused):
    """No such product, no pictures of that kind, or nothing configured."""

    status = 404
    code = "not_in_catalogue"


class WrongMethod(Refused):
    """The path knows other methods."""

    status = 405
    code = "wrong_method"


class Conflict(Refused):
    """Somebody was faster."""

    status = 409
    code = "conflict"


class TooLarge(Refused):
    """More than this way takes."""

    status = 413
    code = "too_large"


class UnreadableType(Refused):
    """The body is of a type that is not read here."""

    status = 415
    code = "unsupported_media_type"


class Invalid(Refused):
    """The body or the query was read and is not valid."""

    status = 422
    code = "invalid"


class UnfetchableUrl(Refused):
    """The URL may not be fetched, or could not be."""

    status = 422
    code = "url_refused"


class TooManyRequests(Refused):
    """The rate is used up."""

    status = 429
    code = "too_many_requests"


class Busy(Refused):
    """All places are taken."""

    status = 503
    code = "busy"
