"""`python -m models.training.int8 denoise --data DIR` makes the int8 variant of a trained pixel model and measures it.

Static quantisation, as QDQ: weights per channel, activations in eight bits with a zero point, their ranges taken from
training pairs. The last convolutions before the answer, the pixel shuffle and the additions stay in single precision:
there an error of one level is an error in the picture. So do the convolutions at the finest resolution of a U-Net:
leaving them out costs the least speed for the most quality.

Jacob, Kligys, Chen et al.: Quantization and training of neural networks for efficient integer-arithmetic-only
inference, 2018, arXiv 1712.05877.
"""

import argparse
import hashlib
import logging
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper
from onnxruntime import InferenceSession
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from darkroom.inference.runtime import load
from models.training.loop import collate
from models.training.recipe import Recipe, Sample, psnr_db
from models.training.recipes import RECIPES

#: Number of samples from which the value ranges are measured.
CALIBRATION = 48
#: Number of samples on which the loss of quality is measured.
VALIDATION = 65
#: Side in pixels of the tile that is timed. Source: the tile of the contract.
TIMED_SIDE = 512
#: Number of timed runs of each graph.
REPETITIONS = 5
#: Number of threads of a timed run.
THREADS = 1
#: Least speed relative to single precision for a useful variant.
LEAST_SPEED = 1.5
#: Largest loss of PSNR in dB for a useful variant.
MOST_LOSS_DB = 0.1

#: Parts of the names of the kernels that stay in single precision beside the last ones, by recipe.
FINEST = ("trunk.head", "encoders.0", "downs.0", "decoders.0", "ups.0")
KEPT: Mapping[str, tuple[str, ...]] = dict.fromkeys(("denoise", "deblur_detail", "low_light_detail", "repair"), FINEST)

Feed = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The variant and its original graph."""

    single_s: float
    int8_s: float
    single_db: float
    int8_db: float

    @property
    def speed(self) -> float:
        """How many times as fast."""
        return self.single_s / self.int8_s

    @property
    def loss_db(self) -> float:
        """Mean PSNR lost."""
        return self.single_db - self.int8_db

    @property
    def worthwhile(self) -> bool:
        """Whether it should be registered."""
        return self.speed >= LEAST_SPEED and self.loss_db < MOST_LOSS_DB


class Reader(CalibrationDataReader):
    """Training pairs as a calibration reader of onnxruntime."""

    def __init__(self, feeds: Iterator[Feed]) -> None:
        self.feeds = feeds

    def get_next(self) -> Feed | None:
        return next(self.feeds, None)


def main() -> None:
    """Create the int8 variant, and print its cost and its quality."""
    arguments = parse()
    recipe = RECIPES[arguments.model]
    examples = recipe.load(arguments.data)
    quantise(recipe, arguments.graph, arguments.out, examples.training)
    found = compare(recipe, (arguments.graph, arguments.out), examples.validation)
    print(
        f"{arguments.out}: {found.speed:.2f} times as fast ({found.single_s:.3f} s to {found.int8_s:.3f} s of CPU "
        f"for {TIMED_SIDE}x{TIMED_SIDE}), loses {found.loss_db:.3f} dB "
        f"({found.single_db:.3f} to {found.int8_db:.3f}); {'worthwhile' if found.worthwhile else 'not worthwhile'}\n"
        f"sha256 {hashlib.sha256(arguments.out.read_bytes()).hexdigest()}"
    )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.training.int8", description=__doc__)
    parser.add_argument("model", choices=sorted(RECIPES), help="the recipe whose pairs are calibrated and measured on")
    parser.add_argument("--data", type=Path, required=True, help="folder that contains photos/")
    parser.add_argument("--graph", type=Path, help="the trained graph, models/MODEL/model.onnx if absent")
    parser.add_argument("--out", type=Path, help="the variant, model.int8.onnx beside the graph if absent")
    arguments = parser.parse_args()
    arguments.graph = arguments.graph or Path("models") / arguments.model / "model.onnx"
    arguments.out = arguments.out or arguments.graph.with_suffix(".int8.onnx")
    return arguments


def quantise(recipe: Recipe, graph: Path, out: Path, photographs: Sequence[object]) -> None:
    """Write the int8 variant of `graph` to `out`."""
    logging.getLogger().setLevel(logging.ERROR)
    model = onnx.load(graph)
    widen(model)
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(photographs), CALIBRATION, replace=False)
    feeds = (feed(recipe, recipe.train_sample(photographs[number], rng)) for number in chosen)
    with TemporaryDirectory() as folder:
        widened = Path(folder) / "model.onnx"
        onnx.save(model, widened)
        quantize_static(
            widened,
            out,
            Reader(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[*last_convolutions(model), *kept_convolutions(model, KEPT.get(recipe.id, ()))],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    finished = onnx.load(out)
    finished.producer_name = finished.producer_version = ""
    out.write_bytes(finished.SerializeToString())


def widen(model: ModelProto) -> None:
    """Store the kernels in single precision, without the Casts of `export.store_half`: only so are they quantised."""
    stored = {each.name: each for each in model.graph.initializer}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        half = stored.get(node.input[0]) if node.op_type == "Cast" else None
        if half is None or half.data_type != TensorProto.FLOAT16:
            nodes.append(node)
            continue
        half.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(half).astype(np.float32), node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def last_convolutions(model: ModelProto) -> list[str]:
    """Names of the convolutions from which an output is reached without another convolution on the way."""
    makers = {output: node for node in model.graph.node for output in node.output}
    open_ends = [output.name for output in model.graph.output]
    found: set[str] = set()
    seen: set[str] = set()
    while open_ends:
        maker = makers.get(open_ends.pop())
        if maker is None or maker.name in seen:
            continue
        seen.add(maker.name)
        if maker.op_type == "Conv":
            found.add(maker.name)
        else:
            open_ends.extend(maker.input)
    return sorted(found)


def kept_convolutions(model: ModelProto, names: Sequence[str]) -> list[str]:
    """Names of the convolutions whose kernels' names contain one of `names`."""
    convolutions = (node for node in model.graph.node if node.op_type == "Conv")
    return [node.name for node in convolutions if any(name in node.input[1] for name in names)]


