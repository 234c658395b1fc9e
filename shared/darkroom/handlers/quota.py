"""Limits the number of photographs of an owner; counting and reserving is one atomic step.

The jobs of the owner count, and so do the reservations for photographs without a job yet. A reservation is saved only
if no other process has saved one of the same owner since the count. Of any number of parallel requests, exactly as many
succeed as there are free places. When the job of a reservation is stored, the job counts instead. An unused reservation
expires, so a process that crashes in between blocks its place only for that time.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from darkroom.domain.errors import ObjectNotFound, RevisionConflict, TransientError
from darkroom.domain.job import Job, job_id
from darkroom.domain.products.batches import refusals_of
from darkroom.domain.quota import Reservation, Reservations
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.system import System

#: Largest number of attempts of the compare-and-set; at least one of several writers succeeds in each.
MAX_ROUNDS = 100
#: Largest number of reservations of one owner; each needs about 200 bytes of a Firestore document of at most 1 MiB.
MAX_ENTRIES = 4000

Entries = Mapping[str, Reservation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The outcome of a reservation."""

    #: Photographs that the owner keeps, reserved places included, before the reservation.
    kept: int
    #: Under which id the places are reserved; None if there is no room.
    id: str | None


def reserve(system: System, owner: str, wanted: Reservation, *, limit: int) -> Room:
    """Reserve places if the owner keeps at most `limit` photographs with them. Raises TransientError."""
    key = secrets.token_hex(8)
    for _ in range(MAX_ROUNDS):
        held = system.reservations.get(owner)
        entries = _unexpired(system, held)
        kept = _count(system, owner) + sum(_places(each) for each in entries.values())
        if kept + wanted.count > limit or len(entries) >= MAX_ENTRIES:
            entries, kept = _settled(system, owner, entries)
        if kept + wanted.count <= limit and len(entries) < MAX_ENTRIES:
            try:
                system.reservations.save(held.model_copy(update={"entries": {**entries, key: wanted}}))
            except RevisionConflict:
                continue
            return Room(kept=kept, id=key)
        if system.reservations.get(owner).version == held.version:
            return Room(kept=kept, id=None)
    raise TransientError(f"others reserved places of the same owner {MAX_ROUNDS} times in a row")


def release(system: System, owner: str, key: str) -> None:
    """Give a reservation back. One that is not there any more is no error."""
    _change(system, owner, lambda entries: {each: entries[each] for each in entries if each != key})


def job_deleted(system: System, job: Job) -> None:
    """Release the place of a deleted job, for every kind of reservation.

    Called after the job is deleted. The signature of a signed upload may not be used for a second photograph.
    """

    def change(entries: Entries) -> Entries:
        changed = {key: _without(each, job) for key, each in entries.items()}
        return {key: each for key, each in changed.items() if each is not None}

    _change(system, job.owner, change)


def is_spent(system: System, owner: str, name: str) -> bool:
    """Whether an upload of that name was signed, arrived, and was deleted with its job."""
    held = system.reservations.get(owner)
    return any(each.spent and each.object == name for each in held.entries.values())


def _without(reservation: Reservation, job: Job) -> Reservation | None:
    """What is left of a reservation when the job is deleted."""
    if reservation.batch and reservation.batch in job.batches and job.id not in reservation.deleted:
        return reservation.model_copy(update={"deleted": (*reservation.deleted, job.id)})
    if reservation.object != job.source.ref.name:
        return reservation
    return reservation.model_copy(update={"spent": True}) if reservation.signed else None


def _change(system: System, owner: str, change: Callable[[Entries], Entries]) -> None:
    for _ in range(MAX_ROUNDS):
        held = system.reservations.get(owner)
        entries = dict(change(held.entries))
        if entries == held.entries:
            return
        try:
            system.reservations.save(held.model_copy(update={"entries": entries}))
        except RevisionConflict:
            continue
        return
    raise TransientError(f"others changed the places of the same owner {MAX_ROUNDS} times in a row")


def _count(system: System, owner: str) -> int:
    return system.jobs.count(JobQuery(owner=owner))


def _unexpired(system: System, held: Reservations) -> Entries:
    now = system.clock.now()
    return {key: each for key, each in held.entries.items() if each.expires_at > now}


def _places(reservation: Reservation) -> int:
    """The most places that a reservation can take."""
    return 0 if reservation.spent else reservation.count


def _settled(system: System, owner: str, entries: Entries) -> tuple[Entries, int]:
    """The reservations that are still needed, and the photographs that the owner keeps with them.

    Jobs are counted between two equal reads of the reservations, so none is counted twice, as a job and as a
    reservation, and none is skipped.
    """
    open_places = _open_places(system, entries)
    for _ in range(MAX_ROUNDS):
        jobs, before = _count(system, owner), open_places
        open_places = _open_places(system, entries)
        if open_places == before:
            needed = {key: each for key, each in entries.items() if open_places[key] or each.signed}
            return needed, jobs + sum(open_places.values())
    raise TransientError(f"photographs of the same owner arrived {MAX_ROUNDS} times in a row")


def _open_places(system: System, entries: Entries) -> Mapping[str, int]:
    """How many places of each reservation are not taken by a job."""
    return {key: _open(system, each) if _places(each) else 0 for key, each in entries.items()}


def _open(system: System, reservation: Reservation) -> int:
    if reservation.batch:
        jobs = system.jobs.count(JobQuery(batch=reservation.batch))
        refused = system.jobs.tallied(refusals_of(reservation.batch))
        return max(0, reservation.count - jobs - refused - len(reservation.deleted))
    return 0 if has_job(system, reservation.object) else 1


def has_job(system: System, name: str) -> bool:
    """Whether the live object of that name in the uploads bucket has a job."""
    try:
        ref = system.objects.stat(system.settings.uploads_bucket, name).ref
    except ObjectNotFound:
        return False
    return not system.jobs.absent([job_id(ref)])
