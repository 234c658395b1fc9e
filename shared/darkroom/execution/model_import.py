"""Adds a network of a user as a model of a stage.

Before the model is stored, its description must agree with its file, and the stage must process a probe picture
with it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import process_time
from typing import Any

import cv2
import numpy as np
from pydantic import ValidationError

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.messages import ModelRef, describe
from darkroom.domain.parameters import PARAMETERS, RestorationParameters, Stage
from darkroom.imaging.filters import gaussian, resized
from darkroom.imaging.picture import Picture, Pixels
from darkroom.inference.contract import Contract
from darkroom.inference.known_models import ModelManifest
from darkroom.inference.runtime import Port, load, ports, violations
from darkroom.inference.session import Model
from darkroom.stages.restore import restore

#: Sides of the probe picture in pixels: odd, and several tiles of a small graph.
PROBE_SIZE = (203, 309)
#: Smallest PSNR in dB between the probe picture and its restoration; below it, the network is probably another one.
LIKENESS_DB = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A network that has proved itself."""

    #: Its `[[model]]` table, without `file`.
    table: Mapping[str, Any]
    contract: Contract
    #: Warnings for the user before its use.
    notes: tuple[str, ...]
    #: Processor seconds of the stage with this network for the probe picture.
    probe_cpu_s: float


def examine_model(stage: Stage, described: ModelManifest, graph: bytes, *, threads: int) -> Candidate:
    """Check the description of a network against its file, and run the stage with it on a probe picture.

    Raises ModelUnusable, code `model_contract`, with everything in which the two differ.
    """
    session = load(graph, threads, described.id)
    contract, notes = completed(described, ports(session.get_inputs()), ports(session.get_outputs()))
    if problems := violations(session, contract):
        raise ModelUnusable(f"model {described.id!r}: {'; '.join(problems)}", code="model_contract")
    sha256 = hashlib.sha256(graph).hexdigest()
    ref = ModelRef(id=described.id, version=described.version, sha256=sha256, licence=described.licence)
    model = Model(ref=ref, contract=contract, _session=session)
    began_s = process_time()
    found = probe(stage, model)
    probe_cpu_s = process_time() - began_s
    card = described.model_dump(include={"id", "version", "licence", "commercial_use", "training_data"}, by_alias=True)
    fields = contract.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    figures = described.model_dump(include={"evidence", "cost"}, exclude_none=True)
    table = {**card, "stage": stage, "sha256": sha256, "installed": True, **figures, "contract": fields}
    return Candidate(table=table, contract=contract, notes=(*notes, *found), probe_cpu_s=probe_cpu_s)


def completed(
    described: ModelManifest, inputs: Sequence[Port], outputs: Sequence[Port]
) -> tuple[Contract, tuple[str, ...]]:
    """The contract with the names and the fixed size that the graph has, and notes about what was changed for it."""
    given = dict(described.contract)
    beside = {*given.get("scalars", ()), *given.get("extra", ())}
    images = [port for port in inputs if port.name not in beside]
    if "input" not in given:
        if len(images) != 1:
            raise _unlike(described, f"takes {[port.name for port in inputs]}, expected one image")
        given["input"] = images[0].name
    if not {"output", "outputs"} & given.keys():
        given["outputs"] = [_answer(described, outputs)]
    notes = _sized(given, next((port for port in images if port.name == given["input"]), None))
    try:
        return Contract.model_validate(given), notes
    except ValidationError as error:
        raise ModelUnusable(f"{described.id}: contract: {describe(error)}", code="model_contract") from error


def _answer(described: ModelManifest, outputs: Sequence[Port]) -> str:
    """The output of a network; an export may have only one of several outputs."""
    if len(outputs) == 1:
        return outputs[0].name
    if described.answer_at >= len(outputs):
        raise _unlike(described, f"gives {[port.name for port in outputs]}, expected more than {described.answer_at}")
    return outputs[described.answer_at].name


def _unlike(described: ModelManifest, found: str) -> ModelUnusable:
    return ModelUnusable(f"model {described.id!r}: the graph {found}", code="model_contract")


def _sized(given: dict[str, Any], image: Port | None) -> tuple[str, ...]:
    """Take over the size of a graph that was exported for one alone."""
    size = [side for side in image.shape[2:] if isinstance(side, int)] if image else []
    if len(size) != 2 or given.get("size") == size:
        return ()
    given.pop("longest_side", None)
    given["size"] = size
    notes = [f"the graph accepts only {size[0]}x{size[1]}"]
    largest_halo = min(size) // 4
    if given.get("halo", 0) > largest_halo:
        notes.append(f"a halo of {largest_halo} pixels instead of {given['halo']} fits its tiles: seams may show")
        given["halo"] = largest_halo
    return tuple(notes)


def probe(stage: Stage, model: Model) -> tuple[str, ...]:
    """Run the stage with the model on a generated picture; returns warnings about the result.

    Raises ModelUnusable if the stage cannot use the model's answer.
    """
    picture = Picture(pixels=probe_pixels(stage))
    parameters = PARAMETERS[stage].model_validate(_given(stage, model))
    if not isinstance(parameters, RestorationParameters):
        raise ModelUnusable(f"{stage} is no stage that a model of one's own can serve", code="model_contract")
    output = restore(stage, picture, parameters, "model", model)
    return (*output.notes, *_doubts(stage, model, picture.pixels, output.picture.pixels))


def _given(stage: Stage, model: Model) -> dict[str, Any]:
    """Parameters with which the stage surely runs the model."""
    if stage == "upscale":
        return {"scale": float(max(2, model.scale))}
    return {"denoise": {"sigma": 5.0}, "deblur": {"radius": 1.0}, "low_light": {"gamma": 0.5}}.get(stage, {})


def _doubts(stage: Stage, model: Model, before: Pixels, after: Pixels) -> tuple[str, ...]:
    """Whether a restored probe is still the probe: a wrong colour form is detected here."""
    if stage not in ("denoise", "deblur", "upscale"):
        return ()
    small = resized(after, *before.shape[:2])
    likeness = _psnr_db(small, before)
    if _psnr_db(small[..., ::-1], before) > likeness + 1.0:
        return (f"red and blue came back exchanged: channels is {model.contract.channels!r}, is it the other one?",)
    if likeness < LIKENESS_DB:
        return (f"the probe came back with {likeness:.1f} dB: are range, mean and deviation those of the network?",)
    return ()


def _psnr_db(one: Pixels, other: Pixels) -> float:
    error = float(np.square(one.astype(np.float32) - other.astype(np.float32)).mean())
    return float(10.0 * np.log10(255.0**2 / max(error, 1e-6)))


def probe_pixels(stage: Stage) -> Pixels:
    """A coloured object with fine stripes before a soft background; dark or grey where the stage needs that."""
    height, width = PROBE_SIZE
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    scene = np.stack([60 + 0.3 * across, 110 + 0.2 * down, 170 - 0.2 * across], axis=-1).astype(np.uint8)
    centre = (width // 2, height // 2)
    cv2.circle(scene, centre, height // 3, (205, 80, 60), -1, cv2.LINE_AA)
    for offset in range(-height // 4, height // 4, 6):
        cv2.line(scene, (centre[0] - 40, centre[1] + offset), (centre[0] + 40, centre[1] + offset), (240, 220, 200))
    scene = gaussian(scene, 0.5)
    if stage == "colorize":
        grey: Pixels = np.repeat(scene[..., 1:2], 3, axis=2)
        return grey
    return (scene // 5).astype(np.uint8) if stage == "low_light" else scene
