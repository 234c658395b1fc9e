"""What can the API do? One table; everything else reads it."""

from dataclasses import replace

from shared.api import (
    compatible,
    description,
    files,
    instant,
    jobs,
    posting,
    previews,
    progress,
    quality,
    service,
)
from shared.api.routing import Route


def _in(section: str, routes: tuple[Route, ...]) -> tuple[Route, ...]:
    return tuple(replace(route, section=section) for route in routes)


ROUTES: tuple[Route, ...] = (
    *_in("jobs", (*posting.ROUTES, *jobs.ROUTES, *files.ROUTES, *progress.ROUTES)),
    *_in("at once", (*instant.ROUTES, *previews.ROUTES)),
    *_in("quality control", quality.ROUTES),
    *_in("as in other services", compatible.ROUTES),
    *_in("service", (*service.ROUTES, *description.ROUTES)),
)
