"""How does a trained network become one self-contained ONNX file?"""

import copy
import hashlib
import inspect
import logging
from pathlib import Path

import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import nn
from torch.export import Dim

from models.training.recipe import Recipe

#: What torch.onnx writes at the time of writing; onnxruntime 1.17 and later read it.
OPSET = 20


def export(recipe: Recipe, network: nn.Module, path: Path) -> str:
    """Write `network` to `path`, any height and width, batch of one; returns the file's sha256.

    The weights are stored in half precision and widened when a session is created: half the size, and all arithmetic
    stays in single precision.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    frozen = recipe.exported(copy.deepcopy(network).cpu().to(memory_format=torch.contiguous_format)).eval()
    program = torch.onnx.export(
        frozen,
        recipe.example,
        input_names=list(recipe.inputs),
        output_names=list(recipe.outputs),
        dynamic_shapes=_dynamic_shapes(recipe, frozen),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise SystemExit(f"torch.onnx could not export {recipe.id}")
    model = program.model_proto
    store_half(model.graph)
    forget_origin(model)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _dynamic_shapes(recipe: Recipe, frozen: nn.Module) -> tuple:
    """The free axes as torch wants them: in a tuple of their own where `forward` takes `*inputs`."""
    sizes = {name: Dim(name, max=65536) for axes in recipe.free_axes for name in (axes or {}).values()}
    shapes = tuple(axes and {axis: sizes[name] for axis, name in axes.items()} for axes in recipe.free_axes)
    packed = any(each.kind is each.VAR_POSITIONAL for each in inspect.signature(frozen.forward).parameters.values())
    return (shapes,) if packed else shapes


def store_half(graph: GraphProto) -> None:
    """Store the convolutions' kernels as float16, each followed by a Cast to float32."""
    kernels = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    casts: list[NodeProto] = []
    for stored in graph.initializer:
        if stored.name not in kernels or stored.data_type != TensorProto.FLOAT:
            continue
        name = stored.name
        halved = numpy_helper.to_array(stored).astype("float16")
        stored.CopyFrom(numpy_helper.from_array(halved, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def forget_origin(model: ModelProto) -> None:
    """Remove what the exporter notes about source files, so that the bytes do not depend on where they were made."""
    model.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for described in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        described.doc_string = ""
        del described.metadata_props[:]
