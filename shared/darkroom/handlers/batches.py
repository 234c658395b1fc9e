"""Chooses, processes, counts and cancels the jobs of a batch.

    start ─▶ PageRequested ─▶ a page, chosen once and stored ─▶ JobsChosen ─▶ each job is processed again
                  ▲                      │
                  └──── the next page ───┘

A page is chosen among the jobs that have not changed since the batch began, the oldest change first. Adding a job to
the batch changes the job, so it cannot be chosen again.

A cancellation is stored first; then the jobs with the id of the batch are cancelled. A job that joins the batch is
saved with that id first; then the cancellation is checked. So no job can escape a cancellation.
"""

from collections.abc import Iterator
from itertools import islice

from darkroom.domain.errors import BatchNotFound, JobNotFound, NotAllowed, ObjectNotFound, PermanentError
from darkroom.domain.job import Job, job_id
from darkroom.domain.messages import Upload
from darkroom.domain.new_job import BATCH_KEY
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.products.batches import (
    STATUSES,
    Batch,
    BatchProgress,
    Cancelled,
    Chosen,
    Page,
    Refusal,
    batch_name,
    cancelled_name,
    chosen_name,
    folder,
    is_id,
    page_name,
    refusals_of,
    refused_name,
)
from darkroom.domain.products.messages import (
    BatchCancelled,
    JobsChosen,
    Member,
    PageRequested,
    ProductMessage,
)
from darkroom.handlers.configs import configured_pipeline
from darkroom.handlers.job_commands import cancel_job, reworked
from darkroom.handlers.job_updates import change_job, publish_next_step, send
from darkroom.handlers.records import find_record, list_records, read_record, write_once
from darkroom.handlers.uploads import accept_upload, upload_of
from darkroom.runtime.logs import log
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.system import System

#: Jobs that one PageRequested chooses.
PAGE_SIZE = 200
#: Jobs in one JobsChosen.
CHOSEN_AT_ONCE = 20
#: Jobs that one BatchCancelled cancels.
CANCELLED_AT_ONCE = 100


def start_batch(system: System, batch: Batch) -> None:
    """Store the batch and begin to choose its jobs."""
    write_once(system, batch_name(batch.id), batch)
    log("INFO", "batch_started", f"Began batch {batch.id} of at most {batch.budget} pictures.", event_id=batch.id)
    send(system, PageRequested(batch_id=batch.id, page=0, room=batch.budget))


def read_batch(system: System, batch_id: str) -> Batch:
    """The batch of that id. Raises BatchNotFound."""
    missing = BatchNotFound(f"there is no batch {batch_id[:80]}")
    if not is_id(batch_id):
        raise missing
    try:
        return read_record(system, batch_name(batch_id), Batch)
    except ObjectNotFound as exc:
        raise missing from exc


def is_cancelled(system: System, batch_id: str) -> bool:
    """Whether the batch was cancelled."""
    return _cancellation(system, batch_id) is not None


def _cancellation(system: System, batch_id: str) -> Cancelled | None:
    return find_record(system, cancelled_name(batch_id), Cancelled)


def record_refusal(system: System, batch_id: str, refusal: Refusal) -> None:
    """Store, once, why an item of the batch was refused; the metadata repeat it, so that a listing contains it."""
    metadata = {"what": refusal.what[:200], "code": refusal.code, "message": refusal.message[:500]}
    metadata |= {"image_url": refusal.image_url} if refusal.image_url else {}
    name = refused_name(batch_id, refusal.what)
    write_once(system, name, refusal, metadata=metadata)
    # Also if the record exists: the process that wrote it may have ended before it was counted.
    system.jobs.tally(refusals_of(batch_id), name)


