"""Reservations in the quota of a caller. Callers without a quota need none."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from darkroom.api.core.routing import RequestContext
from darkroom.domain.errors import DarkroomError, ObjectNotFound
from darkroom.domain.http_errors import QuotaReached
from darkroom.domain.quota import Reservation
from darkroom.handlers.quota import has_job, release, reserve
from darkroom.runtime.logs import log

#: Longest time of a request that posts a photograph; a Cloud Function ends after 540 s.
_POST_LIFETIME = timedelta(minutes=10)


@contextmanager
def reserve_for_request(context: RequestContext, name: str) -> Iterator[None]:
    """Reserve room for the photograph that becomes the object `name` of the uploads bucket, until it has a job.

    Raises QuotaReached, unless the photograph is stored already. If the request fails, the reservation is released at
    once. The exception is a failed request whose object was written: the event of the object creates the job.
    """
    requested = Reservation(object=name, expires_at=context.app.now() + _POST_LIFETIME)
    key = _reserve(context, requested)
    try:
        yield
    except BaseException:
        if key is not None and not _may_exist(context, name):
            _release(context, key)
        raise
    if key is not None:
        _release(context, key)


@contextmanager
def reserve_until_expiry(context: RequestContext, requested: Reservation) -> Iterator[None]:
    """Reserve room until the reservation expires or the jobs exist. A failed request releases it.

    Raises QuotaReached.
    """
    key = _reserve(context, requested)
    try:
        yield
    except BaseException:
        if key is not None:
            _release(context, key)
        raise


def _reserve(context: RequestContext, requested: Reservation) -> str | None:
    """The id of the reservation; None if none is needed. Raises QuotaReached."""
    system, caller = context.app.system, context.caller
    limit = caller.limit(system.settings)
    if limit == 0:
        return None
    room = reserve(system, caller.owner, requested, limit=limit)
    if room.id is None and not (requested.object and has_job(system, requested.object)):
        message = f"{room.kept} photographs are kept or expected, the limit is {limit}: delete one"
        message += f", or send at most {limit - room.kept}" if requested.count > 1 and room.kept < limit else ""
        raise QuotaReached(message, value=room.kept, limit=limit)
    return room.id


def _may_exist(context: RequestContext, name: str) -> bool:
    """Whether the object was written; true if the store does not answer."""
    try:
        context.app.system.objects.stat(context.app.system.settings.uploads_bucket, name)
    except ObjectNotFound:
        return False
    except DarkroomError:
        return True
    return True


def _release(context: RequestContext, key: str) -> None:
    """Release a reservation; if that fails, it ends when it expires."""
    try:
        release(context.app.system, context.caller.owner, key)
    except DarkroomError as exc:
        log("WARNING", "place_kept", f"A reservation is held until it expires: {exc}.")