def feed(recipe: Recipe, sample: Sample) -> Feed:
    """A pair's inputs for the exported graph; inputs of only the graph are those of the recipe's example."""
    inputs, _ = collate([sample])
    given = (*inputs, *recipe.example[len(inputs) :])
    return {name: np.ascontiguousarray(each.numpy()) for name, each in zip(recipe.inputs, given, strict=True)}


def compare(recipe: Recipe, graphs: tuple[Path, Path], photographs: Sequence[object]) -> Comparison:
    """Both graphs on the same pairs of the validation split, and on one tile in turns."""
    single, int8 = (load(path.read_bytes(), THREADS, path.name) for path in graphs)
    rng = np.random.default_rng(0)
    made = (recipe.val_sample(photograph, rng) for photograph in photographs[:VALIDATION])
    pairs = [sample for sample in made if sample]
    scores = [[score(recipe, session, pair) for pair in pairs] for session in (single, int8)]
    seconds = timed((single, int8), tile(recipe, pairs[0]))
    return Comparison(
        single_s=seconds[0],
        int8_s=seconds[1],
        single_db=float(np.mean(scores[0])),
        int8_db=float(np.mean(scores[1])),
    )


def score(recipe: Recipe, session: InferenceSession, pair: Sample) -> float:
    """PSNR of the picture that the graph answers with."""
    _, target = collate([pair])
    return psnr_db(torch.from_numpy(session.run(None, feed(recipe, pair))[0]), target[:, :3])


def tile(recipe: Recipe, pair: Sample) -> Feed:
    """Noise of a tile's size, and the pair's numbers."""
    noise = np.random.default_rng(0).random((1, 3, TIMED_SIDE, TIMED_SIDE), np.float32)
    return feed(recipe, pair) | {recipe.inputs[0]: noise}


def timed(sessions: Sequence[InferenceSession], given: Feed) -> list[float]:
    """Median seconds of processor time of each, run in turns: what else the machine does matters little to it."""
    seconds: list[list[float]] = [[] for _ in sessions]
    for _ in range(REPETITIONS):
        for session, mine in zip(sessions, seconds, strict=True):
            began = time.process_time()
            session.run(None, given)
            mine.append(time.process_time() - began)
    return [statistics.median(mine) for mine in seconds]


if __name__ == "__main__":
    main()
