"""ONNX graphs written by hand, with random weights: they have the shape of a network and none of its skill."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

#: The operator set, and the file format that goes with it.
OPSET, IR_VERSION = 17, 8

#: A tensor's sizes; names stand for free ones.
Shape = Sequence[int | str]


class Graph:
    """A graph in the making. Every operation returns the name of its result."""

    def __init__(self, *, seed: int = 0) -> None:
        self.inputs: dict[str, Shape] = {}
        self.nodes: list[NodeProto] = []
        self.weights: dict[str, NDArray[Any]] = {}
        self._rng = np.random.default_rng(seed)

    def input(self, name: str, shape: Shape) -> str:
        """A float32 input."""
        self.inputs[name] = shape
        return name

    def constant(self, values: object, dtype: DTypeLike = np.float32) -> str:
        """A tensor that is part of the graph."""
        name = f"w{len(self.weights)}"
        self.weights[name] = np.asarray(values, dtype)
        return name

    def op(self, kind: str, *inputs: str, name: str | None = None, **attributes: object) -> str:
        """Any operator with a single result."""
        result = name or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [result], **attributes))
        return result

    def conv(self, x: str, incoming: int, outgoing: int, kernel: int = 3, **attributes: Any) -> str:
        """A convolution that keeps the size unless strides say otherwise; variance is kept through a ReLU."""
        group = attributes.get("group", 1)
        shape = (outgoing, incoming // group, kernel, kernel)
        spread = np.sqrt(2.0 / (shape[1] * kernel**2))
        weight = self.constant(self._rng.normal(0.0, spread, shape))
        bias = self.constant(np.zeros(outgoing))
        reach = attributes.get("dilations", (1,))[0] * (kernel // 2)
        return self.op(
            "Conv", x, weight, bias, **{"kernel_shape": (kernel, kernel), "pads": (reach,) * 4, **attributes}
        )

    def relu_conv(self, x: str, incoming: int, outgoing: int, kernel: int = 3, **attributes: Any) -> str:
        """A convolution and a ReLU."""
        return self.op("Relu", self.conv(x, incoming, outgoing, kernel, **attributes))

    def enlarged(self, x: str, factor: float, mode: str = "linear") -> str:
        """Height and width times `factor`."""
        scales = self.constant([1.0, 1.0, factor, factor])
        return self.op("Resize", x, self.constant([]), scales, mode=mode, coordinate_transformation_mode="half_pixel")

    def like(self, x: str, other: str, mode: str = "linear") -> str:
        """Height and width of another tensor."""
        sides = self.op("Slice", self.op("Shape", other), self.constant([2], "int64"), self.constant([4], "int64"))
        head = self.op("Slice", self.op("Shape", x), self.constant([0], "int64"), self.constant([2], "int64"))
        sizes = self.op("Concat", head, sides, axis=0)
        empty = self.constant([])
        return self.op("Resize", x, empty, empty, sizes, mode=mode, coordinate_transformation_mode="half_pixel")

    def shuffled(self, x: str, factor: int) -> str:
        """Channels to pixels."""
        return self.op("DepthToSpace", x, blocksize=factor, mode="CRD")

    def times(self, x: str, factor: float) -> str:
        """Every value times a number."""
        return self.op("Mul", x, self.constant(factor))

    def plus(self, x: str, summand: float) -> str:
        """A number added to every value."""
        return self.op("Add", x, self.constant(summand))

    def bytes(self, outputs: Iterable[tuple[str, str, Shape]]) -> bytes:
        """The file, with an output for each (its name, the result that it is, its shape)."""
        listed = list(outputs)
        for name, result, _ in listed:
            self.op("Identity", result, name=name)
        graph = helper.make_graph(
            self.nodes,
            "random",
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
                for name, shape in self.inputs.items()
            ],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, _, shape in listed],
            [numpy_helper.from_array(values, name) for name, values in self.weights.items()],
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        checker.check_model(model)
        written: bytes = model.SerializeToString()
        return written


def _described(name: str, shape: Shape) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
