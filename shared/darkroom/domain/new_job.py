"""Creates the job of an upload, for the event path and for a run in one process."""

from datetime import datetime

from darkroom.domain.job import Job, job_id
from darkroom.domain.messages import Upload
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.planner import Buckets, ModelRegistry, first_step

#: Prefix of the metadata keys of an upload that become labels of its job.
LABEL_PREFIX = "label-"
#: Pattern of the names of labels.
LABEL_NAME = "[A-Za-z0-9_.-]{1,63}"
#: Metadata key of the name that people see.
DISPLAY_NAME_KEY = "display-name"
#: End of the name of an object that describes a photograph: `cat.jpg.darkroom.json` describes `cat.jpg`.
SIDECAR_SUFFIX = ".darkroom.json"
#: Metadata key of the batch to which an upload belongs.
BATCH_KEY = "batch"


def new_job(upload: Upload, *, now: datetime, expires_at: datetime) -> Job:
    """The job of an upload as its metadata describe it, with the default pipeline and no plan yet."""
    metadata = upload.metadata
    job = Job(
        id=job_id(upload.ref),
        source=upload,
        display_name=metadata.get(DISPLAY_NAME_KEY) or upload.ref.name.rsplit("/", 1)[-1],
        owner=metadata.get("owner", ""),
        labels={k.removeprefix(LABEL_PREFIX): v for k, v in metadata.items() if k.startswith(LABEL_PREFIX)},
        batches=(metadata[BATCH_KEY],) if metadata.get(BATCH_KEY) else (),
        pipeline=Pipeline(),
        created_at=now,
        updated_at=now,
        expires_at=expires_at,
    )
    return job.noted(now, "uploaded", f"{upload.ref}, {upload.size_bytes} bytes")


def with_first_step(job: Job, buckets: Buckets, registry: ModelRegistry) -> Job:
    """The job with the first plan of every run: only `assess`."""
    return job.model_copy(update={"plan": (first_step(job, buckets, registry),)})
