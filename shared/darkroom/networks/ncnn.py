"""Read networks in ncnn's format: a text of layers (.param) and their weights (.bin)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import ModelUnusable

#: First line of every .param file (ncnn, net.cpp).
MAGIC = "7767517"
#: Tag before weights in half precision (ncnn, modelbin.cpp).
HALF_PRECISION = 0x01306B47
#: Tags before weights in single precision (ncnn, modelbin.cpp).
SINGLE_PRECISION = (0, 0x0002C056)
#: Keys of arrays in a .param file begin here and count down: -23301 is array 1 (ncnn, paramdict.cpp).
ARRAY_KEY = -23300

Number = int | float
Value = Number | tuple[Number, ...]
Weights = NDArray[np.float16] | NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One line of a .param file."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    #: By ncnn's number of the parameter.
    parameters: Mapping[int, Value]


def read_layers(text: str) -> tuple[Layer, ...]:
    """Return the layers of a .param file in their order. Raises ModelUnusable, code `model_contract`."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or lines[0] != [MAGIC] or not lines[1][0].isdigit():
        raise _unreadable(f"the text does not begin with {MAGIC} and the number of layers")
    announced, found = int(lines[1][0]), lines[2:]
    if len(found) != announced:
        raise _unreadable(f"{announced} layers are announced, {len(found)} follow")
    return tuple(map(_layer, found))


def _layer(words: list[str]) -> Layer:
    try:
        kind, name, inputs, outputs = words[0], words[1], int(words[2]), int(words[3])
        blobs, settings = words[4 : 4 + inputs + outputs], words[4 + inputs + outputs :]
        parameters = dict(_parameter(setting) for setting in settings)
    except (ValueError, IndexError) as error:
        raise _unreadable(f"the line {' '.join(words)[:120]!r} describes no layer") from error
    if len(blobs) != inputs + outputs:
        raise _unreadable(f"layer {name!r} names {len(blobs)} of its {inputs + outputs} inputs and outputs")
    return Layer(
        kind=kind, name=name, inputs=tuple(blobs[:inputs]), outputs=tuple(blobs[inputs:]), parameters=parameters
    )


def _parameter(setting: str) -> tuple[int, Value]:
    key, _, value = setting.partition("=")
    if int(key) <= ARRAY_KEY:
        count, *values = value.split(",")
        if len(values) != int(count):
            raise ValueError(setting)
        return ARRAY_KEY - int(key), tuple(map(_number, values))
    return int(key), _number(value)


def _number(text: str) -> Number:
    return float(text) if any(mark in text for mark in ".en") else int(text)


class WeightReader:
    """Reads a .bin file from its start to its end, layer by layer."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def tagged(self, count: int) -> Weights:
        """Return the next `count` weights, which a tag precedes. Raises ModelUnusable for quantized ones."""
        tag = int.from_bytes(self._take(4), "little")
        if tag == HALF_PRECISION:
            padded = -(-2 * count // 4) * 4
            return np.frombuffer(self._take(padded)[: 2 * count], "<f2")
        if tag in SINGLE_PRECISION:
            return self.plain(count)
        raise _unreadable(f"weights with the tag 0x{tag:08x} are neither in half nor in single precision")

    def plain(self, count: int) -> Weights:
        """Return the next `count` weights in single precision without a tag."""
        return np.frombuffer(self._take(4 * count), "<f4")

    def require_end(self) -> None:
        """Raise ModelUnusable if weights are left over."""
        if self._at != len(self._data):
            raise _unreadable(f"{len(self._data) - self._at} of {len(self._data)} bytes of weights belong to no layer")

    def _take(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise _unreadable(f"the weights end at byte {len(self._data)}, the layers need {self._at + count}")
        self._at += count
        return self._data[self._at - count : self._at]


def _unreadable(why: str) -> ModelUnusable:
    return ModelUnusable(f"this is no network in ncnn's format that can be read: {why}", code="model_contract")
