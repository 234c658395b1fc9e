"""`python -m models.evaluation.gallery --out DIR`: a sheet for every stage and every preset.

Each sheet shows degraded photographs, and their restoration by the classical methods and by the installed models
with default parameters, and as they were before; where networks are installed (`darkroom models get`), as the built-in
and as the installed ones restore them. Under them: PSNR and SSIM to the reference where there is one, and
the score that the service itself gives.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from darkroom.domain.errors import PermanentError
from darkroom.domain.pipeline import Pipeline, Preset, build_pipeline
from darkroom.execution.runner import LocalRunner, PipelineResult, run_pipeline
from darkroom.imaging.codec import Limits, decode
from darkroom.imaging.filters import resized
from darkroom.imaging.picture import Picture, Pixels
from darkroom.inference.registry import Registry
from darkroom.runtime.bootstrap import build_local_runner
from darkroom.runtime.settings import read_settings
from models.evaluation.benchmark import psnr_db, rgb_score
from models.evaluation.gallery_cases import STAGES, scenes_of
from models.evaluation.scenes import Scene
from models.evaluation.sheet import Cell, sheet

UNLIMITED = Limits(max_bytes=2**31, max_pixels=2**31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benches:
    """The same service without and with models."""

    classical: LocalRunner
    model: LocalRunner


def main() -> None:
    """Draw the requested sheets, or all of them."""
    arguments = parse()
    arguments.out.mkdir(parents=True, exist_ok=True)
    benches = both(arguments.threads)
    for name, pipeline, scenes in wanted(arguments.only):
        rows = [row(scene, pipeline, benches, installed=has_installed(benches)) for scene in scenes]
        path = arguments.out / f"{name}.jpg"
        sheet(name, rows).save(path, quality=90)
        print(path, flush=True)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.gallery", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the sheets")
    parser.add_argument("--only", nargs="*", default=[], help="names of sheets, as stage-denoise or preset-restore")
    parser.add_argument("--threads", type=int, default=2, help="threads of onnxruntime")
    return parser.parse_args()


def both(threads: int) -> Benches:
    """A bench without models, so that its stages use the classical methods."""
    bench = build_local_runner(read_settings(os.environ), threads)
    return Benches(classical=replace(bench, model_registry=Registry(entries=())), model=bench)


def wanted(only: list[str]) -> Iterator[tuple[str, Pipeline, list[Scene]]]:
    """Name, pipeline and scenes of each sheet."""
    for stage, make in STAGES.items():
        if not only or f"stage-{stage}" in only:
            yield f"stage-{stage}", build_pipeline({"stages": [{"stage": stage, "parameters": {}}]}), make()
    for preset in get_args(Preset):
        if not only or f"preset-{preset}" in only:
            yield f"preset-{preset}", build_pipeline({"preset": preset}), scenes_of(preset)


def row(scene: Scene, pipeline: Pipeline, benches: Benches, *, installed: bool = False) -> list[Cell]:
    """Input, classical, built-in model, with `installed` what the installed networks make of it, reference."""
    answers = [
        answer(name, scene, requested, bench) for name, requested, bench in columns(pipeline, benches, installed)
    ]
    before = Cell(title=scene.name, pixels=scene.given, caption=compared(scene.given, scene.wanted))
    if scene.wanted is None:
        return [before, *answers]
    return [before, *answers, Cell(title="reference", pixels=scene.wanted, caption="")]


def columns(pipeline: Pipeline, benches: Benches, installed: bool) -> Iterator[tuple[str, Pipeline, LocalRunner]]:
    """Name, pipeline and bench of each answer."""
    fast = pipeline.model_copy(update={"quality": "fast"})
    yield "classical", fast, benches.classical
    yield "built-in" if installed else "model", fast, benches.model
    if installed:
        yield "installed", pipeline, benches.model


def has_installed(benches: Benches) -> bool:
    """Whether networks are installed beside the built-in models."""
    model_registry = benches.model.model_registry
    return isinstance(model_registry, Registry) and any(entry.installed for entry in model_registry.entries)


def answer(name: str, scene: Scene, pipeline: Pipeline, bench: LocalRunner) -> Cell:
    """The result of the pipeline for a scene on one of the benches."""
    try:
        developed = run_pipeline(bench, "scene.png", png(scene.given), pipeline)
    except PermanentError as error:
        return Cell(title=f"{name}: {error.code}", pixels=scene.given, caption=str(error))
    picture = decode(developed.data, UNLIMITED).picture
    pixels = over_squares(picture)
    return Cell(
        title=f"{name}: {', '.join(ran(developed)) or 'nothing done'}",
        pixels=pixels,
        caption=f"{compared(pixels, scene.wanted)} {score(developed)}".strip(),
    )


def ran(developed: PipelineResult) -> list[str]:
    """The methods that ran between the assessments."""
    return [f"{it.stage} {it.method}" for it in developed.job.records if it.stage not in ("assess", "finish")]


def score(developed: PipelineResult) -> str:
    """What the service itself thinks."""
    before, after = developed.job.before, developed.job.after
    return f"score {before.score:.0f} to {after.score:.0f}" if before and after else ""


def compared(pixels: Pixels, wanted_pixels: Pixels | None) -> str:
    """PSNR and SSIM to the reference; a picture of another size is brought to its size."""
    if wanted_pixels is None:
        return ""
    near = resized(pixels, *wanted_pixels.shape[:2])
    return f"{psnr_db(near, wanted_pixels):.1f} dB, SSIM {rgb_score(near, wanted_pixels).ssim:.3f}"


def over_squares(picture: Picture) -> Pixels:
    """8-bit pixels; what is transparent shows squares of two greys."""
    pixels = picture.pixels if picture.bits == 8 else (picture.pixels // 257).astype(np.uint8)
    matte = picture.matte
    if matte is None:
        return pixels
    rows, columns = np.ogrid[: picture.height, : picture.width]
    squares = np.where((rows // 12 + columns // 12) % 2, 235, 205)[..., np.newaxis]
    return np.rint(matte[..., np.newaxis] * pixels + (1 - matte[..., np.newaxis]) * squares).astype(np.uint8)


def png(pixels: Pixels) -> bytes:
    """The scene as the file that is handed in."""
    return bytes(cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))[1])


if __name__ == "__main__":
    main()
