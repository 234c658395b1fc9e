"""The route that exports results as CSV.

Jobs are read page by page, so that memory does not grow with their number. The oldest change comes first. A job that
changes during the export moves to the end and appears twice, but no job is missing.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from darkroom.api.core.links import base_url
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.routes.jobs import JobFilter
from darkroom.domain.job import Job
from darkroom.handlers.pages import all_jobs
from darkroom.handlers.uploads import SOURCE_URL_KEY
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.system import System

#: Jobs in memory at the same time.
PAGE_SIZE = 200
#: Cells that begin so are formulas: a spreadsheet would run the name of an uploaded file.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")

#: Column with the address of the finished picture. The table below has its path.
RESULT_URL = "result_url"
#: Columns of the table, with the value of each for a job.
_COLUMNS: Mapping[str, Callable[[Job], object]] = {
    "job": lambda job: job.id,
    "display_name": lambda job: job.display_name,
    "owner": lambda job: job.owner,
    "product_group_id": lambda job: job.labels.get("product_group_id"),
    "sku_id": lambda job: job.labels.get("sku_id"),
    "image_type": lambda job: job.labels.get("image_type"),
    "image_url": lambda job: job.source.metadata.get(SOURCE_URL_KEY),
    "status": lambda job: job.status,
    "qc_status": lambda job: job.qc_status,
    "run": lambda job: job.run,
    "pipeline": lambda job: job.pipeline.label,
    "score_before": lambda job: job.before.score if job.before else None,
    "score_after": lambda job: job.after.score if job.after else None,
    "degraded": lambda job: str(job.degraded).lower(),
    "error_code": lambda job: job.error.code if job.error else None,
    "error_message": lambda job: job.error.message if job.error else None,
    "result": lambda job: job.result.name if job.result else None,
    "result_url": lambda job: f"/v1/jobs/{job.id}/result" if job.result else None,
    RESULT_URL: lambda job: f"/v1/jobs/{job.id}/result" if job.result else None,
    "created_at": lambda job: job.created_at.isoformat(),
    "completed_at": lambda job: job.completed_at.isoformat() if job.completed_at else None,
}


def export(context: RequestContext[JobFilter, object]) -> ApiResponse:
    """Results as CSV."""
    headers = {"Content-Disposition": 'attachment; filename="results.csv"'}
    query = context.query.to_job_query(context.caller)
    if query is None:
        return ApiResponse(content=_line(list(_COLUMNS)), content_type="text/csv", headers=headers)
    every = replace(query, order="oldest_first", limit=PAGE_SIZE)
    return ApiResponse(
        content=_lines(context.app.system, every, base_url(context.request)),
        content_type="text/csv",
        headers=headers,
    )


def _lines(system: System, query: JobQuery, base: str) -> Iterator[bytes]:
    """The header, then the lines of a page of jobs at a time."""
    yield _line(list(_COLUMNS))
    lines = (_line(_values(job, base)) for job in all_jobs(system, query))
    while piece := b"".join(islice(lines, PAGE_SIZE)):
        yield piece


def _values(job: Job, base: str) -> list[object]:
    values = {name: read(job) for name, read in _COLUMNS.items()}
    path = values[RESULT_URL]
    return list((values | {RESULT_URL: path and f"{base}{path}"}).values())


def _line(values: list[object]) -> bytes:
    sink = io.StringIO()
    csv.writer(sink).writerow([_cell(value) for value in values])
    return sink.getvalue().encode(errors="replace")


def _cell(value: object) -> object:
    """The value; a text that looks like a formula gets an apostrophe, which spreadsheets do not show."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/export.csv",
        name="export",
        summary="Export results as CSV, one line for each job",
        access="submitter",
        handler=export,
        responses=(
            ResponseSpec(
                description="a header and one line for each job, the oldest change first", media=("text/csv",)
            ),
        ),
        query=JobFilter,
    ),
)
