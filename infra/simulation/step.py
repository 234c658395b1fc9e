"""Runs one step for measurement: all that its function does, with stores in memory.

Reading, decoding, the work, encoding, writing, answering, with the one thread that an instance with one processor has.
The time on the network is missing; it cannot be measured without the service.
"""

from itertools import count
from typing import cast

from darkroom.domain.messages import ObjectRef, StageRequested, Step
from darkroom.domain.parameters import PARAMETERS, Stage
from darkroom.handlers.stages import run_stage
from darkroom.imaging.codec import Limits, decode, encode_working
from darkroom.runtime.ports import NewObject
from tests.bench.ours import ASKED, EXTENSIONS, Act
from tests.bench.photograph import as_found_by
from tests.world import World, memory_world


def prepare(name: str, data: bytes) -> Act:
    """What is to be timed, for `STAGE/METHOD`; `data` is the photograph's file."""
    stage, _, method = name.partition("/")
    data = as_found_by(stage, data)
    world, numbers = memory_world(), count()
    source = _stored(world, "uploads", "a.jpg", data)
    between = encode_working(decode(data, Limits()).picture, "webp")
    given = source if stage == "assess" else _stored(world, "artifacts", "between.webp", between)

    def act() -> None:
        step = _step(world, cast(Stage, stage), method, next(numbers))
        run_stage(world.system, step.stage, _request(step, given, source))
        written = world.raw_objects.stat(step.output_bucket, step.output_name)  # raises unless the step was done
        if world.raw_objects.read(written.ref) == between:
            raise RuntimeError(f"{stage} did nothing by {method}")

    return act


def _stored(world: World, bucket: str, name: str, data: bytes) -> ObjectRef:
    return world.raw_objects.put(bucket, name, NewObject(data=data, content_type="image/jpeg")).ref


def _request(step: Step, given: ObjectRef, source: ObjectRef) -> StageRequested:
    return StageRequested(job_id="measured", run=1, index=1, step=step, input=given, source=source)


def _step(world: World, stage: Stage, method: str, number: int) -> Step:
    """Another output each time, because an existing output would be reused."""
    return Step(
        stage=stage,
        method=method,
        parameters=PARAMETERS[stage].model_validate(ASKED.get(stage, {})).model_dump(mode="json"),
        model=world.system.model_registry.model_ref(stage, None) if method == "model" or stage == "assess" else None,
        output_bucket="artifacts",
        output_name=f"{number}-{stage}.{EXTENSIONS.get(stage, 'webp')}",
        digest="",
        reason="measured",
    )
