"""How far is a job, live?

Server-sent events for whoever accepts them, as long as there are threads to spare; one JSON document for everybody
else, who asks again. A stream looks at the job twice a second, sends what changed, and ends with the job or after 50 s;
browsers then connect again by themselves and tell with `Last-Event-ID` what they know.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from collections.abc import Generator, Iterator
from threading import BoundedSemaphore

from pydantic import BaseModel

from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.views import Progress
from darkroom.api.routes.jobs import job_of
from darkroom.domain.errors import JobNotFound, TransientError
from darkroom.domain.job import FINAL, Job

#: Seconds between two looks, and looks of one stream: shorter than the timeouts of proxies.
_PAUSE_S, _LOOKS = 0.5, 100
#: Looks without a change after which a comment shows that the stream lives.
_SIGN_OF_LIFE = 20
#: Milliseconds after which a browser connects again.
_RETRY_MS = 2000
_STREAM = "text/event-stream"


def events(call: RequestContext) -> ApiResponse:
    """The progress of a job: a stream of events, or one document."""
    job = job_of(call)
    best = call.request.accept_mimetypes.best_match(["application/json", _STREAM], default="application/json")
    if best != _STREAM or not call.parts.streams.acquire(blocking=False):
        headers = {} if job.status in FINAL else {"Retry-After": "1"}
        return ApiResponse(content=Progress.of(job), headers=headers)
    known = call.request.headers.get("Last-Event-ID", "")
    stream = Stream(_stream(call, job, known), call.parts.streams)
    return ApiResponse(content=stream, content_type=_STREAM, headers={"X-Accel-Buffering": "no"})


class Stream(Iterator[bytes]):
    """Events that give their place back when they end, or when the server closes them because the client has gone."""

    def __init__(self, events: Generator[bytes, None, None], places: BoundedSemaphore) -> None:
        self._events, self._places, self._closed = events, places, False

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """Called by the server, once or more, however the answer ends; a generator alone would not hear of it if it
        had not begun."""
        self._events.close()
        if not self._closed:
            self._closed = True
            self._places.release()


def _stream(call: RequestContext, job: Job, known: str) -> Generator[bytes, None, None]:
    yield f"retry: {_RETRY_MS}\n\n".encode()
    unchanged = 0
    for _ in range(_LOOKS):
        unchanged += 1
        if _event_id(job) != known:
            known, unchanged = _event_id(job), 0
            yield _event("progress", Progress.of(job), known)
        if job.status in FINAL:
            yield _event("end", Progress.of(job), known)
            return
        if unchanged and unchanged % _SIGN_OF_LIFE == 0:
            yield b": still here\n\n"
        call.parts.pause(_PAUSE_S)
        try:
            job = call.parts.system.jobs.get(job.id)
        except (JobNotFound, TransientError):  # deleted, or not to be had: whoever connects again is told so
            return


def _event_id(job: Job) -> str:
    return str(job.revision)


def _event(name: str, content: BaseModel, event_id: str) -> bytes:
    return f"id: {event_id}\nevent: {name}\ndata: {content.model_dump_json()}\n\n".encode()


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/jobs/{job}/events",
        name="job_events",
        summary="How far the job is: server-sent events, or one document to poll",
        access="submitter",
        handler=events,
        outcomes=(ResponseSpec(what="the progress", model=Progress, media=(_STREAM,)),),
        problems=(404,),
        headers={"Last-Event-ID": "what a stream that broke off told last"},
    ),
)
