"""What is there, and is it well?"""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from darkroom import __version__
from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.domain.errors import DarkroomError, ModelUnusable
from darkroom.domain.parameters import PARAMETERS, Stage
from darkroom.domain.presets import PRESET_RULES
from darkroom.inference.registry import REGISTRY_NAME, ModelEntry, Registry
from darkroom.runtime.bootstrap import installed_models, user_models_folder
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.settings import Settings


class ModelHealth(BaseModel):
    """A model as it is registered."""

    stage: Stage
    id: str
    version: str
    sha256: str


class Health(BaseModel):
    """Whether the service is well."""

    status: str = Field(description="`healthy`, or `unhealthy` if the backend does not answer")
    version: str
    backend: str
    backend_reachable: bool
    keys_needed: bool = Field(description="false on a laptop without keys, where only this computer may ask")
    models: list[ModelHealth]


def health(call: RequestContext) -> ApiResponse:
    """Whether the backend answers, and which models are registered."""
    reachable = _is_reachable(call)
    told = Health(
        status="healthy" if reachable else "unhealthy",
        version=__version__,
        backend=call.parts.system.settings.backend,
        backend_reachable=reachable,
        keys_needed=not reachable or not call.parts.is_open,
        models=[
            ModelHealth(stage=it.stage, id=it.ref.id, version=it.ref.version, sha256=it.ref.sha256)
            for it in registry(call).entries
        ],
    )
    return ApiResponse(content=told, status=200 if reachable else 503)


def _is_reachable(call: RequestContext) -> bool:
    try:
        call.parts.system.jobs.query(JobQuery(limit=1))
    except DarkroomError:
        return False
    return True


def registry(call: RequestContext) -> Registry:
    """The models of the running system, without opening any; their lists are parsed again when they have changed."""
    settings = call.parts.system.settings
    folder = user_models_folder(settings)
    lists = (settings.registry, *((folder / REGISTRY_NAME,) if folder else ()))
    return _parsed(settings, tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in lists))


@lru_cache(maxsize=4)
def _parsed(settings: Settings, _changed_ns: tuple[int, ...]) -> Registry:
    return installed_models(settings)


class Version(BaseModel):
    """Which release answers."""

    version: str


def version(_call: RequestContext) -> ApiResponse:
    """The version of the code."""
    return ApiResponse(content=Version(version=__version__))


class RuleView(BaseModel):
    """Whether a preset runs a stage."""

    when: str = Field(description="`always`, or `needed` if only the measurements call for it")
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


def presets(_call: RequestContext) -> ApiResponse:
    """Every preset, with what it does."""
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
    """A stage and what it can be told."""

    stage: Stage
    summary: str
    methods: list[str]
    parameters: dict[str, JsonValue] = Field(description="JSON Schema of each parameter")


class Stages(BaseModel):
    """The stages, in the order of the pipeline."""

    stages: list[StageInfo]


def stages(_call: RequestContext) -> ApiResponse:
    """Every stage with its parameters, limits and defaults."""
    return ApiResponse(content=Stages(stages=[_stage(name) for name in PARAMETERS]))


def _stage(name: Stage) -> StageInfo:
    kind = PARAMETERS[name]
    properties: dict[str, Any] = kind.model_json_schema().get("properties", {})
    methods = properties.get("method", {}).get("enum") or ["classical"]
    return StageInfo(stage=name, summary=" ".join((kind.__doc__ or "").split()), methods=methods, parameters=properties)


class TrainedOn(BaseModel):
    """One source of what a model was trained on."""

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
    installed: bool = Field(description="whether its file is where the registry says")
    training_data: list[TrainedOn]


class Models(BaseModel):
    """The registered models."""

    models: list[ModelInfo]


def models(call: RequestContext) -> ApiResponse:
    """Every registered model with licence, version and checksum."""
    return ApiResponse(content=Models(models=[_model(entry) for entry in registry(call).entries]))


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
    """What is ready."""

    opened: list[str] = Field(description="models that are open now")
    refused: dict[str, str] = Field(description="models that cannot be used, with the reasons")


def open_models(call: RequestContext) -> Warm:
    """Open the default model of every stage, and import what a picture needs."""
    from darkroom.imaging import codec  # noqa: F401  the pixel libraries

    opened, refused = [], {}
    for entry in registry(call).entries:
        if not entry.default:
            continue
        try:
            call.parts.system.models.open(entry.stage, entry.ref.id)
        except ModelUnusable as exc:
            refused[entry.ref.id] = str(exc)
        else:
            opened.append(entry.ref.id)
    return Warm(opened=opened, refused=refused)


def warmup(call: RequestContext) -> ApiResponse:
    """Open every default model, so that the next picture need not wait for it."""
    return ApiResponse(content=open_models(call))


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/health",
        name="health",
        summary="Whether the service is well",
        access="anyone",
        handler=health,
        outcomes=(
            ResponseSpec(what="the backend answers", model=Health),
            ResponseSpec(what="the backend does not answer", status=503, model=Health),
        ),
    ),
    Route(
        method="GET",
        path="/version",
        name="version",
        summary="Which release answers",
        access="anyone",
        handler=version,
        outcomes=(ResponseSpec(what="the version", model=Version),),
    ),
    *(
        Route(
            method="GET",
            path=path,
            name=name,
            summary="The presets and what each of them does",
            access="submitter",
            handler=presets,
            outcomes=(ResponseSpec(what="the presets", model=Presets),),
        )
        for path, name in (("/v1/presets", "presets"), ("/v1/pipelines", "pipelines"))
    ),
    Route(
        method="GET",
        path="/v1/stages",
        name="stages",
        summary="The stages with their parameters, limits and defaults",
        access="submitter",
        handler=stages,
        outcomes=(ResponseSpec(what="the stages, in the order of the pipeline", model=Stages),),
    ),
    Route(
        method="GET",
        path="/v1/models",
        name="models",
        summary="The registered models with licence, version and checksum",
        access="submitter",
        handler=models,
        outcomes=(ResponseSpec(what="the models", model=Models),),
    ),
    Route(
        method="POST",
        path="/v1/warmup",
        name="warmup",
        summary="Open the models, so that the next picture need not wait",
        access="submitter",
        handler=warmup,
        outcomes=(ResponseSpec(what="what is ready", model=Warm),),
    ),
)
