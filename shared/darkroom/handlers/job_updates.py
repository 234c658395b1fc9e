"""Changes jobs by compare-and-set, and publishes messages.

A change reads the job, changes it and saves it. If another process has saved the job in the meantime, the change starts
again.
"""

from collections.abc import Callable

from darkroom.domain.envelope import Message, encode, topic_of
from darkroom.domain.errors import RevisionConflict, TransientError
from darkroom.domain.job import Job
from darkroom.domain.messages import StageMessage
from darkroom.handlers.progress import log_progress
from darkroom.runtime.system import System

#: Attempts of the compare-and-set before the message is delivered again.
MAX_ATTEMPTS = 20


def change_job(system: System, job_id: str, change: Callable[[Job], Job]) -> Job:
    """The job after `change`, saved; unchanged, and not saved, if `change` returns the very job it was given.

    `change` may run several times and must have no side effect. The new state is logged after it was saved. Raises
    JobNotFound, the exceptions of `change`, and TransientError if other processes saved the job every time.
    """
    for _ in range(MAX_ATTEMPTS):
        job = system.jobs.get(job_id)
        changed = change(job)
        if changed is job:
            return job
        try:
            saved = system.jobs.save(changed)
        except RevisionConflict:
            continue
        log_progress(job, saved)
        return saved
    raise TransientError(f"job {job_id} was changed by others {MAX_ATTEMPTS} times in a row")


def publish_next_step(system: System, job: Job) -> None:
    """Publish the message that moves the job on, if there is one."""
    request = job.next_request()
    if request is not None:
        send(system, request)


def send(system: System, message: Message) -> None:
    """Publish one message on its topic."""
    system.publisher.publish(topic_of(message), *encode(message))


def given_up_name(message: StageMessage) -> str:
    """The object among a job's artifacts which states that the answer to a request is not needed any more."""
    return f"{message.job_id}/given-up/{message.run}-{message.index}-{message.replay}"
