"""What can the API do? One table; everything else reads it."""

from dataclasses import replace

from shared.api import (
    album,
    batches,
    callbacks,
    compatible,
    configs,
    description,
    export,
    files,
    imports,
    instant,
    jobs,
    posting,
    previews,
    products,
    progress,
    quality,
    review,
    service,
    sharing,
    stats,
    uploads,
)
from shared.api.routing import Route


def _at_once(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    return tuple(replace(route, is_at_once=route.picture is not None) for route in routes)


def _in(section: str, routes: tuple[Route, ...]) -> tuple[Route, ...]:
    return tuple(replace(route, section=section) for route in routes)


ROUTES: tuple[Route, ...] = (
    *_in("jobs", (*posting.ROUTES, *uploads.ROUTES, *jobs.ROUTES, *callbacks.ROUTES, *files.ROUTES, *progress.ROUTES)),
    *_in("at once", _at_once((*instant.ROUTES, *previews.ROUTES))),
    *_in("quality control", (*quality.ROUTES, *review.ROUTES)),
    *_in("shared objects", sharing.ROUTES),
    *_in("catalogue", (*imports.ROUTES, *batches.ROUTES, *configs.ROUTES, *products.ROUTES, *export.ROUTES)),
    *_in("album", album.ROUTES),
    *_in("as in other services", _at_once(compatible.ROUTES)),
    *_in("service", (*service.ROUTES, *stats.ROUTES, *description.ROUTES)),
)
