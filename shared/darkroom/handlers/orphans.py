"""Creates the jobs of orphans: uploads without a job.

A bucket can only be listed by name. Therefore it is scanned once every `orphan_scan_s`, and only uploads since the last
scan are looked up in the job store. Once a day all uploads of the last `orphan_window_s` are looked up. The state of
the scan is stored in the products bucket, so that the next sweep can continue a scan.
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

#: Name of the object that stores the state of the scans.
STATE_NAME = "sweep/orphans.json"
#: Largest number of objects that are listed, and looked up in the job store, at once.
_AT_ONCE = 1000
#: Time between two scans of all uploads of the window.
_WHOLE = timedelta(days=1)
#: Largest difference between the clocks of the buckets and of the functions.
_CLOCKS = timedelta(minutes=1)


class Scan(Record):
    """One scan of the bucket."""

    began_at: datetime
    #: Uploads from this moment on are looked up.
    since: datetime
    #: Name of the last object that was listed.
    cursor: str = ""


class ScanState(Record):
    """The progress of the scans."""

    #: Uploads before this moment have been looked up.
    until: datetime | None = None
    #: When the last scan of the whole window began.
    whole_at: datetime | None = None
    #: The scan that has begun and not ended.
    scan: Scan | None = None


def adopt_orphans(system: System, deadline: Deadline) -> int:
    """Create the jobs of uploads whose event was lost; return their number."""
    state = _read(system)
    if state.scan is None and not _is_due(system, state):
        return 0
    state = state if state.scan else _begun(system, state)
    scan, adopted = state.scan, 0
    assert scan is not None
    for infos in _pages(system, scan.cursor):
        adopted += _adopt(system, _candidates(system, scan, infos))
        scan = scan.model_copy(update={"cursor": infos[-1].ref.name})
        if deadline.has_passed:
            overwrite(system, STATE_NAME, state.model_copy(update={"scan": scan}))
            return adopted
    overwrite(system, STATE_NAME, state.model_copy(update={"until": _youngest(system, scan), "scan": None}))
    return adopted


def _read(system: System) -> ScanState:
    try:
        return read_record(system, STATE_NAME, ScanState)
    except (ObjectNotFound, PermanentError):  # the first time, or state of another release: scan the whole window
        return ScanState()


def _is_due(system: System, state: ScanState) -> bool:
    if state.until is None:
        return True
    age = system.clock.now() - state.until
    return age >= timedelta(seconds=system.settings.orphan_after_s + system.settings.orphan_scan_s)


def _begun(system: System, state: ScanState) -> ScanState:
    now, settings = system.clock.now(), system.settings
    oldest = now - timedelta(seconds=settings.orphan_window_s)
    is_whole = state.until is None or state.whole_at is None or now - state.whole_at >= _WHOLE
    since = oldest if is_whole or state.until is None else max(oldest, state.until - _CLOCKS)
    scan = Scan(began_at=now, since=since)
    return state.model_copy(update={"scan": scan, "whole_at": now if is_whole else state.whole_at})


def _youngest(system: System, scan: Scan) -> datetime:
    return scan.began_at - timedelta(seconds=system.settings.orphan_after_s)


def _pages(system: System, cursor: str) -> Iterator[list[ObjectInfo]]:
    infos = system.objects.list(system.settings.uploads_bucket, after=cursor)
    while page := list(islice(infos, _AT_ONCE)):
        yield page


def _candidates(system: System, scan: Scan, infos: list[ObjectInfo]) -> dict[str, ObjectInfo]:
    youngest = _youngest(system, scan)
    return {job_id(info.ref): info for info in infos if scan.since <= info.created_at <= youngest}


def _adopt(system: System, candidates: Mapping[str, ObjectInfo]) -> int:
    missing = system.jobs.absent(list(candidates)) if candidates else set()
    return sum(accept_upload(system, upload_of(candidates[each])) is not None for each in sorted(missing))
