"""What does somebody see who opens the API in a browser?

Their own photographs, a form for the next one, and for each a name that can be changed and a way to be rid of it. What
became of a form is told on the page to which it leads back. The same paths serve programs, in JSON.
"""

import secrets
from collections.abc import Mapping

from flask import Request
from pydantic import BaseModel, ConfigDict, Field

from darkroom.api.core.places import place_for
from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.submissions import EnhanceRequest, Labels, Submission, asked_pipeline, picture_of
from darkroom.api.core.views import JobView
from darkroom.api.pages.album_html import POLICY, render
from darkroom.api.pages.flash import Flash, flash_of, forget
from darkroom.api.routes.create_job import FOLDER, metadata_of, require_acceptable
from darkroom.api.routes.jobs import MAX_NAME, delete, describe
from darkroom.domain.errors import DarkroomError
from darkroom.domain.http_errors import QuotaReached
from darkroom.domain.job import Job
from darkroom.domain.pipeline import Pipeline, Preset
from darkroom.handlers.uploads import submit_upload
from darkroom.runtime.ports import JobQuery, NewObject

#: Photographs that are shown, newest first.
SHOWN = 60
_HTML = "text/html; charset=utf-8"


class AlbumWishes(EnhanceRequest):
    """A photograph for the album."""

    name: str | None = Field(None, max_length=MAX_NAME, description="what it is called; the file's name if absent")
    preset: Preset = Field("cutout", description="what is done to it; the background is removed if absent")
    labels: Labels = Field({}, description="texts by name")

    @property
    def display_name(self) -> str | None:
        return self.name

    @property
    def pipeline(self) -> Preset:
        return self.preset

    def asked(self) -> Pipeline:
        """The pipeline."""
        return asked_pipeline(self.preset)


class Album(BaseModel):
    """Somebody's photographs, newest first."""

    user_id: str = Field(description="whose; empty on a laptop without keys")
    limit: int | None = Field(description="photographs that may be kept at the same time; null if there is no limit")
    count: int
    message: Flash | None = Field(description="what became of the form that was sent before, told once")
    jobs: list[JobView]


def show(call: RequestContext) -> ApiResponse:
    """The album."""
    album = _album(call)
    told = {"Set-Cookie": forget(call.request)} if album.message else {}
    if _prefers(call.request, "text/html", to="application/json"):
        return _page(album, told)
    return ApiResponse(content=album, headers=told)


def add(call: RequestContext) -> ApiResponse:
    """Put a photograph into the album."""
    if not _is_a_form(call.request):
        return ApiResponse(content=JobView.of(_added(call)), status=202)
    try:
        became = Flash(kind="success", text=f"{_added(call).display_name} is being worked on.")
    except QuotaReached as exc:
        became = Flash(kind="danger", text=f"Max limit reached. Please remove a record. ({exc})")
    except DarkroomError as exc:
        became = _failed(exc)
    return _back(call.request, became)


def unread(request: Request, exc: DarkroomError) -> ApiResponse | None:
    """Back to the album with a form that could not be read."""
    return _back(request, _failed(exc)) if _is_a_form(request) else None


def _failed(exc: DarkroomError) -> Flash:
    return Flash(kind="danger", text=f"Failed to generate the image: {exc}.")


def _back(request: Request, became: Flash) -> ApiResponse:
    headers = {"Location": "/", "Set-Cookie": became.cookie(request)}
    return ApiResponse(content=b"", status=302, content_type=_HTML, headers=headers)


def _is_a_form(request: Request) -> bool:
    return not _prefers(request, "application/json", to="text/html")


def _prefers(request: Request, kind: str, *, to: str) -> bool:
    accepted = request.accept_mimetypes
    return accepted[kind] > accepted[to]


def _added(call: RequestContext) -> Job:
    submission: Submission = call.body
    wishes: AlbumWishes = submission.wishes
    name = f"{FOLDER}/{secrets.token_hex(16)}"
    with place_for(call, name):
        data = picture_of(call)
        kind = require_acceptable(call, data)
        metadata = metadata_of(call, wishes, submission.name)
        return submit_upload(
            call.parts.system, name, NewObject(data=data, content_type=f"image/{kind}", metadata=metadata)
        )


def _album(call: RequestContext) -> Album:
    owner, store = call.caller.owner, call.parts.system.jobs
    found = store.query(JobQuery(owner=owner, limit=SHOWN)).jobs
    count = store.count(JobQuery(owner=owner))
    limit = call.caller.limit(call.parts.system.settings) or None
    jobs = [JobView.of(job) for job in found]
    return Album(user_id=owner, limit=limit, count=count, message=flash_of(call.request), jobs=jobs)


def _page(album: Album, headers: Mapping[str, str]) -> ApiResponse:
    page = render(album.model_dump(mode="json")).encode()
    # Under `no-referrer` a browser sends this page's own form from the origin `null`.
    own = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
    return ApiResponse(content=page, content_type=_HTML, headers={**own, **headers})


class Renamed(BaseModel):
    """A new name for a photograph."""

    model_config = ConfigDict(extra="forbid")

    record_name: str = Field(min_length=1, max_length=MAX_NAME)
    record_id: str | None = Field(None, max_length=100, description="the job, as in the path")

    @property
    def display_name(self) -> str:
        return self.record_name

    @property
    def labels(self) -> None:
        return None


class Done(BaseModel):
    """That it was done."""

    message: str = "success"


def rename(call: RequestContext) -> ApiResponse:
    """Rename a photograph."""
    describe(call)
    return ApiResponse(content=Done())


def remove(call: RequestContext) -> ApiResponse:
    """Delete a photograph with its results."""
    delete(call)
    return ApiResponse(content=Done())


_PAGE = ("text/html",)
ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/",
        name="show_album",
        summary="One's own photographs, as a page or as JSON",
        access="submitter",
        handler=show,
        outcomes=(ResponseSpec(what="the album", model=Album, media=_PAGE),),
    ),
    Route(
        method="POST",
        path="/",
        name="add_to_album",
        summary="Add a photograph and have it worked on",
        access="submitter",
        handler=add,
        outcomes=(
            ResponseSpec(what="the job, which is being worked on, if `Accept` prefers JSON", status=202, model=JobView),
            ResponseSpec(what="back to the album, which says what became of it", status=302, media=_PAGE),
        ),
        picture=AlbumWishes,
        misread=unread,
    ),
    Route(
        method="PUT",
        path="/update/{job}",
        name="rename_in_album",
        summary="Rename a photograph",
        access="submitter",
        handler=rename,
        outcomes=(ResponseSpec(what="it is renamed", model=Done),),
        problems=(404,),
        body=Renamed,
    ),
    Route(
        method="DELETE",
        path="/remove/{job}",
        name="remove_from_album",
        summary="Delete a photograph with its results",
        access="submitter",
        handler=remove,
        outcomes=(ResponseSpec(what="it is gone", model=Done),),
        problems=(404,),
    ),
)
