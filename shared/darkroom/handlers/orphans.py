"""Uploads without a job get one.

A bucket can only be listed by name. So it is looked through once every `orphan_scan_s`, and only uploads that came
since the last time are looked up; once a day all of the last `orphan_window_s` are. How far that has come is kept in
the bucket of the catalogue: a look that takes longer than one sweep goes on in the next.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice

from darkroom.domain.errors import ObjectNotFound, PermanentError
from darkroom.domain.job import job_id
from darkroom.domain.messages import Record
from darkroom.handlers.pages import Deadline
from darkroom.handlers.records import overwrite, read_record
from darkroom.handlers.uploads import accept_upload, upload_of
from darkroom.runtime.ports import ObjectInfo
from darkroom.runtime.system import System

#: Where it is kept how far the looks have come.
STATE_NAME = "sweep/orphans.json"
#: Objects that are listed, and at most looked up in the job store, at once.
_AT_ONCE = 1000
#: Time between two looks at all uploads of the window.
_WHOLE = timedelta(days=1)
#: How far the clocks of the buckets and of the functions may differ.
_CLOCKS = timedelta(minutes=1)


class Look(Record):
    """One look through the bucket."""

    began_at: datetime
    #: Uploads that came from this moment on are looked up.
    since: datetime
    #: Name of the last object that was seen.
    cursor: str = ""


class Looks(Record):
    """How far the looks have come."""

    #: Uploads that came before have been looked up.
    until: datetime | None = None
    #: When the last look at the whole window began.
    whole_at: datetime | None = None
    #: The look that is under way.
    look: Look | None = None


def adopt_orphans(system: System, deadline: Deadline) -> int:
    """Begin the jobs of uploads whose event was lost; how many they were."""
    looks = _read(system)
    if looks.look is None and not _is_due(system, looks):
        return 0
    looks = looks if looks.look else _begun(system, looks)
    look, adopted = looks.look, 0
    assert look is not None
    for infos in _pages(system, look.cursor):
        adopted += _adopt(system, _candidates(system, look, infos))
        look = look.model_copy(update={"cursor": infos[-1].ref.name})
        if deadline.has_passed:
            overwrite(system, STATE_NAME, looks.model_copy(update={"look": look}))
            return adopted
    overwrite(system, STATE_NAME, looks.model_copy(update={"until": _youngest(system, look), "look": None}))
    return adopted


def _read(system: System) -> Looks:
    try:
        return read_record(system, STATE_NAME, Looks)
    except (ObjectNotFound, PermanentError):  # the first time, or after another release: the whole window again
        return Looks()


def _is_due(system: System, looks: Looks) -> bool:
    if looks.until is None:
        return True
    age = system.clock.now() - looks.until
    return age >= timedelta(seconds=system.settings.orphan_after_s + system.settings.orphan_scan_s)


def _begun(system: System, looks: Looks) -> Looks:
    now, settings = system.clock.now(), system.settings
    oldest = now - timedelta(seconds=settings.orphan_window_s)
    is_whole = looks.until is None or looks.whole_at is None or now - looks.whole_at >= _WHOLE
    since = oldest if is_whole or looks.until is None else max(oldest, looks.until - _CLOCKS)
    look = Look(began_at=now, since=since)
    return looks.model_copy(update={"look": look, "whole_at": now if is_whole else looks.whole_at})


def _youngest(system: System, look: Look) -> datetime:
    return look.began_at - timedelta(seconds=system.settings.orphan_after_s)


def _pages(system: System, cursor: str) -> Iterator[list[ObjectInfo]]:
    infos = system.objects.list(system.settings.uploads_bucket, after=cursor)
    while page := list(islice(infos, _AT_ONCE)):
        yield page


def _candidates(system: System, look: Look, infos: list[ObjectInfo]) -> dict[str, ObjectInfo]:
    youngest = _youngest(system, look)
    return {job_id(info.ref): info for info in infos if look.since <= info.created_at <= youngest}


def _adopt(system: System, candidates: Mapping[str, ObjectInfo]) -> int:
    missing = system.jobs.absent(list(candidates)) if candidates else set()
    return sum(accept_upload(system, upload_of(candidates[each])) is not None for each in sorted(missing))
