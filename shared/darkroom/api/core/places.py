"""Places for the photographs that a caller may keep; callers without a limit need none."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from darkroom.api.core.routing import RequestContext
from darkroom.domain.errors import DarkroomError, ObjectNotFound
from darkroom.domain.http_errors import QuotaReached
from darkroom.domain.quota import Reservation
from darkroom.handlers.quota import has_job, release, reserve
from darkroom.runtime.logs import log

#: Longest time of a request that posts a photograph; a function in the cloud ends after 540 s.
_POST_LIFETIME = timedelta(minutes=10)


@contextmanager
def place_for(call: RequestContext, name: str) -> Iterator[None]:
    """A place for the photograph that becomes the object `name` of the uploads bucket, until it has a job.

    Raises QuotaReached, unless the photograph is kept already. If the request fails, the place is given back at once,
    except where the object was written all the same: its event makes the job.
    """
    wanted = Reservation(object=name, expires_at=call.parts.now() + _POST_LIFETIME)
    key = _reserved(call, wanted)
    try:
        yield
    except BaseException:
        if key is not None and not _is_there(call, name):
            _release(call, key)
        raise
    if key is not None:
        _release(call, key)


@contextmanager
def place_kept(call: RequestContext, wanted: Reservation) -> Iterator[None]:
    """Places that stay reserved until they expire, or until there are jobs; given back if the request fails.

    Raises QuotaReached.
    """
    key = _reserved(call, wanted)
    try:
        yield
    except BaseException:
        if key is not None:
            _release(call, key)
        raise


def _reserved(call: RequestContext, wanted: Reservation) -> str | None:
    """The id of the reservation; None if none is needed. Raises QuotaReached."""
    system, caller = call.parts.system, call.caller
    limit = caller.limit(system.settings)
    if limit == 0:
        return None
    room = reserve(system, caller.owner, wanted, limit=limit)
    if room.id is None and not (wanted.object and has_job(system, wanted.object)):
        message = f"{room.kept} photographs are kept or expected, the limit is {limit}: delete one"
        message += f", or send at most {limit - room.kept}" if wanted.count > 1 and room.kept < limit else ""
        raise QuotaReached(message, value=room.kept, limit=limit)
    return room.id


def _is_there(call: RequestContext, name: str) -> bool:
    """Whether the object was written; if nobody can tell, it may have been."""
    try:
        call.parts.system.objects.stat(call.parts.system.settings.uploads_bucket, name)
    except ObjectNotFound:
        return False
    except DarkroomError:
        return True
    return True


def _release(call: RequestContext, key: str) -> None:
    """Give the place back; one that cannot be given back now is free when it expires."""
    try:
        release(call.parts.system, call.caller.owner, key)
    except DarkroomError as exc:
        log("WARNING", "place_kept", f"A place is held until it expires: {exc}.")
