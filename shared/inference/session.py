"""How does a registered model become something that can be applied to pixels?

The one place that knows onnxruntime, and the one place where its errors become ours.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelUnusable, TransientError
from shared.imaging.picture import Pixels, to_float, to_pixels
from shared.imaging.tiling import apply_tiled, plan_tiles
from shared.inference.registry import Contract, ModelEntry, Registry
from shared.messages import ModelRef
from shared.parameters import Stage

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, NodeArg

_FLOAT = "tensor(float)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model whose file and contract have been checked. May be used from several threads at once."""

    ref: ModelRef
    contract: Contract
    _session: "InferenceSession"

    @property
    def scale(self) -> int:
        """How many times higher and wider the answer is."""
        return self.contract.scale

    @property
    def scalars(self) -> tuple[str, ...]:
        """Names of the numbers that the model takes beside the pixels."""
        return self.contract.scalars

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        """Run the model over a picture, tile by tile.

        Parameters
        ----------
        pixels
            (H, W, 3), RGB, uint8 or uint16, full range of the type.
        scalars
            A number for each name in `contract.scalars`, in the unit that the model's card states.
        tile
            Longest side of a tile in pixels, `contract.tile` if absent. A larger one is a little faster and needs more
            memory; the result is the same within the rounding of floats.

        Returns
        -------
        (H * scale, W * scale, 3), dtype of `pixels`.

        Raises
        ------
        ModelUnusable
            Code `model_contract`: the picture is smaller than the model takes, the scalars are not those of the
            contract, or the graph fails or answers with another shape or with NaN.
        TransientError
            There was not enough memory.
        """
        given = dict(scalars or {})
        self._check_request(pixels, given)
        tiles = plan_tiles(
            (pixels.shape[0], pixels.shape[1]),
            tile=self.contract.tile if tile is None else tile,
            halo=self.contract.halo,
            multiple_of=self.contract.multiple_of,
        )
        inputs = {name: np.array([value], np.float32) for name, value in given.items()}
        return apply_tiled(pixels, lambda window: self._run(window, inputs), tiles, scale=self.contract.scale)

    def _check_request(self, pixels: Pixels, scalars: Mapping[str, float]) -> None:
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
            raise ValueError(f"pixels have shape {pixels.shape}, expected (H, W, 3) with at least one pixel")
        if min(pixels.shape[:2]) < self.contract.min_size:
            raise self._broken(
                f"takes pictures from {self.contract.min_size} pixels a side on, "
                f"not {pixels.shape[0]}x{pixels.shape[1]}"
            )
        if set(scalars) != set(self.contract.scalars):
            raise self._broken(f"needs the scalars {sorted(self.contract.scalars)}, not {sorted(scalars)}")

    def _run(self, window: Pixels, scalars: Mapping[str, NDArray[np.float32]]) -> Pixels:
        nchw = np.ascontiguousarray(to_float(window).transpose(2, 0, 1))[np.newaxis]
        with _translated(self.ref.id):
            (answer,) = self._session.run([self.contract.output], {self.contract.input: nchw, **scalars})
        height, width = window.shape[:2]
        expected = (1, 3, height * self.contract.scale, width * self.contract.scale)
        if answer.shape != expected:
            raise self._broken(f"answered {answer.shape} to {nchw.shape} where its contract promises {expected}")
        if np.isnan(answer.min()):
            raise self._broken(f"answered NaN to {nchw.shape}")
        return to_pixels(answer[0].transpose(1, 2, 0), window.dtype)

    def _broken(self, what: str) -> ModelUnusable:
        return ModelUnusable(f"model {self.ref.id!r} {what}", code="model_contract")


@dataclass(slots=True)
class ModelStore:
    """Opens the models of a registry, each one once."""

    registry: Registry
    #: onnxruntime threads that one call may use.
    threads: int = field(kw_only=True)
    _opened: dict[tuple[str, str], Model] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def open(self, stage: Stage, model_id: str, *, sha256: str | None = None) -> Model:
        """The model, ready to be applied.

        Parameters
        ----------
        stage, model_id
            As in the registry.
        sha256
            The digest that the caller planned with; it must still be the registered one.

        Raises
        ------
        ModelUnusable
            Code `model_unknown` or `model_not_commercial` (see `Registry.get`), `model_missing` (no file),
            `model_checksum_mismatch` (the file, or the plan, is not what was registered), `model_contract` (not a
            graph that can be loaded, or not the inputs and outputs that were registered).
        """
        entry = self.registry.get(stage, model_id)
        if sha256 is not None and sha256 != entry.ref.sha256:
            raise _mismatch(entry, f"the plan names {sha256}")
        with self._lock:
            key = (stage, model_id)
            if key not in self._opened:
                self._opened[key] = _open(entry, self.threads)
            return self._opened[key]


