"""The album: the page of a caller's own photographs, with a form for the next one.

Photographs can be renamed and deleted. The result of a form is shown on the next page. The same paths return JSON to
programs.
"""

import secrets
from collections.abc import Mapping
from typing import TypeAlias

from flask import Request
from pydantic import BaseModel, ConfigDict, Field

from darkroom.api.core.bodies import JsonBody, PictureBody
from darkroom.api.core.reservations import reserve_for_request
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.core.submissions import Labels, PictureRequest, Submission, read_pipeline
from darkroom.api.core.views import JobView
from darkroom.api.pages.flash import Flash, flash_of, forget
from darkroom.api.pages.templates import Page
from darkroom.api.routes.create_job import FOLDER, metadata_of, require_acceptable
from darkroom.api.routes.jobs import MAX_NAME, delete, described
from darkroom.domain.errors import DarkroomError
from darkroom.domain.http_errors import QuotaReached
from darkroom.domain.job import Job
from darkroom.domain.pipeline import Pipeline, Preset
from darkroom.domain.presets import PRESET_RULES
from darkroom.handlers.uploads import submit_upload
from darkroom.runtime.ports import JobQuery, NewObject

#: Photographs on one page, newest first.
SHOWN = 60
PAGE = Page("album")
#: Seconds until the page reloads in a browser without scripts while a photograph is processed.
_RELOAD_S = 2
#: The same while the page shows an error message.
_RELOAD_AFTER_ERROR_S = 10
_HTML = "text/html; charset=utf-8"


class AlbumRequest(PictureRequest):
    """A photograph for the album."""

    name: str | None = Field(None, max_length=MAX_NAME, description="display name; the name of the file if absent")
    preset: Preset = Field("cutout", description="its preset; by default the background is removed")
    labels: Labels = Field({}, description="texts by name")

    @property
    def display_name(self) -> str | None:
        return self.name

    @property
    def pipeline(self) -> Preset:
        return self.preset

    def to_pipeline(self) -> Pipeline:
        """The pipeline."""
        return read_pipeline(self.preset)


#: A request with a photograph for the album.
AlbumContext: TypeAlias = RequestContext[object, Submission[AlbumRequest]]


class Album(BaseModel):
    """The photographs of a caller, newest first."""

    user_id: str = Field(description="the owner; empty on a laptop without keys")
    limit: int | None = Field(description="largest number of photographs; null without a limit")
    count: int
    message: Flash | None = Field(description="the result of the last form; shown once")
    jobs: list[JobView]
    next_cursor: str | None = Field(None, description="the `cursor` of the next page")


class AlbumQuery(BaseModel):
    """A page of the album."""

    model_config = ConfigDict(extra="forbid")

    cursor: str | None = Field(None, max_length=1000, description="`next_cursor` of the page before")


def show(context: RequestContext[AlbumQuery, object]) -> ApiResponse:
    """The album."""
    album = _album(context)
    cookies = {"Set-Cookie": forget(context.request)} if album.message else {}
    if _prefers(context.request, "text/html", to="application/json"):
        return _page(album, cookies)
    return ApiResponse(content=album, headers=cookies)


def add(context: AlbumContext) -> ApiResponse:
    """Put a photograph into the album."""
    if not _is_a_form(context.request):
        return ApiResponse(content=JobView.of(_added(context)), status=202)
    try:
        flash = Flash(kind="success", text=f"{_added(context).display_name} is being worked on.")
    except QuotaReached as exc:
        flash = Flash(kind="danger", text=f"Max limit reached. Please remove a record. ({exc})")
    except DarkroomError as exc:
        flash = _failed(exc)
    return _back(context.request, flash)


def on_validation_error(request: Request, exc: DarkroomError) -> ApiResponse | None:
    """Redirect an invalid form to the album, with an error message."""
    return _back(request, _failed(exc)) if _is_a_form(request) else None


def _failed(exc: DarkroomError) -> Flash:
    return Flash(kind="danger", text=f"Failed to generate the image: {exc}.")


def _back(request: Request, flash: Flash) -> ApiResponse:
    headers = {"Location": "/", "Set-Cookie": flash.cookie(request)}
    return ApiResponse(content=b"", status=302, content_type=_HTML, headers=headers)


