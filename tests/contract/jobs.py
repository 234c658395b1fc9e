"""Jobs to store."""

from datetime import UTC, datetime, timedelta

from darkroom.domain.job import Job
from darkroom.domain.messages import ObjectRef, Upload
from darkroom.domain.pipeline import Pipeline

START = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)


def make_job(job_id: str = "job-1", *, minutes: float = 0, **fields: object) -> Job:
    """A job that was last changed some minutes after `START`."""
    source = Upload(ref=ObjectRef(bucket="uploads", name=f"{job_id}.jpg", generation=1), size_bytes=1)
    moment = START + timedelta(minutes=minutes)
    stored: dict[str, object] = {
        "id": job_id,
        "source": source,
        "display_name": source.ref.name,
        "pipeline": Pipeline(),
        "created_at": START,
        "updated_at": moment,
        "expires_at": moment + timedelta(days=30),
    }
    return Job.model_validate(stored | fields)
