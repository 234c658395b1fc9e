"""Routes for shared objects: pictures of admins, such as backgrounds, that every pipeline may use."""

from collections.abc import Iterator
from itertools import islice

from pydantic import BaseModel, Field

from darkroom.api.core.bodies import PictureBody
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.core.submissions import PictureRequest, Submission
from darkroom.api.routes.create_job import require_acceptable
from darkroom.domain.http_errors import Invalid
from darkroom.handlers.objects import SHARED_PREFIX, find_object
from darkroom.runtime.ports import NewObject, ObjectInfo

#: Largest number of objects in a list.
MAX_LISTED = 1000


class SharedObject(BaseModel):
    """An object that every pipeline may use."""

    name: str = Field(description="its name in the parameters of a pipeline")
    content_type: str
    size_bytes: int


class SharedObjects(BaseModel):
    """The shared objects."""

    objects: list[SharedObject] = Field(description=f"sorted by name, at most {MAX_LISTED}")


class Unshared(BaseModel):
    """The name of a deleted object."""

    deleted: str


def listed(context: RequestContext) -> ApiResponse:
    """The shared objects."""
    found = islice(_infos(context), MAX_LISTED)
    return ApiResponse(content=SharedObjects(objects=[_view(info) for info in found]))


def _infos(context: RequestContext) -> Iterator[ObjectInfo]:
    system = context.app.system
    return system.objects.list(system.settings.uploads_bucket, SHARED_PREFIX)


def share(context: RequestContext[object, Submission]) -> ApiResponse:
    """Share a picture; it replaces another of the same name."""
    name, data, system = _name(context), context.body.picture(context.app.fetch), context.app.system
    kind = require_acceptable(context, data)
    new = NewObject(data=data, content_type=f"image/{kind}", metadata={"owner": context.caller.owner})
    return ApiResponse(content=_view(system.objects.put(system.settings.uploads_bucket, name, new)))


def unshare(context: RequestContext) -> ApiResponse:
    """Delete a shared picture. Raises ObjectNotFound."""
    info = find_object(context.app.system, context.caller.owner, _name(context))
    context.app.system.objects.delete(info.ref)
    return ApiResponse(content=Unshared(deleted=info.ref.name))


def _name(context: RequestContext) -> str:
    """The name of the object. Raises Invalid for a name that is no valid path."""
    key = context.path["key"]
    if any(part in ("", ".", "..") for part in key.split("/")) or not key.isprintable():
        raise Invalid(f"the name {key[:80]!r} has an empty part or an unprintable character", value=key[:80])
    return f"{SHARED_PREFIX}{key}"


def _view(info: ObjectInfo) -> SharedObject:
    return SharedObject(name=info.ref.name, content_type=info.content_type, size_bytes=info.size_bytes)


_PATH = "/v1/shared/{key}"
_SHARED = ResponseSpec(description="the shared object", model=SharedObject)
ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/shared",
        name="list_shared",
        summary="List the pictures that every pipeline may use",
        access="submitter",
        handler=listed,
        responses=(ResponseSpec(description="the shared objects", model=SharedObjects),),
    ),
    route(
        method="PUT",
        path=_PATH,
        name="share_object",
        summary="Share a picture, for instance a background, with every owner",
        access="admin",
        handler=share,
        responses=(_SHARED,),
        body=PictureBody(PictureRequest),
    ),
    route(
        method="DELETE",
        path=_PATH,
        name="unshare_object",
        summary="Delete a shared picture",
        access="admin",
        handler=unshare,
        responses=(ResponseSpec(description="the object was deleted", model=Unshared),),
        problems=(404,),
    ),
)
