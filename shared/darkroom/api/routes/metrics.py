"""The route with figures for Prometheus, in its text format.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from collections.abc import Iterable, Iterator

from darkroom import __version__
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.routes.stats import job_counts, verdict_counts

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics(context: RequestContext) -> ApiResponse:
    """Counts of jobs and verdicts, and the age of what waits."""
    jobs = context.app.system.jobs
    text = "".join(
        [
            *_gauge("darkroom_info", "The release.", "version", [(__version__, 1)]),
            *_gauge("darkroom_jobs", "Stored jobs by status.", "status", job_counts(jobs, None).items()),
            *_gauge("darkroom_verdicts", "Completed jobs by verdict.", "qc_status", verdict_counts(jobs, None).items()),
            *_gauge(
                "darkroom_oldest_message_seconds",
                "Age of the oldest unacknowledged message of each subscription that has one.",
                "subscription",
                _ages(context).items(),
            ),
        ]
    )
    return ApiResponse(content=text.encode(), content_type=_CONTENT_TYPE)


def _ages(context: RequestContext) -> dict[str, float]:
    now, waiting = context.app.now(), context.app.system.backlog.waiting_since()
    return {name: max(0.0, (now - since).total_seconds()) for name, since in (waiting or {}).items()}


def _gauge(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
    for key, value in values:
        yield f'{name}{{{label}="{key}"}} {value:g}\n'


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/metrics",
        name="metrics",
        summary="Figures for Prometheus",
        access="admin",
        handler=metrics,
        responses=(ResponseSpec(description="the text format of Prometheus", media=("text/plain",)),),
    ),
)
