"""Draw `networks.jpg`: the built-in models beside two networks that `darkroom models get` installs.

Run from the root of the repository with `isnet` and `span-x2` installed. Photographs: scikit-image's.
"""

import os
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from darkroom.domain.pipeline import build_pipeline
from darkroom.execution.runner import LocalRunner, run_pipeline
from darkroom.imaging.codec import Limits, decode
from darkroom.imaging.picture import Pixels, to_float
from darkroom.runtime.bootstrap import build_local_runner, processors
from darkroom.runtime.settings import read_settings
from models.evaluation.benchmark import psnr_db
from models.evaluation.gallery import over_squares
from models.evaluation.sheet import Cell, sheet
from models.training.degradations import reduced, to_u8

TARGET = Path(__file__).with_name("networks.jpg")
WIDTH = 300
UNLIMITED = Limits(max_bytes=2**31, max_pixels=2**31)


def made(bench: LocalRunner, pixels: Pixels, preset: str, quality: str) -> Pixels:
    """What the preset makes of a picture; what is transparent shows squares."""
    file = bytes(cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))[1])
    pipeline = build_pipeline({"preset": preset, "quality": quality, "output": {"format": "png"}})
    return over_squares(decode(run_pipeline(bench, "photo.png", file, pipeline).data, UNLIMITED).picture)


def cut_out(bench: LocalRunner, name: str, pixels: Pixels) -> list[Cell]:
    """A photograph, and its subject by both models."""
    fast, best = (made(bench, pixels, "cutout", quality) for quality in ("fast", "best"))
    return [
        Cell(title=name, pixels=pixels, told=""),
        Cell(title="cutout, built-in", pixels=fast, told=""),
        Cell(title="cutout, isnet", pixels=best, told=""),
    ]


def enlarged(bench: LocalRunner, name: str, pixels: Pixels, part: tuple[slice, slice]) -> list[Cell]:
    """A part of a photograph that was halved, enlarged by interpolation and by both models."""
    small = to_u8(reduced(to_float(pixels), 2))
    lanczos = cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_LANCZOS4)
    answers = {
        f"{name}: halved, then Lanczos": lanczos,
        "upscale, built-in": made(bench, small, "upscale", "fast"),
        "upscale, span-x2": made(bench, small, "upscale", "best"),
    }
    return [
        Cell(title=title, pixels=np.ascontiguousarray(each[part]), told=f"{psnr_db(each, pixels):.2f} dB")
        for title, each in answers.items()
    ]


def main() -> None:
    """Draw both rows."""
    bench = build_local_runner(read_settings(os.environ), processors())
    rows = [
        cut_out(bench, "astronaut", data.astronaut()),
        enlarged(bench, "astronaut", data.astronaut(), (slice(370, 500), slice(90, 230))),
    ]
    sheet("", rows, width=WIDTH).save(TARGET, quality=88)


if __name__ == "__main__":
    main()
