"""Gives a pipeline a mask that comes with the request and not as an object of the bucket."""

from pydantic import JsonValue

from darkroom.domain.errors import BadPipeline
from darkroom.domain.parameters import Stage
from darkroom.domain.pipeline import Pipeline, build_pipeline
from darkroom.domain.planner import requested_stages


def with_mask(pipeline: Pipeline, name: str) -> Pipeline:
    """The pipeline with a mask, under the name `name`, for its stage `repair` or `background`.

    The mask belongs to `background` if the pipeline runs that stage and not `repair`. A preset without both stages
    runs `repair` inside the mask. Raises BadPipeline for a list without both, and for a pipeline that names `name`
    or another mask.
    """
    stage = _masked_stage(pipeline)
    if name in pipeline.object_names:
        raise BadPipeline(f"the pipeline names an object {name!r}, which is the name of the mask")
    if isinstance(pipeline.stages, tuple):
        stages: object = [
            {**item.parameters, **_mask_of(item.parameters, name), "stage": item.stage} if item.stage == stage else item
            for item in pipeline.stages
        ]
    else:
        switch = pipeline.stages.get(stage)
        own = switch if isinstance(switch, dict) else {}
        stages = {**pipeline.stages, stage: {**own, **_mask_of(own, name)}}
    return build_pipeline({**pipeline.model_dump(), "stages": stages})


def _mask_of(parameters: dict[str, JsonValue], name: str) -> dict[str, JsonValue]:
    if (other := parameters.get("mask_object")) is not None:
        raise BadPipeline(f"give one mask: the pipeline names the mask {other!r}, and another one is given")
    return {"mask_object": name}


def _masked_stage(pipeline: Pipeline) -> Stage:
    runs = {request.stage for request in requested_stages(pipeline) if request.origin != "off"}
    if isinstance(pipeline.stages, tuple) and not runs & {"repair", "background"}:
        names = ", ".join(sorted(runs)) or "no stage"
        raise BadPipeline(f"a mask is for repair or background; the pipeline has {names}")
    return "background" if "background" in runs and "repair" not in runs else "repair"
