"""Models that compute each answer once and repeat it.

A crash sweep runs one photograph through the same networks a hundred times. The first run computes every answer with
the real network. Later runs with the same input receive a copy of that answer. Any other input is computed anew.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from copy import deepcopy
from threading import Lock
from typing import Any

import numpy as np

from darkroom.domain.parameters import Stage
from darkroom.imaging.picture import Pixels
from darkroom.runtime.system import Models
from darkroom.stages import StageModel, Tensor

#: Bytes of input above which an answer is computed every time, so that large photographs fill no memory.
MAX_INPUT_BYTES = 200_000
#: Answers that are kept; the one that was unused for longest goes first.
MAX_ANSWERS = 1000


class Answers:
    """Computed answers by a digest of everything that they depend on. May be used from several threads at once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._lock = Lock()
        #: How many answers were computed, not repeated.
        self.computed = 0

    def get(self, key: str, compute: Callable[[], Any]) -> Any:
        """A copy of the answer for `key`, which the caller may change."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        return deepcopy(self._keep(key, compute()) if found is None else found)

    def _keep(self, key: str, answer: Any) -> Any:
        with self._lock:
            self.computed += 1
            self._kept[key] = answer
            if len(self._kept) > MAX_ANSWERS:
                self._kept.popitem(last=False)
        return answer


class RememberedModels:
    """Implements `Models` over others; models are opened, and their files checked, by those."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.answers = Answers()

    def open(self, stage: Stage, model_id: str, *, sha256: str | None = None) -> StageModel:
        """See `darkroom.runtime.system.Models`."""
        return RememberedModel(self._models.open(stage, model_id, sha256=sha256), self.answers)


class RememberedModel:
    """Implements `StageModel` over another one."""

    def __init__(self, model: StageModel, answers: Answers) -> None:
        self._model, self._answers = model, answers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    @property
    def companion(self) -> StageModel | None:
        inner = self._model.companion
        return RememberedModel(inner, self._answers) if inner else None

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        """See `darkroom.stages.StageModel`."""
        answer: Pixels = self._answer(pixels, scalars, tile, lambda: self._model.apply(pixels, scalars, tile=tile))
        return answer

    def read(self, pixels: Pixels, extra: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
        """See `darkroom.stages.StageModel`."""
        answer: Mapping[str, Tensor] = self._answer(pixels, extra, None, lambda: self._model.read(pixels, extra))
        return answer

    def _answer(
        self, pixels: Pixels, others: Mapping[str, Any] | None, tile: int | None, compute: Callable[[], Any]
    ) -> Any:
        if pixels.nbytes > MAX_INPUT_BYTES:
            return compute()
        digest = hashlib.sha256(repr((self._model.ref, tile)).encode())
        for name, values in [("pixels", pixels), *sorted((others or {}).items())]:
            array = np.asarray(values)
            digest.update(repr((name, array.shape, array.dtype)).encode() + array.tobytes())
        return self._answers.get(digest.hexdigest(), compute)
