"""Objects that admins share: backgrounds that the pipelines of every owner may name."""

from collections.abc import Iterator
from itertools import islice

from pydantic import BaseModel, Field

from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.submissions import EnhanceRequest, picture_of
from darkroom.api.routes.create_job import require_acceptable
from darkroom.domain.http_errors import Invalid
from darkroom.handlers.objects import SHARED_PREFIX, find_object
from darkroom.runtime.ports import NewObject, ObjectInfo

#: Objects that one list names.
MAX_LISTED = 1000


class SharedObject(BaseModel):
    """An object that every pipeline may name."""

    name: str = Field(description="as a parameter of a pipeline names it")
    content_type: str
    size_bytes: int


class SharedObjects(BaseModel):
    """What is shared."""

    objects: list[SharedObject] = Field(description=f"in order of their names, at most {MAX_LISTED}")


class Unshared(BaseModel):
    """An object that is not shared any more."""

    deleted: str


def listed(call: RequestContext) -> ApiResponse:
    """The shared objects."""
    found = islice(_infos(call), MAX_LISTED)
    return ApiResponse(content=SharedObjects(objects=[_view(info) for info in found]))


def _infos(call: RequestContext) -> Iterator[ObjectInfo]:
    system = call.parts.system
    return system.objects.list(system.settings.uploads_bucket, SHARED_PREFIX)


def share(call: RequestContext) -> ApiResponse:
    """Share a picture under a name, in the place of any other of that name."""
    name, data, system = _name(call), picture_of(call), call.parts.system
    kind = require_acceptable(call, data)
    new = NewObject(data=data, content_type=f"image/{kind}", metadata={"owner": call.caller.owner})
    return ApiResponse(content=_view(system.objects.put(system.settings.uploads_bucket, name, new)))


def unshare(call: RequestContext) -> ApiResponse:
    """Delete a shared picture. Raises ObjectNotFound."""
    info = find_object(call.parts.system, call.caller.owner, _name(call))
    call.parts.system.objects.delete(info.ref)
    return ApiResponse(content=Unshared(deleted=info.ref.name))


def _name(call: RequestContext) -> str:
    """The object's name. Raises Invalid for one that no folder can hold."""
    key = call.path["key"]
    if any(part in ("", ".", "..") for part in key.split("/")) or not key.isprintable():
        raise Invalid(f"the name {key[:80]!r} has an empty part, or one that cannot be printed", value=key[:80])
    return f"{SHARED_PREFIX}{key}"


def _view(info: ObjectInfo) -> SharedObject:
    return SharedObject(name=info.ref.name, content_type=info.content_type, size_bytes=info.size_bytes)


_PATH = "/v1/shared/{key}"
_SHARED = ResponseSpec(what="the shared object", model=SharedObject)
ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/shared",
        name="list_shared",
        summary="List the pictures that every pipeline may name",
        access="submitter",
        handler=listed,
        outcomes=(ResponseSpec(what="what is shared", model=SharedObjects),),
    ),
    Route(
        method="PUT",
        path=_PATH,
        name="share_object",
        summary="Share a picture, for instance a background, with every owner",
        access="admin",
        handler=share,
        outcomes=(_SHARED,),
        picture=EnhanceRequest,
    ),
    Route(
        method="DELETE",
        path=_PATH,
        name="unshare_object",
        summary="Delete a shared picture",
        access="admin",
        handler=unshare,
        outcomes=(ResponseSpec(what="it is gone", model=Unshared),),
        problems=(404,),
    ),
)
