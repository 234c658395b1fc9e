"""Networks in ncnn's format are read whole, converted, and refused by name where something is not known."""

import struct

import numpy as np
import pytest
from onnxruntime import InferenceSession

from darkroom.domain.errors import ModelUnusable
from darkroom.networks.convert import convert
from darkroom.networks.ncnn import HALF_PRECISION, Layer, read_layers

TAG = struct.pack("<I", 0)


def param(*lines: str) -> str:
    return "\n".join(["7767517", f"{len(lines)} {len(lines)}", *lines])


def floats(*values: float) -> bytes:
    return np.array(values, "<f4").tobytes()


def answer(graph: bytes, *sides: int) -> np.ndarray:
    given = np.random.default_rng(0).random((1, 3, *sides), np.float32)
    return np.asarray(InferenceSession(graph).run(None, {"data": given})[0])


def test_a_line_becomes_a_layer_with_its_numbers_and_arrays() -> None:
    text = param("Input in 0 1 data", "Convolution c 1 1 data out 0=3 1=1 6=9 9=2 -23310=1,2.0e-01")
    assert read_layers(text)[1] == Layer(
        kind="Convolution",
        name="c",
        inputs=("data",),
        outputs=("out",),
        parameters={0: 3, 1: 1, 6: 9, 9: 2, 10: (0.2,)},
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1234\n1 1\nInput in 0 1 data", "begin with 7767517"),
        ("7767517\n2 1\nInput in 0 1 data", "2 layers are announced, 1 follow"),
        (param("Input in 0 2 data"), "names 1 of its 2"),
        (param("Input in none 1 data"), "describes no layer"),
    ],
)
def test_a_text_that_is_no_network_is_refused(text: str, says: str) -> None:
    with pytest.raises(ModelUnusable, match=says):
        read_layers(text)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("LSTM l 1 1 data out", "'l' of kind LSTM is of a kind that is not known"),
        ("Swish s 1 1 data out 7=1", "'s' of kind Swish has the parameter 7"),
        ("BinaryOp b 1 1 data out 0=6 1=1 2=2.0", "does the operation 6"),
        ("Interp i 1 1 data out 0=2 1=5.0e-1 2=5.0e-1", "gives 1/2 times the sides"),
        ("Interp i 1 1 data out 0=4 1=2.0 2=2.0", "resizes in the way 4"),
        ("PixelShuffle p 1 1 data out 0=2", "spreads 3 channels by 2"),
        ("Concat c 1 1 data out 0=1", "joins along the axis 1"),
        ("PReLU p 1 1 data out 0=5", "has 5 slopes for 3 channels"),
        ("Convolution c 1 1 data out 0=1 1=1 3=2 6=3", "is no plain one"),
        ("Sigmoid s 1 1 nowhere out", "takes 'nowhere', which no layer before it gives"),
    ],
)
def test_what_is_not_known_is_refused_by_its_name(line: str, says: str) -> None:
    with pytest.raises(ModelUnusable, match=says):
        convert(param("Input in 0 1 data", line), b"")


def test_weights_that_end_early_or_are_left_over_are_refused() -> None:
    text = param("Input in 0 1 data", "PReLU p 1 1 data out 0=3")
    with pytest.raises(ModelUnusable, match="the weights end at byte 8, the layers need 12"):
        convert(text, floats(1, 2))
    with pytest.raises(ModelUnusable, match="4 of 16 bytes of weights belong to no layer"):
        convert(text, floats(1, 2, 3, 4))


def test_quantized_weights_are_refused_with_their_tag() -> None:
    text = param("Input in 0 1 data", "Convolution c 1 1 data out 0=1 1=1 6=3")
    with pytest.raises(ModelUnusable, match="the tag 0x000d4b38"):
        convert(text, struct.pack("<I", 0x000D4B38) + bytes(16))


@pytest.mark.parametrize("sides", [(8, 6), (7, 5)])
def test_half_and_single_precision_weights_give_the_same_picture(sides: tuple[int, int]) -> None:
    text = param("Input in 0 1 data", "Convolution c 1 1 data out 0=1 1=3 4=1 5=1 6=27")
    kernel = np.arange(27, dtype="<f2") / 16
    single = TAG + kernel.astype("<f4").tobytes() + floats(0.5)
    half = struct.pack("<I", HALF_PRECISION) + kernel.tobytes() + bytes(2) + floats(0.5)
    assert np.array_equal(answer(convert(text, single), *sides), answer(convert(text, half), *sides))


@pytest.mark.parametrize("sides", [(8, 6), (7, 5)])
def test_pixels_are_shuffled_and_added_to_an_enlargement(sides: tuple[int, int]) -> None:
    text = param(
        "Input in 0 1 data",
        "Split s 1 2 data a b",
        "Concat c 1 1 a same",
        "Interp i 1 1 b big 0=1 1=2.0 2=2.0",
        "Interp j 1 1 same other 0=3 1=2.0 2=2.0",
        "Eltwise e 2 1 big other out 0=1 -23301=2,2.5e-01,7.5e-01",
    )
    assert answer(convert(text, b""), *sides).shape == (1, 3, 2 * sides[0], 2 * sides[1])


def test_a_network_with_two_outputs_is_refused() -> None:
    with pytest.raises(ModelUnusable, match="expected one of each"):
        convert(param("Input in 0 1 data", "Split s 1 2 data a b"), b"")
