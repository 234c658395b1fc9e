"""A contract is refused with all that contradicts in it, and says what sides a graph is given."""

import re

import pytest
from pydantic import ValidationError

from darkroom.inference.contract import Contract

PIXELS = {"input": "image", "output": "restored", "range": (0, 1), "halo": 4}
MATTE = {"answer": "matte", "input": "image", "outputs": ["1959"], "range": (0, 1)}


def refusal(fields: dict[str, object]) -> str:
    with pytest.raises(ValidationError) as refused:
        Contract.model_validate(fields)
    return str(refused.value)


def test_one_output_may_be_named_alone_and_is_known_by_that_name() -> None:
    contract = Contract.model_validate(PIXELS)
    assert (contract.outputs, contract.output) == ({"restored": "restored"}, "restored")


def test_a_matte_and_chroma_are_known_by_their_kind_whatever_the_graph_calls_them() -> None:
    assert Contract.model_validate(MATTE).outputs == {"matte": "1959"}
    chroma = Contract.model_validate({**MATTE, "answer": "chroma", "outputs": ["ab", "certainty"]})
    assert chroma.outputs == {"chroma": "ab", "certainty": "certainty"}


def test_a_table_of_outputs_is_taken_as_it_is() -> None:
    told = {"light": "gains", "cast": "p"}
    assert Contract.model_validate({**MATTE, "answer": "light", "outputs": told}).outputs == told


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"halo": None}, "halo"),
        ({"output": None, "outputs": ["restored", "mask"]}, "pixels are one output, not ['restored', 'mask']"),
        ({"channels": "luma"}, "pixels are not made of luma alone"),
        ({"longest_side": 256}, "pixels are not reduced to a longest_side"),
        ({"extra": ["hints"]}, "pixels are not made of extra tensors"),
        ({"normalise": "sigmoid"}, "normalise is for a matte"),
        ({"range": (0, 2)}, "[0.0, 2.0] is none of [0, 1], [-1, 1], [0, 255], [0, 100]"),
        ({"mean": (0.5,)}, "mean has 1 numbers, rgb has 3 channels"),
        ({"deviation": (1, 1, 0)}, "deviation.2"),
        ({"channels": "cmyk"}, "channels"),
    ],
)
def test_contradictions_of_a_pixel_contract_are_named(change: dict[str, object], says: str) -> None:
    fields = {name: value for name, value in {**PIXELS, **change}.items() if value is not None}
    assert says in refusal(fields)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scale": 2}, "scale 2 is for pixels"),
        ({"scalars": ["sigma"]}, "scalars are for pixels"),
        ({"size": (320, 320), "longest_side": 320}, "give size or longest_side, not both"),
        ({"answer": "chroma", "normalise": "min_max"}, "normalise is for a matte"),
        ({"answer": "quality", "output_range": (0, 1)}, "output_range is not for quality"),
        ({"outputs": []}, "outputs"),
    ],
)
def test_contradictions_of_a_whole_picture_contract_are_named(change: dict[str, object], says: str) -> None:
    assert says in refusal({**MATTE, **change})


def test_several_contradictions_are_named_at_once() -> None:
    said = refusal({**MATTE, "scale": 2, "scalars": ["sigma"]})
    assert re.search("scale 2 is for pixels; scalars are for pixels", said)


@pytest.mark.parametrize(
    ("change", "size", "seen"),
    [
        ({"size": (320, 480)}, (1000, 30), (320, 480)),
        ({"longest_side": 256}, (1000, 500), (256, 128)),
        ({"longest_side": 256}, (100, 50), (100, 50)),
        ({"longest_side": 256}, (5000, 1), (256, 1)),
        ({}, (1000, 500), (1000, 500)),
    ],
)
def test_a_whole_picture_is_reduced_and_enlarged_only_to_a_fixed_size(
    change: dict[str, object], size: tuple[int, int], seen: tuple[int, int]
) -> None:
    assert Contract.model_validate({**MATTE, **change}).reduced(*size) == seen


@pytest.mark.parametrize(
    ("change", "size", "sides"),
    [
        ({}, (37, 51), (37, 51)),
        ({"multiple_of": 16}, (37, 64), (48, 64)),
        ({"multiple_of": 16, "min_size": 40}, (3, 51), (48, 64)),
        ({"size": (64, 96)}, (10, 96), (64, 96)),
    ],
)
def test_the_sides_that_a_graph_is_given(
    change: dict[str, object], size: tuple[int, int], sides: tuple[int, int]
) -> None:
    assert Contract.model_validate({**PIXELS, **change}).filled(*size) == sides


def test_the_tiles_of_a_fixed_size_are_of_its_shorter_side() -> None:
    assert Contract.model_validate({**PIXELS, "size": (64, 96), "tile": 512}).window == 64
