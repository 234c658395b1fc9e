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


def take_weights(network: nn.Module, exported: Path) -> None:
    """Give `network` the weights of a file that `export` has written, as exact as they are stored there.

    What the file does not have (a branch that the recipe has grown since) stays as it is. SystemExit if a tensor has
    another shape, if nothing fits, or if the network has normalisations: those are folded into the file's convolutions.
    """
    if any(isinstance(each, nn.BatchNorm2d) for each in network.modules()):
        raise SystemExit(f"{exported}: its normalisations are part of its convolutions, training cannot go on from it")
    stored = {each.name.removesuffix("_half"): each for each in onnx.load(exported).graph.initializer}
    taken = 0
    for name, weight in network.named_parameters():
        # What is exported may be the network within another module, or a module within the network.
        fitting = (key for key in stored if name in (key, key.partition(".")[2]) or name.partition(".")[2] == key)
        found = stored.get(next(fitting, ""))
        if found is None:
            continue
        values = torch.from_numpy(numpy_helper.to_array(found).astype("float32"))
        if values.shape != weight.shape:
            raise SystemExit(f"{exported}: {name} is {tuple(values.shape)}, the recipe's is {tuple(weight.shape)}")
        weight.data.copy_(values)
        taken += weight.numel()
    if taken == 0:
        raise SystemExit(f"{exported}: none of its weights are the recipe's")
    print(f"{taken} of {sum(each.numel() for each in network.parameters())} weights are those of {exported}")


def forget_origin(model: ModelProto) -> None:
    """Remove what the exporter notes about source files, so that the bytes do not depend on where they were made."""
    model.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for described in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        described.doc_string = ""
        del described.metadata_props[:]
