"""Exports a trained network as one self-contained ONNX file."""

import copy
import hashlib
import inspect
import logging
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.export import Dim

from models.training.layers import is_normalised
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


def _dynamic_shapes(recipe: Recipe, frozen: nn.Module) -> tuple[Any, ...]:
    """The free axes in the form of torch: nested in a tuple if `forward` has `*inputs`."""
    sizes = {name: Dim(name, max=65536) for axes in recipe.free_axes for name in (axes or {}).values()}
    shapes = tuple(axes and {axis: sizes[name] for axis, name in axes.items()} for axes in recipe.free_axes)
    packed = any(each.kind is each.VAR_POSITIONAL for each in inspect.signature(frozen.forward).parameters.values())
    return (shapes,) if packed else shapes


def store_half(graph: GraphProto) -> None:
    """Store the weights of convolutions and linear layers as float16, each followed by a Cast to float32."""
    kernels = {node.input[1] for node in graph.node if node.op_type in ("Conv", "Gemm")}
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

    Layers that the file lacks (a branch that was added to the recipe later) do not change. The file has merged each
    batch normalisation into a convolution; it is restored as an equivalent one. Afterwards `calibrate_batchnorm`
    must set its statistics. SystemExit if a tensor has another shape, or if nothing matches.
    """
    graph = onnx.load(exported).graph
    stored = {each.name.removesuffix("_half"): each for each in graph.initializer}
    biases = {node.input[1]: node.input[2] for node in graph.node if node.op_type == "Conv" and len(node.input) > 2}
    taken = 0
    for name, weight in network.named_parameters():
        found = _stored_as(name, stored)
        if found is None:
            continue
        owner = network.get_submodule(name.rpartition(".")[0].rpartition(".")[0])
        values = torch.from_numpy(numpy_helper.to_array(stored[found]).astype("float32"))
        if values.shape != weight.shape:
            raise SystemExit(f"{exported}: {name} is {tuple(values.shape)}, the recipe's is {tuple(weight.shape)}")
        if is_normalised(owner):
            bias = torch.from_numpy(numpy_helper.to_array(stored[biases[found]]).astype("float32"))
            taken += _unfold(owner[0], owner[1], values, bias)
        else:
            weight.data.copy_(values)
            taken += weight.numel()
    if taken == 0:
        raise SystemExit(f"{exported}: none of its weights are the recipe's")
    print(f"{taken} of {sum(each.numel() for each in network.parameters())} weights are those of {exported}")


def _stored_as(name: str, stored: Collection[str]) -> str | None:
    """What is exported may be the network within another module, or a module within the network."""
    fitting = (key for key in stored if name in (key, key.partition(".")[2]) or name.partition(".")[2] == key)
    return next(fitting, None)


def _unfold(convolution: nn.Conv2d, normalisation: nn.BatchNorm2d, kernels: Tensor, bias: Tensor) -> int:
    """Kernels as long as fresh ones, so that steps of the usual size move them, and the rest to the normalisation.

    Returns how many weights that were.
    """
    lengths, fresh = (each.flatten(1).norm(dim=1) for each in (kernels, convolution.weight.data))
    scale = (lengths / fresh).clamp_min(1e-6)
    convolution.weight.data.copy_(kernels / scale[:, None, None, None])
    normalisation.running_mean.zero_()
    normalisation.running_var.fill_(1 - normalisation.eps)
    normalisation.weight.data.copy_(scale)
    normalisation.bias.data.copy_(bias)
    return sum(each.numel() for each in (convolution.weight, normalisation.weight, normalisation.bias))


@torch.no_grad()
def calibrate_batchnorm(network: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> None:
    """Set mean and variance of every batch normalisation to those of `batches`, without a change of the output."""
    moments: dict[nn.BatchNorm2d, list[Tensor]] = {
        each: [] for each in network.modules() if isinstance(each, nn.BatchNorm2d)
    }

    def note(module: nn.BatchNorm2d, given: tuple[Tensor]) -> None:
        (values,) = given
        moments[module].append(torch.stack([each.mean(dim=(0, 2, 3)) for each in (values, values.square())]))

    hooks = [each.register_forward_pre_hook(note) for each in moments]
    network.eval()
    for inputs in batches:
        network(*inputs)
    network.train()
    for each in hooks:
        each.remove()
    for each, found in moments.items():
        mean, squared = torch.stack(found).mean(dim=0)
        gain = each.weight / (each.running_var + each.eps).sqrt()
        each.bias.add_(gain * (mean - each.running_mean))
        each.running_mean.copy_(mean)
        each.running_var.copy_((squared - mean.square()).clamp_min(1e-8))
        each.weight.copy_(gain * (each.running_var + each.eps).sqrt())


def forget_origin(model: ModelProto) -> None:
    """Remove the exporter's notes about source files, so that the bytes do not depend on the machine."""
    model.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for described in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        described.doc_string = ""
        del described.metadata_props[:]
