"""Routes for the pipeline and review threshold of a SKU or a product group.

A caller configures its own pictures. Reviewers may read the configurations of others, admins may change them.
"""

from datetime import datetime
from typing import cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from darkroom.api.core.bodies import JsonBody
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.core.submissions import read_pipeline
from darkroom.domain.errors import ObjectNotFound
from darkroom.domain.http_errors import Forbidden, Invalid, ProductNotFound
from darkroom.domain.products.configs import SCOPES, Config, Scope
from darkroom.domain.products.rows import check_text
from darkroom.handlers.configs import delete_config, read_config, save_config
from darkroom.handlers.objects import pin_objects


class OwnerQuery(BaseModel):
    """The owner of the configuration."""

    model_config = ConfigDict(extra="forbid")

    owner: str | None = Field(None, max_length=100, description="another owner: reviewers may read, admins may change")


class ConfigRequest(BaseModel):
    """The pipeline and the threshold of a SKU or a group. Give one or both."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    pipeline: str | dict[str, JsonValue] | None = Field(None, description="a preset's name, or a pipeline as JSON")
    qc_threshold: float | None = Field(
        None, ge=0, le=100, description="results with a higher score are approved automatically"
    )

    @model_validator(mode="after")
    def _has_a_value(self) -> "ConfigRequest":
        if self.pipeline is None and self.qc_threshold is None:
            raise ValueError("give a pipeline, a qc_threshold or both")
        return self


class ConfigView(BaseModel):
    """The configuration of a SKU or a group."""

    scope: Scope
    key: str
    owner: str
    pipeline: dict[str, JsonValue] | None
    qc_threshold: float | None
    updated_at: datetime


def show(context: RequestContext[OwnerQuery, object]) -> ApiResponse:
    """Show the configuration."""
    scope, key = _target(context)
    try:
        config = read_config(context.app.system, _readable_owner(context), scope, key)
    except ObjectNotFound as exc:
        raise _nothing(scope, key) from exc
    return ApiResponse(content=_view(config))


def save(context: RequestContext[OwnerQuery, ConfigRequest]) -> ApiResponse:
    """Create or replace the configuration."""
    options = context.body
    (scope, key), owner = _target(context), _writable_owner(context)
    pipeline = None if options.pipeline is None else read_pipeline(options.pipeline)
    if pipeline is not None:
        pin_objects(context.app.system, owner, pipeline)
    config = Config(
        scope=scope,
        key=key,
        owner=owner,
        pipeline=pipeline,
        qc_threshold=None if options.qc_threshold is None else float(options.qc_threshold),
        updated_at=context.app.now(),
    )
    save_config(context.app.system, config)
    return ApiResponse(content=_view(config))


class ConfigDeleted(BaseModel):
    """The deleted configuration."""

    scope: Scope
    key: str


def delete(context: RequestContext[OwnerQuery, object]) -> ApiResponse:
    """Delete the configuration."""
    scope, key = _target(context)
    try:
        delete_config(context.app.system, _writable_owner(context), scope, key)
    except ObjectNotFound as exc:
        raise _nothing(scope, key) from exc
    return ApiResponse(content=ConfigDeleted(scope=scope, key=key))


def _target(context: RequestContext) -> tuple[Scope, str]:
    """The scope and the key of the path. Raises ProductNotFound for another scope, Invalid for an invalid key."""
    scope, key = context.path["scope"], context.path["key"]
    if scope not in SCOPES:
        raise ProductNotFound(f"there is no scope {scope[:40]!r}, only {', '.join(SCOPES)}")
    try:
        check_text(key)
    except ValueError as exc:
        raise Invalid(f"the key {exc}") from exc
    return cast(Scope, scope), key


def _readable_owner(context: RequestContext[OwnerQuery, object]) -> str:
    owner = context.query.owner
    if owner is None or owner == context.caller.owner:
        return context.caller.owner
    if not context.caller.sees_all:
        scope, key = _target(context)
        raise _nothing(scope, key)
    return owner


def _writable_owner(context: RequestContext[OwnerQuery, object]) -> str:
    owner = _readable_owner(context)
    if owner != context.caller.owner and context.caller.role != "admin":
        raise Forbidden("only the owner and admins may change a configuration")
    return owner


def _nothing(scope: Scope, key: str) -> ProductNotFound:
    return ProductNotFound(f"nothing is configured for {scope} {key[:100]!r}")


def _view(config: Config) -> ConfigView:
    return ConfigView(
        **config.model_dump(exclude={"pipeline"}),
        pipeline=config.pipeline.model_dump(mode="json", exclude_unset=True) if config.pipeline else None,
    )


_CONFIG = ResponseSpec(description="the configuration", model=ConfigView)
ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/configs/{scope}/{key}",
        name="show_config",
        summary="Show the configuration of a SKU or a product group",
        access="submitter",
        handler=show,
        responses=(_CONFIG,),
        problems=(404,),
        query=OwnerQuery,
    ),
    route(
        method="PUT",
        path="/v1/configs/{scope}/{key}",
        name="save_config",
        summary="Set the pipeline and the threshold of a SKU or a product group",
        access="submitter",
        handler=save,
        responses=(_CONFIG,),
        problems=(404,),
        query=OwnerQuery,
        body=JsonBody(ConfigRequest),
    ),
    route(
        method="DELETE",
        path="/v1/configs/{scope}/{key}",
        name="delete_config",
        summary="Delete the configuration of a SKU or a product group",
        access="submitter",
        handler=delete,
        responses=(ResponseSpec(description="the configuration was deleted", model=ConfigDeleted),),
        problems=(404,),
        query=OwnerQuery,
    ),
)