def handle_batch_message(system: System, message: ProductMessage) -> None:
    """Choose, process or cancel jobs. Raises PermanentError for a message of another kind."""
    try:
        batch = read_batch(system, message.batch_id)
    except BatchNotFound as exc:
        log("WARNING", "event_ignored", f"{exc}.", event_id=message.batch_id)
        return
    if isinstance(message, PageRequested):
        choose_page(system, batch, message)
    elif isinstance(message, JobsChosen):
        for member in message.members:
            process_member(system, batch, member)
    elif isinstance(message, BatchCancelled):
        cancel_some(system, batch)
    else:
        raise PermanentError(f"{type(message).__name__} is not for batches", code="wrong_message")


def choose_page(system: System, batch: Batch, request: PageRequested) -> None:
    """Choose the next jobs, publish their messages, and publish the request for the next page."""
    name = page_name(batch.id, request.page)
    page = find_record(system, name, Page)
    if page is None:
        stopped = is_cancelled(system, batch.id)
        chosen = Page(members=()) if stopped else _choose(system, batch, request)
        metadata = {"count": str(len(chosen.members)), "last": str(chosen.cursor is None).lower()}
        # If two processes choose at the same moment, both use the page that was stored first.
        page = chosen if write_once(system, name, chosen, metadata=metadata) else read_record(system, name, Page)
    if page.cursor is None:
        total = batch.budget - request.room + len(page.members)
        write_once(system, chosen_name(batch.id), Chosen(total=total))
    for part in _parts(page.members):
        send(system, JobsChosen(batch_id=batch.id, members=part))
    if page.cursor is not None:
        following = PageRequested(batch_id=batch.id, page=request.page + 1, cursor=page.cursor, room=page.room)
        send(system, following)


def _choose(system: System, batch: Batch, request: PageRequested) -> Page:
    selection = batch.selection
    if selection is None or not request.room:
        return Page(members=())
    limit = min(PAGE_SIZE, request.room)
    if selection.label is None:
        start = int(request.cursor or 0)
        members = selection.members[start : start + limit]
        cursor = str(start + limit) if start + limit < len(selection.members) else None
    else:
        query = JobQuery(
            label=selection.label,
            owner=selection.owner,
            updated_before=batch.created_at,
            limit=limit,
            cursor=request.cursor,
        )
        found = system.jobs.query(query)
        members = tuple(Member(kind="job", name=job.id) for job in found.jobs)
        cursor = found.next_cursor
    room = request.room - len(members)
    return Page(members=members, cursor=cursor if room else None, room=room)


def _parts(members: tuple[Member, ...]) -> Iterator[tuple[Member, ...]]:
    remaining = iter(members)
    while part := tuple(islice(remaining, CHOSEN_AT_ONCE)):
        yield part


def process_member(system: System, batch: Batch, member: Member) -> None:
    """Process one picture with the options of the batch, or record why that is not possible."""
    try:
        if is_cancelled(system, batch.id):
            raise NotAllowed("the batch was cancelled before this picture began", code="batch_cancelled")
        job = _add_job(system, batch, member.name) if member.kind == "job" else _add_object(system, batch, member)
    except (PermanentError, JobNotFound, ObjectNotFound) as exc:
        record_refusal(system, batch.id, Refusal(what=member.name, code=exc.code, message=str(exc)))
        return
    cancel_if_cancelled(system, batch.id, job)


def cancel_if_cancelled(system: System, batch_id: str, job: Job) -> None:
    """Cancel a job that joined its batch during the cancellation."""
    if found := _cancellation(system, batch_id):
        _cancel(system, job.id, found.by)


def _add_job(system: System, batch: Batch, job_id: str) -> Job:
    def change(job: Job) -> Job:
        if batch.id in job.batches:
            return job
        _require_read(batch, job)
        pipeline = batch.pipeline or configured_pipeline(system, job.owner, job.labels, default=job.pipeline)
        return reworked(system, job, pipeline, who=batch.owner, notes=f"batch {batch.id}").in_batch(batch.id)

    job = change_job(system, job_id, change)
    if not job.records:
        publish_next_step(system, job)
    return job


def _require_read(batch: Batch, job: Job) -> None:
    """Raises JobNotFound for the job of another owner, exactly as if there were none."""
    owner = batch.selection.owner if batch.selection else batch.owner
    if owner is not None and job.owner != owner:
        raise JobNotFound(f"there is no job {job.id}")


