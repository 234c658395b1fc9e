"""Creates the job of an object that was finalized in the uploads bucket."""

import hashlib
from dataclasses import replace
from datetime import datetime

from darkroom.domain.errors import BadPipeline, JobExists, NotAllowed, ObjectExists, PermanentError, is_input_fault
from darkroom.domain.job import MAX_NAME_BYTES, Job, job_id, name_beside
from darkroom.domain.messages import Upload
from darkroom.domain.new_job import LABEL_PREFIX, new_job, with_first_step
from darkroom.domain.pipeline import Pipeline, near_preset, parse_pipeline, pipeline_of_path
from darkroom.handlers.configs import configured_pipeline
from darkroom.handlers.job_updates import publish_next_step
from darkroom.handlers.objects import is_shared
from darkroom.handlers.progress import log_failure
from darkroom.handlers.quota import is_spent
from darkroom.handlers.sidecars import described, is_sidecar
from darkroom.handlers.webhooks import enqueue_webhook
from darkroom.runtime.logs import log
from darkroom.runtime.ports import NewObject, ObjectInfo
from darkroom.runtime.system import System

#: Metadata key of the id of a signed upload; it becomes a label of the job.
UPLOAD_LABEL = f"{LABEL_PREFIX}upload"
#: Metadata key of the URL from which an import fetched the picture.
SOURCE_URL_KEY = "source-url"


def accept_upload(system: System, upload: Upload) -> Job | None:
    """The job of an upload, created if it does not exist; None for an object that can never be a photograph.

    An upload that cannot be processed gets a failed job, which states the reason.
    """
    if reason := _no_photograph(system, upload):
        log("INFO", "upload_ignored", f"Ignored {upload.ref}: {reason}.")
        return None
    job = register_upload(system, upload)
    if len(job.records) == 0:
        publish_next_step(system, job)
    enqueue_webhook(system, job)
    return job


def register_upload(system: System, upload: Upload) -> Job:
    """The job of an upload, stored unless it exists; the event of the upload requests its first step."""
    job = _new_job(system, upload)
    try:
        job = system.jobs.create(job)
    except JobExists:
        return system.jobs.get(job.id)
    _log_begun(job)
    return job


def _log_begun(job: Job) -> None:
    ref, error = job.source.ref, job.error
    if error is None:
        log("INFO", "upload_accepted", f"Accepted {ref} as {job.pipeline.label}.", job_id=job.id)
    elif is_input_fault(error.code):
        text = f"Rejected {ref}: {error.message}."
        log("WARNING", "upload_rejected", text, job_id=job.id, code=error.code, fault="input")
    else:
        log_failure(job)


def submit_upload(system: System, name: str, new: NewObject) -> Job:
    """Put a photograph into the uploads bucket and return its job. The event of the upload requests its first step.

    The same name again is the same job, if it brings the same photograph with the same metadata, of which
    `content-sha256` identifies the content. Raises NotAllowed if the key was used with other content.
    """
    bucket = system.settings.uploads_bucket
    digest = hashlib.sha256(new.data).hexdigest()
    new = replace(new, metadata={**new.metadata, "content-sha256": digest})
    try:
        info = system.objects.create(bucket, name, new)
    except ObjectExists:
        info = system.objects.stat(bucket, name)
        if dict(info.metadata) != dict(new.metadata):
            raise NotAllowed(
                f"this key was used before with another photograph or other options, for job {job_id(info.ref)}",
                code="idempotency_key_reused",
            ) from None
    return register_upload(system, upload_of(info))


def upload_of(info: ObjectInfo) -> Upload:
    """An object as described by the event of its upload."""
    return Upload(
        ref=info.ref,
        size_bytes=info.size_bytes,
        content_type=info.content_type,
        crc32c=info.crc32c,
        metadata=dict(info.metadata),
    )


def _no_photograph(system: System, upload: Upload) -> str | None:
    if upload.ref.bucket != system.settings.uploads_bucket:
        return f"it is not in the uploads bucket {system.settings.uploads_bucket}"
    if is_shared(upload.ref.name):
        return "it is shared, for pipelines that name it"
    if _is_used_up(system, upload):
        return "its signature was used before, for a photograph that was deleted"
    if is_sidecar(upload):
        return "it describes the photograph beside it"
    return "it is a folder marker" if upload.ref.name.endswith("/") else None


def _is_used_up(system: System, upload: Upload) -> bool:
    """Whether a signed upload came a second time, after its first photograph was deleted."""
    owner = upload.metadata.get("owner", "")
    return bool(owner) and UPLOAD_LABEL in upload.metadata and is_spent(system, owner, upload.ref.name)


def _new_job(system: System, upload: Upload) -> Job:
    now = system.clock.now()
    job = new_job(upload, now=now, expires_at=system.expiry())
    try:
        job = new_job(described(system, upload), now=now, expires_at=system.expiry())
        check_size(upload, system.settings.max_bytes)
        _check_name(upload.ref.name)
        job = _warned(job.model_copy(update={"pipeline": _pipeline(system, job)}), now)
    except PermanentError as exc:
        return job.failed(now, exc.code, str(exc))
    return with_first_step(job, system.buckets, system.model_registry)


def _warned(job: Job, now: datetime) -> Job:
    """The job with a line of history if its first folder is nearly a preset's name, and so chose nothing."""
    folder, _, rest = job.source.ref.name.partition("/")
    meant = near_preset(folder) if rest and "pipeline" not in job.source.metadata else None
    if meant is None:
        return job
    text = f"the folder {folder!r} names no preset, so the pipeline is {job.pipeline.label}; did you mean {meant!r}?"
    log("WARNING", "folder_misspelt", f"{job.source.ref}: {text}", job_id=job.id)
    return job.noted(now, "folder_misspelt", text)


def _check_name(name: str) -> None:
    """Refuse a path that is too long for the names of its results. Raises PermanentError."""
    longest = name_beside(name, "0" * 20, "json")
    if len(longest.encode()) > MAX_NAME_BYTES:
        beyond = len(longest.encode()) - MAX_NAME_BYTES
        message = (
            f"the folder is {beyond} bytes too long: the names of results in it would exceed {MAX_NAME_BYTES} bytes"
        )
        raise PermanentError(message, code="name_too_long")


def check_size(upload: Upload, max_bytes: int) -> None:
    """Refuse what no stage may read. Raises PermanentError with value and limit."""
    if upload.size_bytes == 0:
        raise PermanentError("the object has 0 bytes", code="empty_object")
    if upload.size_bytes > max_bytes:
        raise PermanentError(f"{upload.size_bytes} bytes exceed {max_bytes} bytes", code="too_many_bytes")


def _pipeline(system: System, job: Job) -> Pipeline:
    """The pipeline of the upload's metadata, or else of its SKU or group, or else its folder's preset."""
    requested = job.source.metadata.get("pipeline")
    if requested is None:
        by_folder = pipeline_of_path(job.source.ref.name)
        return configured_pipeline(system, job.owner, job.labels, default=by_folder)
    try:
        return parse_pipeline(requested)
    except BadPipeline as exc:
        raise BadPipeline(f"metadata pipeline: {exc}", code=exc.code) from exc
