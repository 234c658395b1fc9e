"""Turns the rows of an import into jobs.

    start ─▶ parts of the rows are stored ─▶ RowsListed ─▶ RowRequested, one a row ─▶ fetch ─▶ uploads bucket

The name of a picture in the uploads bucket is computed from its row and its owner. So a row that occurs twice, in one
import or in two, is fetched once and is one job, which belongs to both. A redelivered message finds what is done. The
picture is then processed as every photograph.
"""

from collections.abc import Callable, Sequence
from urllib.parse import unquote, urlsplit

from darkroom.domain.errors import (
    BatchNotFound,
    NotAllowed,
    ObjectExists,
    ObjectNotFound,
    PermanentError,
    TransientError,
)
from darkroom.domain.job import Job
from darkroom.domain.messages import ObjectRef, Upload
from darkroom.domain.new_job import BATCH_KEY, DISPLAY_NAME_KEY, LABEL_PREFIX
from darkroom.domain.products.batches import Batch, Refusal, Rows, attempt_name, batch_name, rows_name
from darkroom.domain.products.messages import ProductMessage, RowRequested, RowsListed
from darkroom.domain.products.rows import MAX_TEXT_BYTES, Numbered, Row
from darkroom.handlers.batches import cancel_if_cancelled, is_cancelled, read_batch, record_refusal
from darkroom.handlers.job_updates import change_job, send
from darkroom.handlers.records import find_record, read_record, write_once
from darkroom.handlers.uploads import (
    SOURCE_URL_KEY,
    accept_upload,
    check_size,
    register_upload,
    upload_of,
)
from darkroom.runtime.logs import log
from darkroom.runtime.ports import NewObject, ObjectInfo
from darkroom.runtime.system import System

#: Folder of the uploads bucket for what was imported.
FOLDER = "import"
#: Rows of one RowsListed.
ROWS_AT_ONCE = 200

#: The bytes behind a URL. Raises PermanentError or TransientError.
Fetch = Callable[[str], bytes]


def start_import(system: System, batch: Batch, rows: Sequence[Numbered]) -> None:
    """Write the import down and have its rows fetched."""
    shards = [tuple(rows[start : start + ROWS_AT_ONCE]) for start in range(0, len(rows), ROWS_AT_ONCE)]
    for number, part in enumerate(shards):
        write_once(system, rows_name(batch.id, number), Rows(rows=part))
    write_once(system, batch_name(batch.id), batch)
    log("INFO", "batch_started", f"Began import {batch.id} of {len(rows)} pictures.", event_id=batch.id)
    for number in range(len(shards)):
        send(system, RowsListed(batch_id=batch.id, shard=number))


def handle_import_message(system: System, message: ProductMessage, fetch: Fetch) -> None:
    """List rows, or fetch one. Raises PermanentError for a message that belongs elsewhere."""
    try:
        batch = read_batch(system, message.batch_id)
    except BatchNotFound as exc:
        log("WARNING", "event_ignored", f"{exc}.", event_id=message.batch_id)
        return
    if isinstance(message, RowsListed):
        for each in _rows(system, message):
            send(system, RowRequested(batch_id=batch.id, row=each.row, picture=each.picture))
    elif isinstance(message, RowRequested):
        _import_row(system, batch, message, fetch)
    else:
        raise PermanentError(f"{type(message).__name__} is not for the importer", code="wrong_message")


def _rows(system: System, message: RowsListed) -> tuple[Numbered, ...]:
    return read_record(system, rows_name(message.batch_id, message.shard), Rows).rows


def _import_row(system: System, batch: Batch, request: RowRequested, fetch: Fetch) -> None:
    try:
        if is_cancelled(system, batch.id):
            raise NotAllowed("the import was cancelled before this was fetched", code="batch_cancelled")
        job = _job_of(system, batch, request.picture, fetch)
    except PermanentError as exc:
        log("WARNING", "row_refused", f"Row {request.row}: {exc}.", event_id=batch.id)
        record_refusal(system, batch.id, _refusal(request, exc.code, str(exc)))
        return
    except TransientError as exc:
        log("WARNING", "row_attempt_failed", f"Row {request.row} will be tried again: {exc}.", event_id=batch.id)
        write_once(system, attempt_name(batch.id, request.row), _refusal(request, exc.code, str(exc)))
        raise
    cancel_if_cancelled(system, batch.id, job)


def _refusal(request: RowRequested, code: str, message: str) -> Refusal:
    return Refusal(what=str(request.row), code=code, message=message, image_url=request.picture.image_url)


def _job_of(system: System, batch: Batch, row: Row, fetch: Fetch) -> Job:
    """The job of a row, as a member of the batch. The event of its upload may have created it already."""
    bucket, name = system.settings.uploads_bucket, f"{FOLDER}/{row.identity(batch.owner)}"
    try:
        info = system.objects.stat(bucket, name)
    except ObjectNotFound:
        info = _upload(system, name, _new_object(batch, row, fetch(row.image_url)))
    if info.metadata.get(BATCH_KEY) == batch.id:
        return register_upload(system, upload_of(info))
    job = accept_upload(system, upload_of(info))
    assert job is not None, "an import's name is that of a photograph"
    return change_job(system, job.id, lambda job: job.in_batch(batch.id))


def _upload(system: System, name: str, new: NewObject) -> ObjectInfo:
    bucket = system.settings.uploads_bucket
    fetched = ObjectRef(bucket=bucket, name=name, generation=0)
    check_size(Upload(ref=fetched, size_bytes=len(new.data)), system.settings.max_bytes)
    try:
        return system.objects.create(bucket, name, new)
    except ObjectExists:
        return system.objects.stat(bucket, name)


def _new_object(batch: Batch, row: Row, data: bytes) -> NewObject:
    """The metadata that `darkroom.handlers.uploads` reads. The format is detected later, from the bytes."""
    metadata = {BATCH_KEY: batch.id, SOURCE_URL_KEY: row.image_url, DISPLAY_NAME_KEY: _display_name(row)}
    metadata |= {LABEL_PREFIX + name: value for name, value in row.labels.items()}
    metadata |= {"owner": batch.owner} if batch.owner else {}
    if batch.pipeline is not None:
        metadata["pipeline"] = batch.pipeline.model_dump_json(exclude_defaults=True)
    return NewObject(data=data, content_type="application/octet-stream", metadata=metadata)


def _display_name(row: Row) -> str:
    """The last part of the URL's path, or the SKU."""
    last = unquote(urlsplit(row.image_url).path.rstrip("/").rpartition("/")[2], errors="replace")
    printable = "".join(each for each in last if each.isprintable()).strip()
    return printable.encode()[:MAX_TEXT_BYTES].decode(errors="ignore") or row.sku_id


def give_up_row(system: System, request: RowRequested, deliveries: int) -> None:
    """Write down that a row was tried for the last time, and why the first attempt failed."""
    first = find_record(system, attempt_name(request.batch_id, request.row), Refusal)
    cause = f"; the first one: {first.message}" if first else ""
    message = f"given up after {deliveries} attempts{cause}"
    record_refusal(system, request.batch_id, _refusal(request, "delivery_exhausted", message))
