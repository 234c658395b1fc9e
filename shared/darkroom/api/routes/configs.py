"""Which pipeline is set for a SKU or a product group?

Everybody sets it for pictures of their own. Reviewers may look at what others have set, admins may change it.
"""

from datetime import datetime
from typing import cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.submissions import asked_pipeline
from darkroom.domain.errors import ObjectNotFound
from darkroom.domain.http_errors import Forbidden, Invalid, ProductNotFound
from darkroom.domain.products.configs import SCOPES, Config, Scope
from darkroom.domain.products.rows import check_text
from darkroom.handlers.configs import delete_config, read_config, save_config
from darkroom.handlers.objects import pin_objects


class OwnerQuery(BaseModel):
    """Whose configuration."""

    model_config = ConfigDict(extra="forbid")

    owner: str | None = Field(None, max_length=100, description="somebody else: for reviewers to see, admins to change")


class ConfigWishes(BaseModel):
    """What is to be done with the pictures of a SKU or a group. Give one or both."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    pipeline: str | dict[str, JsonValue] | None = Field(None, description="a preset's name, or a pipeline as JSON")
    qc_threshold: float | None = Field(
        None, ge=0, le=100, description="results that score above this are approved without a person"
    )

    @model_validator(mode="after")
    def _says_something(self) -> "ConfigWishes":
        if self.pipeline is None and self.qc_threshold is None:
            raise ValueError("give a pipeline, a qc_threshold or both")
        return self


class ConfigView(BaseModel):
    """What is set for a SKU or a group."""

    scope: Scope
    key: str
    owner: str
    pipeline: dict[str, JsonValue] | None
    qc_threshold: float | None
    updated_at: datetime


def show(call: RequestContext) -> ApiResponse:
    """What is set."""
    scope, key = _place(call)
    try:
        config = read_config(call.parts.system, _seen_owner(call), scope, key)
    except ObjectNotFound as exc:
        raise _nothing(scope, key) from exc
    return ApiResponse(content=_view(config))


def save(call: RequestContext) -> ApiResponse:
    """Set it, in the place of what was set before."""
    wishes: ConfigWishes = call.body
    (scope, key), owner = _place(call), _own_owner(call)
    pipeline = None if wishes.pipeline is None else asked_pipeline(wishes.pipeline)
    if pipeline is not None:
        pin_objects(call.parts.system, owner, pipeline)
    config = Config(
        scope=scope,
        key=key,
        owner=owner,
        pipeline=pipeline,
        qc_threshold=None if wishes.qc_threshold is None else float(wishes.qc_threshold),
        updated_at=call.parts.now(),
    )
    save_config(call.parts.system, config)
    return ApiResponse(content=_view(config))


class ConfigDeleted(BaseModel):
    """That nothing is set any more."""

    scope: Scope
    key: str


def delete(call: RequestContext) -> ApiResponse:
    """Forget what is set."""
    scope, key = _place(call)
    try:
        delete_config(call.parts.system, _own_owner(call), scope, key)
    except ObjectNotFound as exc:
        raise _nothing(scope, key) from exc
    return ApiResponse(content=ConfigDeleted(scope=scope, key=key))


def _place(call: RequestContext) -> tuple[Scope, str]:
    """The scope and the key of the path. Raises NotInCatalogue for another scope, Invalid for a key that is none."""
    scope, key = call.path["scope"], call.path["key"]
    if scope not in SCOPES:
        raise ProductNotFound(f"there is no scope {scope[:40]!r}, only {', '.join(SCOPES)}")
    try:
        check_text(key)
    except ValueError as exc:
        raise Invalid(f"the key {exc}") from exc
    return cast(Scope, scope), key


def _seen_owner(call: RequestContext) -> str:
    owner = call.query.owner
    if owner is None or owner == call.caller.owner:
        return call.caller.owner
    if not call.caller.sees_all:
        scope, key = _place(call)
        raise _nothing(scope, key)
    return str(owner)


def _own_owner(call: RequestContext) -> str:
    owner = _seen_owner(call)
    if owner != call.caller.owner and call.caller.role != "admin":
        raise Forbidden("what is configured for somebody else's pictures, only its owner and admins may change")
    return owner


def _nothing(scope: Scope, key: str) -> ProductNotFound:
    return ProductNotFound(f"nothing is configured for {scope} {key[:100]!r}")


def _view(config: Config) -> ConfigView:
    return ConfigView(
        **config.model_dump(exclude={"pipeline"}),
        pipeline=config.pipeline.model_dump(mode="json", exclude_unset=True) if config.pipeline else None,
    )


_CONFIG = ResponseSpec(what="what is set", model=ConfigView)
ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/configs/{scope}/{key}",
        name="show_config",
        summary="What is set for a SKU or a product group",
        access="submitter",
        handler=show,
        outcomes=(_CONFIG,),
        problems=(404,),
        query=OwnerQuery,
    ),
    Route(
        method="PUT",
        path="/v1/configs/{scope}/{key}",
        name="save_config",
        summary="Set the pipeline and the threshold of a SKU or a product group",
        access="submitter",
        handler=save,
        outcomes=(_CONFIG,),
        problems=(404,),
        query=OwnerQuery,
        body=ConfigWishes,
    ),
    Route(
        method="DELETE",
        path="/v1/configs/{scope}/{key}",
        name="delete_config",
        summary="Forget what is set for a SKU or a product group",
        access="submitter",
        handler=delete,
        outcomes=(ResponseSpec(what="nothing is set any more", model=ConfigDeleted),),
        problems=(404,),
        query=OwnerQuery,
    ),
)
