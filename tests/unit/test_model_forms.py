"""Whatever colour form and size a graph wants, the picture reaches it so and comes back as it was.

The graphs are written by hand: they do nothing, or one thing that can be reckoned.
"""

from typing import Any

import numpy as np
import pytest

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.messages import ModelRef
from darkroom.imaging.color import lab_from_image
from darkroom.imaging.picture import Pixels, to_float
from darkroom.inference.contract import Contract
from darkroom.inference.runtime import load, violations
from darkroom.inference.session import Model
from tests.graphs import Graph, Shape

ANY = (1, 3, "height", "width")
FIXED = (1, 3, 64, 64)
MATTE = {"answer": "matte", "outputs": ["y"]}
REF = ModelRef(id="graph", version="1", sha256="0" * 64, licence="none")


def picture(height: int = 45, width: int = 70, dtype: type = np.uint8) -> Pixels:
    return np.random.default_rng(3).integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)


def model(graph: bytes, **fields: Any) -> Model:
    contract = Contract.model_validate({"input": "x", "range": (0, 1), **fields})
    session = load(graph, 1, REF.id)
    assert violations(session, contract) == []
    return Model(ref=REF, contract=contract, _session=session)


def same(shape: Shape = ANY) -> bytes:
    """Gives what it is given."""
    graph = Graph()
    return graph.bytes([("y", graph.input("x", shape), shape)])


def times(factors: tuple[float, float, float], shape: Shape = ANY) -> bytes:
    """Multiplies each channel by a number."""
    graph = Graph()
    image = graph.input("x", shape)
    return graph.bytes([("y", graph.op("Mul", image, graph.constant(np.reshape(factors, (1, 3, 1, 1)))), shape)])


