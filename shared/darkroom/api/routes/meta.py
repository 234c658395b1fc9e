"""Routes about the service itself: health, version, presets, stages, models."""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from darkroom import __version__
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import PARAMETERS, Stage
from darkroom.domain.presets import PRESET_RULES
from darkroom.inference.registry import REGISTRY_NAME, ModelEntry, Registry
from darkroom.runtime.bootstrap import installed_models, user_models_folder
from darkroom.runtime.settings import Settings


class ModelHealth(BaseModel):
    """A registered model."""

    stage: Stage
    id: str
    version: str
    sha256: str


class Health(BaseModel):
    """The health of the service."""

    status: str = Field(description="`healthy`, or `unhealthy` if the backend is unreachable")
    version: str
    backend: str
    backend_reachable: bool
    keys_needed: bool = Field(
        description="false on a laptop without keys, which accepts requests from this computer only"
    )
    models: list[ModelHealth]


def health(context: RequestContext) -> ApiResponse:
    """Check the backend and list the registered models."""
    reachable = context.app.backend.check()
    report = Health(
        status="healthy" if reachable else "unhealthy",
        version=__version__,
        backend=context.app.system.settings.backend,
        backend_reachable=reachable,
        keys_needed=not reachable or not context.app.is_open,
        models=[
            ModelHealth(stage=it.stage, id=it.ref.id, version=it.ref.version, sha256=it.ref.sha256)
            for it in registry(context).entries
        ],
    )
    return ApiResponse(content=report, status=200 if reachable else 503, headers={"Cache-Control": "no-store"})


def registry(context: RequestContext) -> Registry:
    """The registered models. Their files are parsed again when they change; no model is opened."""
    settings = context.app.system.settings
    folder = user_models_folder(settings)
    lists = (settings.registry, *((folder / REGISTRY_NAME,) if folder else ()))
    return _parsed(settings, tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in lists))


@lru_cache(maxsize=4)
def _parsed(settings: Settings, _changed_ns: tuple[int, ...]) -> Registry:
    return installed_models(settings)


class Version(BaseModel):
    """The release of the service."""

    version: str


def version(_context: RequestContext) -> ApiResponse:
    """The version of the code."""
    return ApiResponse(content=Version(version=__version__))


class RuleView(BaseModel):
    """When a preset runs a stage, and its parameters."""

    when: str = Field(description="`always`, or `needed` if the measurements decide")
    parameters: dict[str, JsonValue]


class PresetView(BaseModel):
    """A preset."""

    name: str
    summary: str
    stages: dict[str, RuleView]
    output: dict[str, JsonValue] = Field(description="parameters of `finish`")


class Presets(BaseModel):
    """The presets."""

    presets: list[PresetView]


def presets(_context: RequestContext) -> ApiResponse:
    """List the presets."""
    found = [
        PresetView(
            name=name,
            summary=rules.summary,
            stages={s: RuleView(when=r.when, parameters=dict(r.parameters)) for s, r in rules.stages.items()},
            output=dict(rules.output),
        )
        for name, rules in PRESET_RULES.items()
    ]
    return ApiResponse(content=Presets(presets=found))


class StageInfo(BaseModel):
    """A stage and its parameters."""

    stage: Stage
    summary: str
    methods: list[str]
    parameters: dict[str, JsonValue] = Field(description="JSON Schema of each parameter")


class Stages(BaseModel):
    """The stages, in the order of the pipeline."""

    stages: list[StageInfo]


def stages(_context: RequestContext) -> ApiResponse:
    """Every stage with its parameters, limits and defaults."""
    return ApiResponse(content=Stages(stages=[_stage(name) for name in PARAMETERS]))


def _stage(name: Stage) -> StageInfo:
    kind = PARAMETERS[name]
    properties: dict[str, Any] = kind.model_json_schema().get("properties", {})
    methods = properties.get("method", {}).get("enum") or ["classical"]
    return StageInfo(stage=name, summary=" ".join((kind.__doc__ or "").split()), methods=methods, parameters=properties)


class TrainedOn(BaseModel):
    """One source of training data."""

    source: str
    licence: str


class ModelInfo(BaseModel):
    """A registered model."""

    model_config = ConfigDict(protected_namespaces=())

    stage: Stage
    id: str
    version: str
    sha256: str
    licence: str
    commercial_use: bool
    default: bool
    installed: bool = Field(description="whether its file exists")
    training_data: list[TrainedOn]


class Models(BaseModel):
    """The registered models."""

    models: list[ModelInfo]


def models(context: RequestContext) -> ApiResponse:
    """Every registered model with licence, version and checksum."""
    return ApiResponse(content=Models(models=[_model(entry) for entry in registry(context).entries]))


def _model(entry: ModelEntry) -> ModelInfo:
    ref = entry.ref
    return ModelInfo(
        stage=entry.stage,
        id=ref.id,
        version=ref.version,
        sha256=ref.sha256,
        licence=ref.licence,
        commercial_use=entry.commercial_use,
        default=entry.default,
        installed=entry.path.is_file(),
        training_data=[TrainedOn(source=data.source, licence=data.licence) for data in entry.training_data],
    )


class Warm(BaseModel):
    """Opened models."""

    opened: list[str] = Field(description="models that are open now")
    refused: dict[str, str] = Field(description="unusable models, with the reasons")


def open_models(context: RequestContext) -> Warm:
    """Open the default model of every stage, and import the pixel libraries."""
    from darkroom.imaging import codec  # noqa: F401  the pixel libraries

    opened, refused = [], {}
    for entry in registry(context).entries:
        if not entry.default:
            continue
        try:
            context.app.system.models.open(entry.stage, entry.ref.id)
        except ModelUnusable as exc:
            refused[entry.ref.id] = str(exc)
        else:
            opened.append(entry.ref.id)
    return Warm(opened=opened, refused=refused)


def warmup(context: RequestContext) -> ApiResponse:
    """Open every default model, so that the next picture is faster."""
    return ApiResponse(content=open_models(context))


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/health",
        name="health",
        summary="The health of the service",
        access="anyone",
        handler=health,
        responses=(
            ResponseSpec(description="the backend is reachable", model=Health),
            ResponseSpec(description="the backend is unreachable", status=503, model=Health),
        ),
    ),
    route(
        method="GET",
        path="/version",
        name="version",
        summary="The release of the service",
        access="anyone",
        handler=version,
        responses=(ResponseSpec(description="the version", model=Version),),
    ),
    *(
        route(
            method="GET",
            path=path,
            name=name,
            summary="List the presets",
            access="submitter",
            handler=presets,
            responses=(ResponseSpec(description="the presets", model=Presets),),
        )
        for path, name in (("/v1/presets", "presets"), ("/v1/pipelines", "pipelines"))
    ),
    route(
        method="GET",
        path="/v1/stages",
        name="stages",
        summary="The stages with their parameters, limits and defaults",
        access="submitter",
        handler=stages,
        responses=(ResponseSpec(description="the stages, in the order of the pipeline", model=Stages),),
    ),
    route(
        method="GET",
        path="/v1/models",
        name="models",
        summary="The registered models with licence, version and checksum",
        access="submitter",
        handler=models,
        responses=(ResponseSpec(description="the models", model=Models),),
    ),
    route(
        method="POST",
        path="/v1/warmup",
        name="warmup",
        summary="Open the models, so that the next picture is faster",
        access="submitter",
        handler=warmup,
        responses=(ResponseSpec(description="the opened models", model=Warm),),
    ),
)
