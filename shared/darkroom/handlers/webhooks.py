"""Reports the end of a job to the callback URL of its upload.

Delivery is at least once; the receiver recognises repetitions by the id of the event.
"""

from collections.abc import Callable, Mapping

from darkroom.domain.errors import ConfigurationError, JobNotFound, PermanentError
from darkroom.domain.job import FINAL, Job
from darkroom.domain.webhooks import (
    CALLBACK_KEY,
    CallbackDue,
    callback_body,
    callback_key,
    signed_headers,
)
from darkroom.handlers.job_updates import change_job, send
from darkroom.runtime.logs import log
from darkroom.runtime.system import System

#: Posts a body with headers to a URL. Raises PermanentError or TransientError.
Post = Callable[[str, bytes, Mapping[str, str]], None]


def enqueue_webhook(system: System, job: Job) -> None:
    """Publish the callback of a job that has ended, if its upload names a URL."""
    if job.status in FINAL and CALLBACK_KEY in job.source.metadata:
        send(system, CallbackDue(job_id=job.id, run=job.run, status=job.status))


def deliver_callback(system: System, due: CallbackDue, *, post: Post, signing_key: str) -> None:
    """Post the callback. A permanent failure is noted in the history of the job; a transient one is raised."""
    try:
        job = system.jobs.get(due.job_id)
    except JobNotFound:
        log("WARNING", "event_ignored", f"There is no job {due.job_id} any more.", job_id=due.job_id)
        return
    url = job.source.metadata.get(CALLBACK_KEY)
    if url is None or job.run != due.run:
        return
    if not signing_key:
        raise ConfigurationError("signing_key must be set to sign callbacks")
    key = callback_key(signing_key, job.owner)
    body = callback_body(job, due)
    headers = signed_headers(key, body, event_id=due.event_id, now=system.clock.now())
    try:
        post(url, body, headers)
    except PermanentError as exc:
        _note(system, due, f"refused: {exc}")


def give_up_callback(system: System, due: CallbackDue, deliveries: int) -> None:
    """Note in the history of the job that the callback could not be delivered."""
    _note(system, due, f"given up after {deliveries} attempts")


def _note(system: System, due: CallbackDue, text: str) -> None:
    log("WARNING", "callback_failed", f"The callback for job.{due.status} was {text}.", job_id=due.job_id)
    try:
        change_job(system, due.job_id, lambda job: job.noted(system.clock.now(), "callback_failed", text))
    except JobNotFound:
        return
