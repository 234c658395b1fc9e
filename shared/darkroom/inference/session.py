"""Opens registered models and applies them to pixels."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.messages import ModelRef
from darkroom.domain.parameters import Stage
from darkroom.imaging.filters import resized
from darkroom.imaging.picture import Pixels
from darkroom.imaging.tiling import apply_tiled, plan_tiles
from darkroom.inference.contract import MAPS, Answer, Contract
from darkroom.inference.registry import ModelEntry, Registry
from darkroom.inference.runtime import Accelerator, load, translated, violations
from darkroom.inference.tensors import (
    Tensor,
    as_maps_or_numbers,
    cropped,
    filled,
    in_unit,
    pixels_of,
    tensor_of,
)

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model whose file and contract have been checked. May be used from several threads at once."""

    ref: ModelRef
    contract: Contract
    _session: "InferenceSession"
    #: A model that runs after this one, if there is one.
    companion: "Model | None" = None

    @property
    def answer(self) -> Answer:
        """Kind of the output: pixels, from `apply`; any other kind from `read`."""
        return self.contract.answer

    @property
    def scale(self) -> int:
        """Factor by which output pixels are larger than the input, in height and in width."""
        return self.contract.scale

    @property
    def scalars(self) -> tuple[str, ...]:
        """Names of the numbers that `apply` needs besides the pixels."""
        return self.contract.scalars

    @property
    def extra(self) -> tuple[str, ...]:
        """Names of the tensors that `read` needs besides the pixels."""
        return self.contract.extra

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        """Height and width to which `read` reduces a picture of the given size."""
        return self.contract.reduced(height, width)

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
            memory; the result is the same within the rounding of floats. A graph of one fixed `size` has tiles of that.

        Returns
        -------
        (H * scale, W * scale, 3), dtype of `pixels`.

        Raises
        ------
        ModelUnusable
            Code `model_contract`: the model does not answer with pixels, the picture is smaller than it takes, the
            scalars are not those of the contract, or the graph fails or answers with another shape or with NaN.
        TransientError
            There was not enough memory.
        """
        given = dict(scalars or {})
        self._check_apply(pixels, given)
        tiles = plan_tiles(
            (pixels.shape[0], pixels.shape[1]),
            tile=self.contract.window if tile is None or self.contract.size else tile,
            halo=self.contract.halo,
            multiple_of=self.contract.multiple_of,
        )
        inputs = {name: np.array([value], np.float32) for name, value in given.items()}
        return apply_tiled(pixels, lambda window: self._tile(window, inputs), tiles, scale=self.contract.scale)

    def read(self, pixels: Pixels, extra: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
        """Run the model on a reduction of the whole picture.

        Parameters
        ----------
        pixels
            (H, W, 3), RGB, uint8 or uint16, full range of the type, of any size.
        extra
            A tensor for each name in `contract.extra`, without a batch axis; what has a pixel grid has the sides of
            `reduced`.

        Returns
        -------
        The tensors named in `contract.outputs`, float32, without a batch axis: maps (C, h, w) of the model's own size,
        numbers (K,). A matte is in [0, 1] and chroma is a* and b*, whatever the network gives itself.

        Raises
        ------
        ModelUnusable
            Code `model_contract`: the model answers with pixels, the extra tensors are not those of the contract, or
            the graph fails or answers with NaN or without an axis for the batch.
        TransientError
            There was not enough memory.
        """
        given = dict(extra or {})
        self._check_read(pixels, given)
        content = self.reduced(*pixels.shape[:2])
        sides = self.contract.filled(*content)
        inputs = {name: np.ascontiguousarray(values, np.float32)[np.newaxis] for name, values in given.items()}
        answers = self._answers(filled(resized(pixels, *content), *sides), inputs)
        whole = (cropped(as_maps_or_numbers(each), content, sides) for each in answers)
        read = dict(zip(self.contract.outputs, whole, strict=True))
        first = next(iter(read))
        self._check_maps(answers[0])
        return {**read, first: in_unit(read[first], self.contract)}

    def _check_apply(self, pixels: Pixels, scalars: Mapping[str, float]) -> None:
        _check_shape(pixels)
        if not self.contract.tiled:
            raise self._broken(f"answers with {self.answer}, not with pixels")
        if min(pixels.shape[:2]) < self.contract.min_size:
            raise self._broken(
                f"takes pictures from {self.contract.min_size} pixels a side on, "
                f"not {pixels.shape[0]}x{pixels.shape[1]}"
            )
        if set(scalars) != set(self.contract.scalars):
            raise self._broken(f"needs the scalars {sorted(self.contract.scalars)}, not {sorted(scalars)}")

    def _check_read(self, pixels: Pixels, extra: Mapping[str, Tensor]) -> None:
        _check_shape(pixels)
        if self.contract.tiled:
            raise self._broken("answers with pixels, not with anything that could be read")
        if set(extra) != set(self.contract.extra):
            raise self._broken(f"needs the extra tensors {sorted(self.contract.extra)}, not {sorted(extra)}")

    def _check_maps(self, answer: Tensor) -> None:
        maps = MAPS.get(self.answer)
        if maps is not None and (answer.ndim != 4 or answer.shape[1] != maps) and not (answer.ndim == 3 and maps == 1):
            raise self._broken(f"answered {answer.shape}, and a {self.answer} has {maps} map{'s' * (maps > 1)}")

    def _tile(self, window: Pixels, scalars: Mapping[str, Tensor]) -> Pixels:
        height, width = window.shape[:2]
        scale, sides = self.contract.scale, self.contract.filled(height, width)
        (answer,) = self._answers(filled(window, *sides), scalars)
        expected = (1, 3, sides[0] * scale, sides[1] * scale)
        if answer.shape != expected:
            given = (1, self.contract.planes, *sides)
            raise self._broken(f"answered {answer.shape} to {given} where its contract promises {expected}")
        return pixels_of(answer[0, :, : height * scale, : width * scale], self.contract, window)

    def _answers(self, pixels: Pixels, others: Mapping[str, Tensor]) -> list[Tensor]:
        """The outputs of the contract, none of which holds NaN."""
        tensor = tensor_of(pixels, self.contract)
        with translated(self.ref.id):
            answers = self._session.run(list(self.contract.outputs.values()), {self.contract.input: tensor, **others})
        for name, answer in zip(self.contract.outputs, answers, strict=True):
            if answer.size == 0 or np.isnan(answer.min()):
                raise self._broken(f"answered {'nothing' if answer.size == 0 else 'NaN'} to {tensor.shape} in {name!r}")
        return list(answers)

    def _broken(self, what: str) -> ModelUnusable:
        return ModelUnusable(f"model {self.ref.id!r} {what}", code="model_contract")


def _check_shape(pixels: Pixels) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ValueError(f"pixels have shape {pixels.shape}, expected (H, W, 3) with at least one pixel")


@dataclass(slots=True)
class ModelStore:
    """Opens the models of a registry, each one once."""

    registry: Registry
    #: onnxruntime threads that one call may use.
    threads: int = field(kw_only=True)
    #: Whether the int8 variant runs in place of a model that has one.
    int8: bool = field(default=False, kw_only=True)
    #: Device that runs the models.
    accelerator: Accelerator = field(default="cpu", kw_only=True)
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
        TransientError
            Code `no_accelerator`: there is no GPU, and the models are to run on one.
        """
        entry = self.registry.get(stage, model_id)
        if sha256 is not None and sha256 != entry.ref.sha256:
            raise _mismatch(entry, f"the plan names {sha256}")
        companion = self.open(stage, entry.companion) if entry.companion else None
        with self._lock:
            key = (stage, model_id)
            if key not in self._opened:
                self._opened[key] = self._load(_variant(entry) if self.int8 else entry, companion)
            return self._opened[key]

    def _load(self, entry: ModelEntry, companion: Model | None) -> Model:
        graph = _checked(entry)
        session = load(graph, self.threads, entry.ref.id, accelerator=self.accelerator)
        if problems := violations(session, entry.contract):
            raise ModelUnusable(f"model {entry.ref.id!r}: {'; '.join(problems)}", code="model_contract")
        return Model(ref=entry.ref, contract=entry.contract, _session=session, companion=companion)


def _variant(entry: ModelEntry) -> ModelEntry:
    """The entry with the file and the digest of its int8 variant, if it has one."""
    if entry.int8 is None:
        return entry
    ref = entry.ref.model_copy(update={"int8_sha256": entry.int8.sha256})
    return replace(entry, path=Path(entry.int8.file), ref=ref)


def _checked(entry: ModelEntry) -> bytes:
    """The bytes that were registered."""
    graph = _read(entry.path, entry.ref.id)
    digest = hashlib.sha256(graph).hexdigest()
    if digest != (entry.ref.int8_sha256 or entry.ref.sha256):
        raise _mismatch(entry, f"{entry.path} has {digest}")
    return graph


def _read(path: Path, model_id: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelUnusable(f"model {model_id!r} has no file at {path}", code="model_missing") from error


def _mismatch(entry: ModelEntry, found: str) -> ModelUnusable:
    return ModelUnusable(
        f"model {entry.ref.id!r} is registered with sha256 {entry.ref.int8_sha256 or entry.ref.sha256}, but {found}",
        code="model_checksum_mismatch",
    )