def _open(entry: ModelEntry, threads: int) -> Model:
    graph = _read(entry.path, entry.ref.id)
    digest = hashlib.sha256(graph).hexdigest()
    if digest != entry.ref.sha256:
        raise _mismatch(entry, f"{entry.path} has {digest}")
    session = _session(graph, threads, entry.ref.id)
    if problems := _violations(session, entry.contract):
        raise ModelUnusable(f"model {entry.ref.id!r}: {'; '.join(problems)}", code="model_contract")
    return Model(ref=entry.ref, contract=entry.contract, _session=session)


def _read(path: Path, model_id: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelUnusable(f"model {model_id!r} has no file at {path}", code="model_missing") from error


def _mismatch(entry: ModelEntry, found: str) -> ModelUnusable:
    return ModelUnusable(
        f"model {entry.ref.id!r} is registered with sha256 {entry.ref.sha256}, but {found}",
        code="model_checksum_mismatch",
    )


def _session(graph: bytes, threads: int, model_id: str) -> "InferenceSession":
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads
    # The pattern planner would keep 40-45 % more memory and saves no time here.
    options.enable_mem_pattern = False
    # Threads that wait for the next call must not burn the CPU that other stages need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # fatal: whatever else goes wrong is raised
    with _translated(model_id):
        return InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _violations(session: "InferenceSession", contract: Contract) -> list[str]:
    """Everything in which the graph's inputs and outputs differ from the contract."""
    inputs = {each.name: each for each in session.get_inputs()}
    outputs = {each.name: each for each in session.get_outputs()}
    expected = {contract.input, *contract.scalars}
    problems: list[str] = []
    if set(inputs) != expected:
        problems.append(f"the graph takes {sorted(inputs)}, the contract says {sorted(expected)}")
    if contract.output not in outputs:
        problems.append(f"the graph gives {sorted(outputs)}, the contract says {contract.output!r}")
    for name in (name for name in contract.scalars if name in inputs):
        problems += _tensor_problems(inputs[name], (1,))
    if contract.input in inputs:
        problems += _tensor_problems(inputs[contract.input], (1, 3, None, None))
    if contract.output in outputs:
        problems += _tensor_problems(outputs[contract.output], (1, 3, None, None))
    return problems


def _tensor_problems(tensor: "NodeArg", shape: tuple[int | None, ...]) -> list[str]:
    """What is wrong with one input or output; None in `shape` stands for a size that must be free."""
    found = list(tensor.shape)
    fits = len(found) == len(shape) and all(_fits(size, wanted) for size, wanted in zip(found, shape, strict=True))
    problems = [] if tensor.type == _FLOAT else [f"{tensor.name!r} is {tensor.type}, expected {_FLOAT}"]
    wanted = [size or "any" for size in shape]
    return problems if fits else [*problems, f"{tensor.name!r} has shape {found}, expected {wanted}"]


def _fits(size: int | str | None, wanted: int | None) -> bool:
    free = not isinstance(size, int)
    return free or size == wanted


@contextmanager
def _translated(model_id: str) -> Iterator[None]:
    """onnxruntime's errors as ours; its classes have no common ancestor but Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as ort

    known = (
        ort.Fail,
        ort.InvalidArgument,
        ort.InvalidGraph,
        ort.InvalidProtobuf,
        ort.NotImplemented,
        ort.RuntimeException,
    )
    try:
        yield
    except known as error:
        # Both Fail and RuntimeException can mean this; only the text tells.
        if "Failed to allocate memory" in str(error):
            raise TransientError(f"no memory to run model {model_id!r}: {error}", code="out_of_memory") from error
        raise ModelUnusable(f"onnxruntime cannot run model {model_id!r}: {error}", code="model_contract") from error
