"""Loads an ONNX graph, inspects its inputs and outputs, and runs it.

Only this module uses onnxruntime. It translates the errors of onnxruntime into those of this project.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from darkroom.domain.errors import ModelUnusable, TransientError
from darkroom.inference.contract import Contract

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, NodeArg

_FLOAT = "tensor(float)"

#: Device that runs a graph: the processor, or an NVIDIA GPU through onnxruntime-gpu.
Accelerator = Literal["cpu", "cuda"]
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
#: Execution providers in the order in which they are offered an operator. On a GPU TF32 is off, because its 10 bits of
#: mantissa are visible in 16-bit pictures, and so is the search for the fastest convolution, which each new picture
#: size would start.
_PROVIDERS: Mapping[Accelerator, list[str | tuple[str, dict[str, Any]]]] = {
    "cpu": [_CPU],
    "cuda": [(_CUDA, {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}), _CPU],
}

#: A tensor's sizes; None stands for one that must be free.
Shape = tuple[int | None, ...]
FREE = (None, None)


def load(graph: bytes, threads: int, model_id: str, *, accelerator: Accelerator = "cpu") -> "InferenceSession":
    """A session for the bytes of a graph.

    Raises ModelUnusable, code `model_contract`, if the bytes are no graph; TransientError, code `no_accelerator`,
    if the requested GPU cannot be used. A retry may reach another instance; running on the processor would waste a
    paid GPU.
    """
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads
    # The memory pattern would need 40-45 % more memory and saves no time here.
    options.enable_mem_pattern = False
    # Waiting threads must not spin, because other stages need the CPU.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # fatal: all other problems raise exceptions
    if accelerator == "cuda":
        _load_cuda(model_id)
    with translated(model_id):
        session = InferenceSession(graph, options, providers=_PROVIDERS[accelerator])
    if accelerator == "cuda":
        _require_cuda(session.get_providers(), model_id)
    return session


def _load_cuda(model_id: str) -> None:
    """Load CUDA's libraries from their Python packages, which are not on the search path of the system."""
    from onnxruntime import get_available_providers, preload_dlls

    _require_cuda(get_available_providers(), model_id)
    preload_dlls()


def _require_cuda(offered: Sequence[str], model_id: str) -> None:
    """Raise TransientError without CUDA: onnxruntime itself would silently use the processor."""
    if _CUDA not in offered:
        raise TransientError(
            f"no NVIDIA GPU to run model {model_id!r}: onnxruntime offers {', '.join(offered)}", code="no_accelerator"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or an output of a graph."""

    name: str
    #: Numbers, or names of free sizes.
    shape: tuple[int | str | None, ...]


def ports(described: Sequence["NodeArg"]) -> tuple[Port, ...]:
    """Inputs or outputs in the graph's order."""
    return tuple(Port(name=each.name, shape=tuple(each.shape)) for each in described)


def violations(session: "InferenceSession", contract: Contract) -> list[str]:
    """Everything in which the graph's inputs and outputs differ from the contract."""
    inputs = {each.name: each for each in session.get_inputs()}
    outputs = {each.name: each for each in session.get_outputs()}
    return [*_input_problems(inputs, contract), *_output_problems(outputs, contract)]


def _input_problems(inputs: Mapping[str, "NodeArg"], contract: Contract) -> list[str]:
    shapes: list[tuple[str, Shape | None]] = [
        *((name, (1,)) for name in contract.scalars),
        *((name, None) for name in contract.extra),
        (contract.input, (1, contract.planes, *(contract.size or FREE))),
    ]
    expected = {name for name, _ in shapes}
    message = f"the graph has inputs {sorted(inputs)}, the contract {sorted(expected)}"
    differs = [message] if set(inputs) != expected else []
    return differs + [
        problem for name, shape in shapes if name in inputs for problem in _tensor_problems(inputs[name], shape)
    ]


def _output_problems(outputs: Mapping[str, "NodeArg"], contract: Contract) -> list[str]:
    sides = FREE if contract.size is None else tuple(side * contract.scale for side in contract.size)
    shape: Shape | None = (1, 3, *sides) if contract.tiled else None
    missing = [
        f"the graph has outputs {sorted(outputs)}, the contract {name!r}"
        for name in contract.outputs.values()
        if name not in outputs
    ]
    return missing + [
        problem
        for name in contract.outputs.values()
        if name in outputs
        for problem in _tensor_problems(outputs[name], shape)
    ]


def _tensor_problems(tensor: "NodeArg", shape: Shape | None) -> list[str]:
    """What is wrong with one input or output; None in `shape` stands for a size that must be free."""
    problems = [] if tensor.type == _FLOAT else [f"{tensor.name!r} is {tensor.type}, expected {_FLOAT}"]
    found = list(tensor.shape)
    if shape is None or (len(found) == len(shape) and all(map(_fits, found, shape))):
        return problems
    return [*problems, f"{tensor.name!r} has shape {found}, expected {[size or 'any' for size in shape]}"]


def _fits(size: int | str | None, wanted: int | None) -> bool:
    free = not isinstance(size, int)
    return free or size == wanted


@contextmanager
def translated(model_id: str) -> Iterator[None]:
    """Translate onnxruntime's errors; their classes have no common base but Exception."""
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
        # Both Fail and RuntimeException can mean this; only the text distinguishes it.
        if "Failed to allocate memory" in str(error):
            raise TransientError(f"no memory to run model {model_id!r}: {error}", code="out_of_memory") from error
        raise ModelUnusable(f"onnxruntime cannot run model {model_id!r}: {error}", code="model_contract") from error