def _is_a_form(request: Request) -> bool:
    return not _prefers(request, "application/json", to="text/html")


def _prefers(request: Request, kind: str, *, to: str) -> bool:
    accepted = request.accept_mimetypes
    return accepted[kind] > accepted[to]


def _added(context: AlbumContext) -> Job:
    submission = context.body
    options = submission.options
    name = f"{FOLDER}/{secrets.token_hex(16)}"
    with reserve_for_request(context, name):
        data = context.body.picture(context.app.fetch)
        kind = require_acceptable(context, data)
        metadata = metadata_of(context, options, submission.name)
        return submit_upload(
            context.app.system, name, NewObject(data=data, content_type=f"image/{kind}", metadata=metadata)
        )


def _album(context: RequestContext[AlbumQuery, object]) -> Album:
    owner, store = context.caller.owner, context.app.system.jobs
    page = store.query(JobQuery(owner=owner, limit=SHOWN, cursor=context.query.cursor))
    count = store.count(JobQuery(owner=owner))
    limit = context.caller.limit(context.app.system.settings) or None
    return Album(
        user_id=owner,
        limit=limit,
        count=count,
        message=flash_of(context.request),
        jobs=[JobView.of(job) for job in page.jobs],
        next_cursor=page.next_cursor,
    )


def _page(album: Album, headers: Mapping[str, str]) -> ApiResponse:
    # With `no-referrer`, a browser sends the origin `null` with the form of the page.
    own = {
        "Content-Security-Policy": PAGE.policy(forms="'self'", pictures="'self' data:"),
        "Referrer-Policy": "same-origin",
    }
    return ApiResponse(content=render(album).encode(), content_type=_HTML, headers={**own, **headers})


def render(album: Album) -> str:
    """The page of an album."""
    is_busy = any(job.status in ("pending", "processing") for job in album.jobs)
    reload_s = _reload_s(album.message) if is_busy else 0
    return PAGE.render(album=album, presets=PRESET_RULES, reload_s=reload_s)


def _reload_s(message: Flash | None) -> int:
    return _RELOAD_AFTER_ERROR_S if message and message.kind == "danger" else _RELOAD_S


class Renamed(BaseModel):
    """A new name for a photograph."""

    model_config = ConfigDict(extra="forbid")

    record_name: str = Field(min_length=1, max_length=MAX_NAME)
    record_id: str | None = Field(None, max_length=100, description="the job, as in the path")


class Done(BaseModel):
    """A success."""

    message: str = "success"


def rename(context: RequestContext[object, Renamed]) -> ApiResponse:
    """Rename a photograph."""
    described(context, context.body.record_name, labels=None)
    return ApiResponse(content=Done())


def remove(context: RequestContext) -> ApiResponse:
    """Delete a photograph with its results."""
    delete(context)
    return ApiResponse(content=Done())


_PAGE = ("text/html",)
ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/",
        name="show_album",
        summary="The caller's photographs, as a page or as JSON",
        access="submitter",
        handler=show,
        responses=(ResponseSpec(description="the album", model=Album, media=_PAGE),),
        query=AlbumQuery,
    ),
    route(
        method="POST",
        path="/",
        name="add_to_album",
        summary="Add a photograph and process it",
        access="submitter",
        handler=add,
        responses=(
            ResponseSpec(description="the accepted job, if `Accept` prefers JSON", status=202, model=JobView),
            ResponseSpec(description="redirect to the album, which shows the result", status=302, media=_PAGE),
        ),
        body=PictureBody(AlbumRequest),
        on_validation_error=on_validation_error,
    ),
    route(
        method="PUT",
        path="/update/{job}",
        name="rename_in_album",
        summary="Rename a photograph",
        access="submitter",
        handler=rename,
        responses=(ResponseSpec(description="the photograph was renamed", model=Done),),
        problems=(404,),
        body=JsonBody(Renamed),
    ),
    route(
        method="DELETE",
        path="/remove/{job}",
        name="remove_from_album",
        summary="Delete a photograph with its results",
        access="submitter",
        handler=remove,
        responses=(ResponseSpec(description="the photograph was deleted", model=Done),),
        problems=(404,),
    ),
)
