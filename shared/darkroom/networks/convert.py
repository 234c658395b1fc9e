"""Write an ncnn network as an ONNX graph.

All kinds of layers in the supported networks are converted. Any other layer or parameter is rejected by its name.
Weights in half precision keep it in the file; the arithmetic is in single precision.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from darkroom.domain.errors import ModelUnusable
from darkroom.networks.ncnn import Layer, Value, WeightReader, Weights, read_layers

#: ONNX operator set of the graphs: it has all required operators, and onnxruntime supports it since 1.13.
OPSET = 17
#: ONNX file format that belongs to OPSET (ONNX, Versioning.md).
IR_VERSION = 8
#: Coefficient of ncnn's bicubic interpolation (ncnn, interp.cpp).
CUBIC_A = -0.75

_RESIZES: Mapping[int, Mapping[str, Any]] = {
    1: {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    2: {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    3: {"mode": "cubic", "coordinate_transformation_mode": "half_pixel", "cubic_coeff_a": CUBIC_A},
}
_BINARY = {0: "Add", 1: "Sub", 2: "Mul", 3: "Div"}


@dataclass(slots=True)
class _Blob:
    """A tensor of the graph that is being written."""

    name: str
    channels: int
    #: Ratio of its sides to those of the input; None for a constant.
    scale: Fraction | None


@dataclass(slots=True)
class _Graph:
    weights: WeightReader
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    blobs: dict[str, _Blob] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def blob(self, name: str, layer: Layer) -> _Blob:
        if name not in self.blobs:
            raise _refused(layer, f"takes {name!r}, which no layer before it gives")
        self.used.add(name)
        return self.blobs[name]

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, values: Weights) -> str:
        """Store numbers; half precision becomes single when the graph is loaded."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        if values.dtype == np.float16:
            return self.node("Cast", [name], f"{name}_single", to=TensorProto.FLOAT)
        return name


def convert(param: str, weights: bytes) -> bytes:
    """Return the ONNX file of a network with one input, one output and pixels in RGB.

    Parameters
    ----------
    param
        Text of the .param file.
    weights
        Bytes of the .bin file; all of them must be used.

    Returns
    -------
    A graph from float32 (1, 3, H, W) to (1, C, H·s, W·s) for any H and W, with ncnn's names of input and output.

    Raises
    ------
    ModelUnusable
        Code `model_contract`: a layer, a parameter or a weight format that is not known, by its name.
    """
    graph = _Graph(WeightReader(weights))
    for layer in read_layers(param):
        if layer.kind not in _LAYERS:
            raise _refused(layer, f"is of a kind that is not known, only {', '.join(sorted(_LAYERS))}")
        _LAYERS[layer.kind](graph, layer)
    graph.weights.require_end()
    written: bytes = _model(graph).SerializeToString(deterministic=True)
    return written