def _add_object(system: System, batch: Batch, member: Member) -> Job:
    """The job of an object of the uploads bucket, created if it does not exist."""
    missing = ObjectNotFound(f"there is no object {member.name[:200]!r} in the uploads bucket")
    try:
        info = system.objects.stat(system.settings.uploads_bucket, member.name)
    except ObjectNotFound as exc:
        raise missing from exc
    owner = batch.selection.owner if batch.selection else batch.owner
    if owner is not None and info.metadata.get("owner", "") != owner:
        raise missing
    found = job_id(info.ref)
    if not system.jobs.absent([found]):
        return _add_job(system, batch, found)
    job = accept_upload(system, _with_options(upload_of(info), batch.pipeline, batch.id))
    if job is None:
        raise missing
    # Another process may have created the job a moment before, without the batch.
    return change_job(system, job.id, lambda job: job.in_batch(batch.id))


def _with_options(upload: Upload, pipeline: Pipeline | None, batch_id: str) -> Upload:
    more = {BATCH_KEY: batch_id}
    more |= {"pipeline": pipeline.model_dump_json(exclude_defaults=True)} if pipeline else {}
    return upload.model_copy(update={"metadata": {**upload.metadata, **more}})


def cancel_batch(system: System, batch: Batch, *, who: str) -> None:
    """Add no more jobs to the batch, and begin to cancel its unfinished jobs. A second call changes nothing.

    A completed batch stays as it is.
    """
    if progress_of(system, batch).state == "completed":
        return
    write_once(system, cancelled_name(batch.id), Cancelled(by=who, at=system.clock.now()))
    log("INFO", "batch_cancelled", f"Batch {batch.id} was cancelled.", event_id=batch.id)
    send(system, BatchCancelled(batch_id=batch.id))


def cancel_some(system: System, batch: Batch) -> None:
    """Cancel some of the batch's unfinished jobs, and publish a request for the others."""
    found = _cancellation(system, batch.id)
    who = found.by if found else ""
    for status in ("pending", "processing"):
        page = system.jobs.query(JobQuery(batch=batch.id, status=status, limit=CANCELLED_AT_ONCE))
        for job in page.jobs:
            _cancel(system, job.id, who)
        if page.next_cursor is not None:
            send(system, BatchCancelled(batch_id=batch.id))
            return


def _cancel(system: System, job_id: str, who: str) -> None:
    try:
        cancel_job(system, job_id, who=who)
    except (NotAllowed, JobNotFound):
        return  # the job has ended in the meantime


def progress_of(system: System, batch: Batch) -> BatchProgress:
    """The progress of a batch, counted now."""
    counts = {status: system.jobs.count(JobQuery(batch=batch.id, status=status)) for status in STATUSES}
    return BatchProgress(
        total=batch.rows.accepted if batch.rows else _chosen(system, batch.id),
        jobs=counts,
        refused=system.jobs.tallied(refusals_of(batch.id)),
        is_cancelled=is_cancelled(system, batch.id),
        started_at=batch.created_at,
    )


def _chosen(system: System, batch_id: str) -> int | None:
    """The number of chosen jobs; None before all are chosen."""
    if found := find_record(system, chosen_name(batch_id), Chosen):
        return found.total
    # A batch of release 0.1.0 has only its pages: at most one for each 200 of 100,000 jobs.
    pages = [info.metadata for info in list_records(system, f"{folder(batch_id)}pages/")]
    if not pages or pages[-1].get("last") != "true":
        return None
    return sum(int(each.get("count", 0)) for each in pages)


def refusals(system: System, batch_id: str, limit: int) -> list[Refusal]:
    """The first refusals, rows in the order of their numbers."""
    found = islice(list_records(system, f"{folder(batch_id)}refused/"), limit)
    return [
        Refusal(
            what=info.metadata["what"],
            code=info.metadata["code"],
            message=info.metadata["message"],
            image_url=info.metadata.get("image_url"),
        )
        for info in found
    ]
