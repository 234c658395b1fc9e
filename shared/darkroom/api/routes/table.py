"""The table of all routes. The router, the documentation and the tests read it."""

from dataclasses import replace

from darkroom.api.core.bodies import PictureBody
from darkroom.api.core.routing import Endpoint
from darkroom.api.legacy import routes
from darkroom.api.pages import album, review
from darkroom.api.routes import (
    archive,
    batches,
    configs,
    create_job,
    docs,
    enhancement,
    export,
    files,
    imports,
    jobs,
    meta,
    metrics,
    previews,
    products,
    progress,
    quality,
    sharing,
    stats,
    uploads,
    versions,
    webhooks,
)


def _synchronous(routes: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    return tuple(replace(route, is_synchronous=isinstance(route.body_spec, PictureBody)) for route in routes)


def _in(section: str, routes: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    return tuple(replace(route, section=section) for route in routes)


ROUTES: tuple[Endpoint, ...] = (
    *_in("jobs", (*create_job.ROUTES, *uploads.ROUTES, *jobs.ROUTES, *webhooks.ROUTES)),
    *_in("jobs", (*files.ROUTES, *versions.ROUTES, *progress.ROUTES)),
    *_in("at once", _synchronous((*enhancement.ROUTES, *previews.ROUTES))),
    *_in("quality control", (*quality.ROUTES, *review.ROUTES)),
    *_in("shared objects", sharing.ROUTES),
    *_in("catalogue", (*imports.ROUTES, *batches.ROUTES, *archive.ROUTES)),
    *_in("catalogue", (*configs.ROUTES, *products.ROUTES, *export.ROUTES)),
    *_in("album", album.ROUTES),
    *_in("as in other services", _synchronous(routes.ROUTES)),
    *_in("service", (*meta.ROUTES, *stats.ROUTES, *metrics.ROUTES, *docs.ROUTES)),
)