def _model(graph: _Graph) -> ModelProto:
    ends = [blob for name, blob in graph.blobs.items() if name not in graph.used]
    if len(graph.inputs) != 1 or len(ends) != 1:
        raise ModelUnusable(
            f"the network has the inputs {graph.inputs} and the outputs {[each.name for each in ends]}, "
            "expected one of each",
            code="model_contract",
        )
    value = helper.make_tensor_value_info
    made = helper.make_graph(
        graph.nodes,
        "network",
        [value(graph.inputs[0], TensorProto.FLOAT, [1, 3, "height", "width"])],
        [value(ends[0].name, TensorProto.FLOAT, [1, ends[0].channels, "rows", "columns"])],
        graph.constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    checker.check_model(model)
    return model


class _Parameters:
    """The parameters of a layer. `close` rejects those that the conversion has not read."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._left: dict[int, Value] = dict(layer.parameters)

    def number(self, key: int, default: float = 0) -> Any:
        value = self._left.pop(key, default)
        if isinstance(value, tuple):
            raise _refused(self._layer, f"has an array as parameter {key}")
        return value

    def numbers(self, key: int) -> tuple[float, ...]:
        value = self._left.pop(key, ())
        return value if isinstance(value, tuple) else (value,)

    def close(self) -> None:
        """Raise ModelUnusable if a parameter was not read."""
        if self._left:
            raise _refused(self._layer, f"has the parameter {', '.join(map(str, self._left))}, which is not known")


def _input(graph: _Graph, layer: Layer) -> None:
    (name,) = layer.outputs
    graph.inputs.append(name)
    graph.blobs[name] = _Blob(name, 3, Fraction(1))


def _memory_data(graph: _Graph, layer: Layer) -> None:
    parameters = _Parameters(layer)
    width, height, channels = (int(parameters.number(key)) for key in (0, 1, 2))
    parameters.close()
    if min(width, height, channels) < 1:
        raise _refused(layer, f"holds {channels}x{height}x{width} numbers, expected three axes")
    values = graph.weights.plain(width * height * channels).reshape(1, channels, height, width)
    (name,) = layer.outputs
    graph.blobs[name] = _Blob(graph.constant(name, values), channels, None)


def _split(graph: _Graph, layer: Layer) -> None:
    blob = graph.blob(layer.inputs[0], layer)
    _Parameters(layer).close()
    graph.blobs |= dict.fromkeys(layer.outputs, blob)


def _convolution(graph: _Graph, layer: Layer) -> None:
    parameters, blob = _Parameters(layer), graph.blob(layer.inputs[0], layer)
    outputs, width = int(parameters.number(0)), int(parameters.number(1))
    height = int(parameters.number(11, width))
    left = int(parameters.number(4))
    top, right = int(parameters.number(14, left)), int(parameters.number(15, left))
    bottom = int(parameters.number(16, top))
    strides, dilations = _square(parameters, 3), _square(parameters, 2)
    biased, count = parameters.number(5), int(parameters.number(6))
    activation, slopes = parameters.number(9), parameters.numbers(10)
    parameters.close()
    if strides != [1, 1] or min(left, top, right, bottom) < 0 or count != outputs * blob.channels * height * width:
        raise _refused(layer, f"has {count} weights for {blob.channels} to {outputs} channels, or is no plain one")
    weights = graph.weights.tagged(count).reshape(outputs, blob.channels, height, width)
    given = [blob.name, graph.constant(f"{layer.name}.weight", weights)]
    if biased:
        given.append(graph.constant(f"{layer.name}.bias", graph.weights.plain(outputs)))
    (name,) = layer.outputs
    plain = f"{name}_plain" if activation else name
    graph.node("Conv", given, plain, dilations=dilations, pads=[top, left, bottom, right])
    if activation:
        _activate(graph, layer, int(activation), slopes)
    graph.blobs[name] = _Blob(name, outputs, blob.scale)


def _square(parameters: _Parameters, key: int) -> list[int]:
    """Return (rows, columns) of a pair; ncnn stores columns first, and rows only if they differ."""
    columns = int(parameters.number(key, 1))
    return [int(parameters.number(key + 10, columns)), columns]


def _activate(graph: _Graph, layer: Layer, activation: int, slopes: tuple[float, ...]) -> None:
    (name,) = layer.outputs
    plain = [f"{name}_plain"]
    if activation == 1 and not slopes:
        graph.node("Relu", plain, name)
    elif activation == 2 and len(slopes) == 1:
        graph.node("LeakyRelu", plain, name, alpha=float(slopes[0]))
    elif activation == 4 and not slopes:
        graph.node("Sigmoid", plain, name)
    else:
        raise _refused(layer, f"has the activation {activation} with {list(slopes)}, which is not known")


def _prelu(graph: _Graph, layer: Layer) -> None:
    parameters, blob = _Parameters(layer), graph.blob(layer.inputs[0], layer)
    count = int(parameters.number(0))
    parameters.close()
    if count not in (1, blob.channels):
        raise _refused(layer, f"has {count} slopes for {blob.channels} channels")
    slopes = graph.constant(f"{layer.name}.slope", graph.weights.plain(count).reshape(count, 1, 1))
    (name,) = layer.outputs
    graph.blobs[name] = _Blob(graph.node("PRelu", [blob.name, slopes], name), blob.channels, blob.scale)


def _sigmoid(graph: _Graph, layer: Layer) -> None:
    _Parameters(layer).close()
    blob, (name,) = graph.blob(layer.inputs[0], layer), layer.outputs
    graph.blobs[name] = _Blob(graph.node("Sigmoid", [blob.name], name), blob.channels, blob.scale)


def _swish(graph: _Graph, layer: Layer) -> None:
    _Parameters(layer).close()
    blob, (name,) = graph.blob(layer.inputs[0], layer), layer.outputs
    share = graph.node("Sigmoid", [blob.name], f"{name}_share")
    graph.blobs[name] = _Blob(graph.node("Mul", [blob.name, share], name), blob.channels, blob.scale)


def _binary(graph: _Graph, layer: Layer) -> None:
    parameters, (name,) = _Parameters(layer), layer.outputs
    operation, scalar, number = parameters.number(0), parameters.number(1), parameters.number(2)
    parameters.close()
    if operation not in _BINARY:
        raise _refused(layer, f"does the operation {operation}, only {', '.join(_BINARY.values())} are known")
    given = [graph.blob(each, layer) for each in layer.inputs]
    names = [each.name for each in given]
    if scalar:
        names.append(graph.constant(f"{layer.name}.number", np.array(number, np.float32)))
    if len(names) != 2:
        raise _refused(layer, f"takes {len(names)} values, expected 2")
    graph.node(_BINARY[operation], names, name)
    graph.blobs[name] = _joined(layer, given, max(each.channels for each in given))


def _eltwise(graph: _Graph, layer: Layer) -> None:
    parameters, (name,) = _Parameters(layer), layer.outputs
    operation, factors = parameters.number(0), parameters.numbers(1)
    parameters.close()
    given = [graph.blob(each, layer) for each in layer.inputs]
    if operation != 1 or len(factors) not in (0, len(given)):
        raise _refused(layer, f"does the operation {operation} with {len(factors)} factors, only sums are known")
    names = [each.name for each in given]
    for at, factor in enumerate(factors):
        if factor != 1:
            number = graph.constant(f"{layer.name}.factor{at}", np.array(factor, np.float32))
            names[at] = graph.node("Mul", [names[at], number], f"{name}_term{at}")
    graph.node("Sum", names, name)
    graph.blobs[name] = _joined(layer, given, given[0].channels)


def _concat(graph: _Graph, layer: Layer) -> None:
    parameters, (name,) = _Parameters(layer), layer.outputs
    if (axis := parameters.number(0)) != 0:
        raise _refused(layer, f"joins along the axis {axis}, only channels (0) are known")
    parameters.close()
    given = [graph.blob(each, layer) for each in layer.inputs]
    graph.node("Concat", [each.name for each in given], name, axis=1)
    graph.blobs[name] = _joined(layer, given, sum(each.channels for each in given))


def _joined(layer: Layer, given: list[_Blob], channels: int) -> _Blob:
    scales = {each.scale for each in given if each.scale is not None}
    if len(scales) != 1:
        raise _refused(layer, "joins tensors of different sizes")
    return _Blob(layer.outputs[0], channels, scales.pop())


def _interpolation(graph: _Graph, layer: Layer) -> None:
    parameters, blob, (name,) = _Parameters(layer), graph.blob(layer.inputs[0], layer), layer.outputs
    kind, rows, columns = parameters.number(0), parameters.number(1, 1), parameters.number(2, 1)
    parameters.close()
    if kind not in _RESIZES or rows != columns or rows <= 0:
        raise _refused(layer, f"resizes in the way {kind} by {rows} and {columns}, which is not known")
    scale = _whole(layer, blob, Fraction(rows))
    factors = graph.constant(f"{layer.name}.factors", np.array([1, 1, rows, columns], np.float32))
    graph.node("Resize", [blob.name, "", factors], name, **_RESIZES[kind])
    graph.blobs[name] = _Blob(name, blob.channels, scale)


def _whole(layer: Layer, blob: _Blob, factor: Fraction) -> Fraction:
    """Return the new scale; where it is no whole number, odd and even sizes would be rounded differently."""
    scale = (blob.scale or Fraction(0)) * factor
    if scale < 1 or scale.denominator != 1:
        raise _refused(layer, f"gives {scale} times the sides of the input, which is not a whole number")
    return scale


def _pixel_shuffle(graph: _Graph, layer: Layer) -> None:
    parameters, blob, (name,) = _Parameters(layer), graph.blob(layer.inputs[0], layer), layer.outputs
    factor, mode = int(parameters.number(0, 1)), parameters.number(1)
    parameters.close()
    if factor < 1 or mode != 0 or blob.channels % factor**2:
        raise _refused(layer, f"spreads {blob.channels} channels by {factor} in the mode {mode}")
    scale = _whole(layer, blob, Fraction(factor))
    graph.node("DepthToSpace", [blob.name], name, blocksize=factor, mode="CRD")
    graph.blobs[name] = _Blob(name, blob.channels // factor**2, scale)


_LAYERS: Mapping[str, Callable[[_Graph, Layer], None]] = {
    "Input": _input,
    "MemoryData": _memory_data,
    "Split": _split,
    "Convolution": _convolution,
    "PReLU": _prelu,
    "Sigmoid": _sigmoid,
    "Swish": _swish,
    "BinaryOp": _binary,
    "Eltwise": _eltwise,
    "Concat": _concat,
    "Interp": _interpolation,
    "PixelShuffle": _pixel_shuffle,
}


def _refused(layer: Layer, why: str) -> ModelUnusable:
    return ModelUnusable(f"the layer {layer.name!r} of kind {layer.kind} {why}", code="model_contract")