def restorer(graph: bytes, **fields: Any) -> Model:
    return model(graph, output="y", halo=2, **fields)


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("ends", [(0, 1), (-1, 1), (0, 255), (0, 100)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_comes_back_from_every_colour_form_as_it_was(
    channels: str, ends: tuple[int, int], dtype: type
) -> None:
    given = picture(dtype=dtype)
    answer = restorer(same(), channels=channels, range=ends).apply(given, tile=32)
    assert np.abs(answer.astype(int) - given.astype(int)).max() <= (0 if dtype == np.uint8 else 1)


def test_bgr_means_that_the_first_channel_is_blue() -> None:
    given = picture()
    answer = restorer(times((0.0, 1.0, 1.0)), channels="bgr").apply(given)
    assert not answer[..., 2].any()
    assert (answer[..., :2] == given[..., :2]).all()


def test_mean_and_deviation_are_taken_from_the_range_and_the_answer_has_its_own() -> None:
    given = np.full((8, 8, 3), 128, np.uint8)
    told: dict[str, Any] = {"mean": (123.0, 118.0, 108.0), "deviation": (10.0, 20.0, 40.0), "output_range": (-1, 1)}
    answer = restorer(same(), range=(0, 255), **told).apply(given)
    expected = (np.array([0.5, 0.5, 0.5]) + 1) / 2 * 255
    assert np.abs(answer[0, 0] - expected).max() <= 0.5


@pytest.mark.parametrize("size", [(1, 1), (16, 24), (45, 70), (17, 200)])
def test_a_graph_of_one_fixed_size_serves_pictures_of_any(size: tuple[int, int]) -> None:
    given = picture(*size)
    answer = restorer(times((1.0, 0.5, 1.0), (1, 3, 16, 24)), size=(16, 24)).apply(given)
    assert answer.shape == given.shape
    assert (answer[..., 0] == given[..., 0]).all()
    assert np.abs(answer[..., 1] - given[..., 1] / 2).max() <= 0.5


def test_a_graph_that_takes_multiples_alone_is_given_them_and_its_answer_is_cut_back() -> None:
    graph = Graph()
    folded = graph.op("SpaceToDepth", graph.input("x", ANY), blocksize=8)
    larger = graph.enlarged(graph.op("DepthToSpace", folded, blocksize=8), 2, mode="nearest")
    given = picture(21, 30)
    answer = restorer(graph.bytes([("y", larger, ANY)]), multiple_of=8, scale=2).apply(given)
    assert answer.shape == (42, 60, 3)
    assert np.abs(answer.astype(int) - given.repeat(2, axis=0).repeat(2, axis=1)).max() == 0


def reader(graph: bytes, **fields: Any) -> Model:
    return model(graph, **{"answer": "matte", "outputs": ["y"], **fields})


def first_channel(shape: Shape = ANY) -> bytes:
    graph = Graph()
    bounds = (graph.constant([end], "int64") for end in (0, 1, 1))
    red = graph.op("Slice", graph.input("x", shape), *bounds)
    return graph.bytes([("y", red, (1, 1, *shape[2:]))])


def test_a_matte_has_the_size_that_the_picture_was_reduced_to() -> None:
    given = np.zeros((300, 600, 3), np.uint8)
    given[:, 300:, 0] = 255
    matte = reader(first_channel(), longest_side=60).read(given)["matte"]
    assert matte.shape == (1, 30, 60)
    assert matte.dtype == np.float32
    assert (matte[0, :, :30].max(), matte[0, :, 30:].min()) == (0.0, 1.0)


def test_what_was_filled_up_is_cut_off_again() -> None:
    graph = Graph()
    folded = graph.op("SpaceToDepth", graph.input("x", ANY), blocksize=4)
    mean = graph.op("ReduceMean", folded, axes=[1], keepdims=1)
    matte = reader(graph.bytes([("y", mean, (1, 1, "h", "w"))]), longest_side=60, multiple_of=16)
    assert matte.read(picture(300, 600))["matte"].shape == (1, 8, 15)


def test_a_fixed_size_changes_the_aspect() -> None:
    sized = reader(first_channel((1, 3, 32, 32)), size=(32, 32))
    assert sized.read(picture(10, 90))["matte"].shape == (1, 32, 32)


@pytest.mark.parametrize(
    ("normalise", "low", "high"), [("none", 0.25, 0.5), ("min_max", 0.0, 1.0), ("sigmoid", 0.562, 0.622)]
)
def test_mattes_of_others_are_brought_to_shares(normalise: str, low: float, high: float) -> None:
    given = np.full((8, 8, 3), 64, np.uint8)
    given[4:] = 128
    matte = reader(first_channel(), normalise=normalise).read(given)["matte"]
    assert matte.min() == pytest.approx(low, abs=3e-3)
    assert matte.max() == pytest.approx(high, abs=3e-3)


def test_a_flat_map_is_not_stretched() -> None:
    flat = reader(first_channel(), normalise="min_max").read(np.full((8, 8, 3), 51, np.uint8))["matte"]
    assert flat == pytest.approx(np.full((1, 8, 8), 0.2), abs=1e-6)


@pytest.mark.parametrize("ends", [(0, 100), (0, 1)])
def test_luma_is_lightness_and_chroma_comes_back_in_its_own_unit(ends: tuple[int, int]) -> None:
    graph = Graph()
    luma = graph.input("x", (1, 1, "height", "width"))
    double = graph.op("Concat", luma, luma, axis=1)
    told = {"answer": "chroma", "channels": "luma", "range": ends, "output_range": (-1, 1) if ends == (0, 1) else None}
    chroma = reader(graph.bytes([("y", double, (1, 2, "height", "width"))]), **told).read(picture())["chroma"]
    lightness = lab_from_image(to_float(picture()))[..., 0]
    expected = lightness * 1.1 if ends == (0, 1) else lightness
    assert chroma.shape == (2, 45, 70)
    assert np.abs(chroma - expected).max() < 1e-3


def numbers() -> bytes:
    """Two numbers of the picture, a map, and an extra tensor as it came."""
    graph = Graph()
    image, hints = graph.input("x", ANY), graph.input("hints", (1, 3, "rows", "columns"))
    mean = graph.op("Flatten", graph.op("ReduceMean", image, axes=[2, 3], keepdims=1))
    passed = graph.op("Identity", hints)
    return graph.bytes([("light", mean, (1, 3)), ("given", passed, (1, 3, "rows", "columns"))])


def test_numbers_and_further_outputs_come_by_name_without_a_batch() -> None:
    light = model(numbers(), answer="light", outputs=["light", "given"], extra=["hints"], longest_side=20)
    hints = np.arange(3 * 20 * 20, dtype=np.float32).reshape(3, 20, 20)
    read = light.read(np.full((100, 100, 3), 51, np.uint8), {"hints": hints})
    assert list(read) == ["light", "given"]
    assert read["light"] == pytest.approx([0.2, 0.2, 0.2], abs=1e-6)
    assert (read["given"] == hints).all()
    assert light.reduced(100, 100) == (20, 20)


def test_missing_and_unknown_extra_tensors_are_named() -> None:
    light = model(numbers(), answer="light", outputs=["light"], extra=["hints"])
    with pytest.raises(ModelUnusable, match=r"needs the extra tensors \['hints'\], not \['points'\]"):
        light.read(picture(), {"points": np.zeros((3, 4, 4), np.float32)})


def test_each_kind_of_answer_has_its_own_way_of_asking() -> None:
    with pytest.raises(ModelUnusable, match="answers with matte, not with pixels") as refused:
        reader(first_channel()).apply(picture())
    assert refused.value.code == "model_contract"
    with pytest.raises(ModelUnusable, match="answers with pixels, not with anything that could be read"):
        restorer(same()).read(picture())


def test_an_answer_with_the_wrong_number_of_maps_is_refused() -> None:
    with pytest.raises(ModelUnusable, match=r"answered \(1, 3, 45, 70\).* a matte has 1 map"):
        reader(same()).read(picture())


def test_an_answer_that_is_not_a_number_is_refused_by_its_name() -> None:
    graph = Graph()
    undefined = graph.op("Sqrt", graph.plus(graph.input("x", ANY), -2.0))
    with pytest.raises(ModelUnusable, match=r"answered NaN .* in 'light'"):
        reader(graph.bytes([("y", undefined, ANY)]), answer="light", outputs={"light": "y"}).read(picture())


@pytest.mark.parametrize(
    ("graph", "fields", "says"),
    [
        (same((1, 3, 64, 64)), {"answer": "matte", "outputs": ["y"], "size": (32, 32)}, "expected [1, 3, 32, 32]"),
        (
            same((1, 3, 64, 64)),
            {"answer": "matte", "outputs": ["y"], "longest_side": 64},
            "expected [1, 3, 'any', 'any']",
        ),
        (same(), {"answer": "matte", "outputs": ["y"], "channels": "luma"}, "'x' has shape [1, 3, 'height', 'width']"),
        (same(), {"answer": "matte", "outputs": ["z"]}, "the graph has outputs ['y'], the contract 'z'"),
        (same(), {"answer": "matte", "outputs": ["y"], "extra": ["hints"]}, "the contract ['hints', 'x']"),
        (same((1, 3, 64, 64)), {"output": "y", "halo": 1, "size": (64, 64), "scale": 2}, "expected [1, 3, 128, 128]"),
    ],
)
def test_a_graph_that_differs_from_its_contract_is_told_where(graph: bytes, fields: dict[str, Any], says: str) -> None:
    contract = Contract.model_validate({"input": "x", "range": (0, 1), **fields})
    assert says in "; ".join(violations(load(graph, 1, "graph"), contract))
