"""The route that reports the progress of a job while it runs.

A client that accepts server-sent events gets a stream, if a thread is free. Any other client gets one JSON document,
and polls. A stream reads the job twice a second and sends the changes. It ends with the job or after 50 s; a browser
then reconnects and sends the last event that it has received in `Last-Event-ID`.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from collections.abc import Generator, Iterator
from threading import BoundedSemaphore

from pydantic import BaseModel

from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.core.views import Progress
from darkroom.api.routes.jobs import job_of
from darkroom.domain.errors import JobNotFound, TransientError
from darkroom.domain.job import FINAL, Job

#: Seconds between two reads of the job.
_PAUSE_S = 0.5
#: Reads of one stream: 50 s, shorter than the timeouts of proxies.
_READS = 100
#: Reads without a change after which a comment keeps the connection open.
_KEEP_ALIVE_READS = 20
#: Milliseconds after which a browser reconnects.
_RETRY_MS = 2000
#: Content type of server-sent events.
_STREAM = "text/event-stream"


def events(context: RequestContext) -> ApiResponse:
    """The progress of a job: a stream of events, or one document."""
    job = job_of(context)
    best = context.request.accept_mimetypes.best_match(["application/json", _STREAM], default="application/json")
    if best != _STREAM or not context.app.streams.acquire(blocking=False):
        headers = {} if job.status in FINAL else {"Retry-After": "1"}
        return ApiResponse(content=Progress.of(job), headers=headers)
    last_event_id = context.request.headers.get("Last-Event-ID", "")
    stream = Stream(_stream(context, job, last_event_id), context.app.streams)
    return ApiResponse(content=stream, content_type=_STREAM, headers={"X-Accel-Buffering": "no"})


class Stream(Iterator[bytes]):
    """Events that release their slot when they end, or when the server closes them because the client is gone."""

    def __init__(self, events: Generator[bytes, None, None], slots: BoundedSemaphore) -> None:
        self._events, self._slots, self._closed = events, slots, False

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """Release the slot. The server calls this at the end of every response, once or more.

        A generator alone is not enough: closing one that has not started runs none of its code.
        """
        self._events.close()
        if not self._closed:
            self._closed = True
            self._slots.release()


def _stream(context: RequestContext, job: Job, known: str) -> Generator[bytes, None, None]:
    yield f"retry: {_RETRY_MS}\n\n".encode()
    unchanged = 0
    for _ in range(_READS):
        unchanged += 1
        if _event_id(job) != known:
            known, unchanged = _event_id(job), 0
            yield _event("progress", Progress.of(job), known)
        if job.status in FINAL:
            yield _event("end", Progress.of(job), known)
            return
        if unchanged and unchanged % _KEEP_ALIVE_READS == 0:
            yield b": still here\n\n"
        context.app.pause(_PAUSE_S)
        try:
            job = context.app.system.jobs.get(job.id)
        except (JobNotFound, TransientError):  # deleted or unreachable: the next connection gets the error
            return


def _event_id(job: Job) -> str:
    return str(job.revision)


def _event(name: str, content: BaseModel, event_id: str) -> bytes:
    return f"id: {event_id}\nevent: {name}\ndata: {content.model_dump_json()}\n\n".encode()


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/jobs/{job}/events",
        name="job_events",
        summary="The progress of the job: server-sent events, or one document to poll",
        access="submitter",
        handler=events,
        responses=(ResponseSpec(description="the progress", model=Progress, media=(_STREAM,)),),
        problems=(404,),
        headers={"Last-Event-ID": "id of the last event of an interrupted stream"},
    ),
)
