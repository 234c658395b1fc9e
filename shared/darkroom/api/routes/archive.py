"""The route that sends the results of a batch as a ZIP file.

One picture is in memory at a time, however many there are. Pictures are stored without compression: they are compressed
already.
"""

from collections.abc import Iterator
from io import BytesIO, UnsupportedOperation
from pathlib import PurePosixPath
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from typing_extensions import Buffer

from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.routes.batches import batch_of
from darkroom.domain.errors import ObjectNotFound
from darkroom.domain.job import Job
from darkroom.domain.messages import ObjectRef
from darkroom.handlers.pages import all_jobs
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.system import System

#: Jobs in memory at the same time.
_PAGE_SIZE = 200
#: Member that lists the results that were deleted before they could be read.
MISSING = "missing.txt"


class _Sink(BytesIO):
    """A file that cannot seek; `take` returns what was written since the last call."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: list[bytes] = []

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise UnsupportedOperation("a stream has no position")

    def write(self, data: Buffer, /) -> int:
        self._chunks.append(bytes(data))
        return len(self._chunks[-1])

    def take(self) -> bytes:
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


def archive(context: RequestContext) -> ApiResponse:
    """The results of a batch."""
    batch = batch_of(context)
    query = JobQuery(batch=batch.id, status="completed", order="oldest_first", limit=_PAGE_SIZE)
    return ApiResponse(
        content=_zipped(context.app.system, query),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{batch.id}.zip"'},
    )


def _zipped(system: System, query: JobQuery) -> Iterator[bytes]:
    sink, written, missing = _Sink(), set[str](), list[str]()
    with ZipFile(sink, "w", ZIP_STORED) as file:
        for job in all_jobs(system, query):
            if job.result is None or job.id in written:  # a job that changes meanwhile comes again
                continue
            written.add(job.id)
            name = _member(job, job.result)
            try:
                data = system.objects.read(job.result)
            except ObjectNotFound:
                missing.append(name)
                continue
            file.writestr(_info(job, name), data)
            yield sink.take()
        if missing:
            file.writestr(MISSING, "".join(f"{name}\n" for name in missing))
    yield sink.take()


def _member(job: Job, ref: ObjectRef) -> str:
    """The job's name with its short id: names that are equal stay apart, and no name leads to another folder."""
    stem = PurePosixPath(job.display_name.replace("\\", "/")).stem.lstrip(".")
    return f"{stem or 'picture'}.{job.short_id}{PurePosixPath(ref.name).suffix}"


def _info(job: Job, name: str) -> ZipInfo:
    done = job.completed_at or job.updated_at
    return ZipInfo(name, date_time=(done.year, done.month, done.day, done.hour, done.minute, done.second))


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/batch/{batch}/results.zip",
        name="batch_results",
        summary="All results of a batch or an import as a ZIP file",
        access="submitter",
        handler=archive,
        responses=(ResponseSpec(description="one file for each completed job", media=("application/zip",)),),
        problems=(404,),
    ),
)
