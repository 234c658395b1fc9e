"""Defines the callback that reports the end of a job, and its signature.

A callback is a POST of JSON. Its signature is an HMAC over the time of sending and the bytes of the body. So neither
can be changed, and the receiver can refuse an old callback that is sent again.

    Darkroom-Event-Id    the same for every attempt to deliver the same event
    Darkroom-Timestamp   seconds since 1970
    Darkroom-Signature   v1=HMAC-SHA256(key, "{timestamp}.{body}") in hexadecimal digits
"""

import hashlib
import hmac
import json
from datetime import datetime

from pydantic import Field

from darkroom.domain.job import Job, Status
from darkroom.domain.messages import Record

CALLBACKS_TOPIC = "callbacks"
#: Metadata key of the callback URL of an upload.
CALLBACK_KEY = "callback-url"


class CallbackDue(Record):
    """A callback is to report that a run of a job has ended."""

    job_id: str = Field(min_length=1)
    run: int = Field(ge=1)
    status: Status

    @property
    def event_id(self) -> str:
        """The same for every copy."""
        return hashlib.sha256(f"{self.job_id}/{self.run}/{self.status}".encode()).hexdigest()[:16]


def callback_body(job: Job, due: CallbackDue) -> bytes:
    """The body of a callback: the event and a summary of the job."""
    body = {
        "event": f"job.{due.status}",
        "event_id": due.event_id,
        "job": {
            "id": job.id,
            "run": job.run,
            "status": job.status,
            "qc_status": job.qc_status,
            "display_name": job.display_name,
            "labels": job.labels,
            "batches": job.batches,
            "score": job.after.score if job.after else None,
            "error": {"code": job.error.code, "message": job.error.message} if job.error else None,
            "path": f"/v1/jobs/{job.id}",
            "result": f"/v1/jobs/{job.id}/result" if job.result else None,
        },
    }
    return json.dumps(body, ensure_ascii=False).encode()


def signed_headers(key: str, body: bytes, *, event_id: str, now: datetime) -> dict[str, str]:
    """The headers that go with a body."""
    timestamp = str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        "Darkroom-Event-Id": event_id,
        "Darkroom-Timestamp": timestamp,
        "Darkroom-Signature": f"v1={signature(key, body, timestamp=timestamp)}",
    }


def callback_key(signing_key: str, owner: str) -> str:
    """The key of one owner's callbacks, derived from the key of the system, which cannot be computed from it."""
    return hmac.new(signing_key.encode(), f"callbacks/{owner}".encode(), hashlib.sha256).hexdigest()


def signature(key: str, body: bytes, *, timestamp: str) -> str:
    """The HMAC over the moment and the body, in hexadecimal digits."""
    return hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
