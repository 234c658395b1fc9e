"""A network of one's own is used only after its file, its contract and its stage have been tried together.

The networks have random weights and few channels: they have the shapes of the published ones and nothing of their
skill.
"""

import hashlib
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from darkroom.domain.errors import ConfigurationError, ModelUnusable
from darkroom.domain.parameters import PARAMETERS, RestorationParameters, Stage
from darkroom.execution.model_import import Candidate, examine_model
from darkroom.imaging.picture import Picture
from darkroom.inference.contract import Contract
from darkroom.inference.known_models import ModelManifest, known_network, known_networks, read_description
from darkroom.inference.registry import Registry
from darkroom.inference.session import ModelStore
from darkroom.inference.user_models import AddedModels
from darkroom.stages.restore import restore
from tests import networks
from tests.graphs import Graph

#: Builders of narrow random networks with the shapes of the published ones.
SHAPES: dict[str, Callable[[], bytes]] = {
    "u2net": lambda: networks.u2net(narrow=16),
    "u2netp": lambda: networks.u2net(small=True, narrow=8),
    "isnet": lambda: networks.small_matte(1024),
    "silueta": lambda: networks.small_matte(320, logits=False),
    "birefnet-general": lambda: networks.small_matte(1024, logits=True),
    "birefnet-lite": lambda: networks.small_matte(1024, logits=True),
    "birefnet-portrait": lambda: networks.small_matte(1024, logits=True),
    "realesrgan-x2plus": lambda: networks.rrdbnet(4, 4, 1, 2),
    "realesrgan-x4plus": lambda: networks.rrdbnet(4, 4, 1, 4),
    "realesr-general-x4v3": lambda: networks.srvgg(4, 2),
    "realesr-animevideov3": lambda: networks.srvgg(4, 2),
    "span-x2": lambda: networks.srvgg(4, 2, scale=2),
    "span-x4": lambda: networks.srvgg(4, 2),
    "nafnet": networks.nafnet,
    "deblurgan-v2": lambda: networks.nafnet(levels=5),
    "eccv16": lambda: networks.eccv16(2),
    "siggraph17": lambda: networks.eccv16(2),
    "zero-dce": lambda: networks.zero_dce(4),
}


def test_every_known_network_is_tried_here() -> None:
    assert {network.id for network in known_networks()} == set(SHAPES)


@pytest.mark.parametrize("network", known_networks(), ids=lambda network: network.id)
def test_a_known_network_says_who_publishes_it_under_which_licence_and_promises_a_sound_contract(network) -> None:
    assert network.published.startswith("https://")
    assert "arXiv" in network.paper
    assert network.licence
    Contract.model_validate({**network.contract, "input": "x", "outputs": ["y"]})


def examined(name: str, graph: bytes | None = None) -> Candidate:
    network = next(each for each in known_networks() if each.id == name)
    return examine_model(network.stage, network, graph or SHAPES[name](), threads=1)


@pytest.mark.parametrize("network", known_networks(), ids=lambda network: network.id)
def test_a_graph_of_that_shape_is_accepted_and_serves_its_stage_from_its_folder(network, tmp_path: Path) -> None:
    graph = SHAPES[network.id]()
    added = AddedModels(folder=tmp_path / "models")
    added.add(examined(network.id, graph).table, graph)
    model = ModelStore(Registry.load(added.registry), threads=1).open(network.stage, network.id)
    pixels = np.random.default_rng(0).integers(0, 60, (70, 90, 3), np.uint8)
    given = {"colorize": {"force": True}, "upscale": {"scale": 2.0}}.get(network.stage, {})
    parameters = PARAMETERS[network.stage].model_validate(given)
    assert isinstance(parameters, RestorationParameters)
    output = restore(network.stage, Picture(pixels=pixels), parameters, "model", model)
    factor = 2 if network.stage == "upscale" else 1
    assert output.picture.pixels.shape == (70 * factor, 90 * factor, 3)


def test_names_and_digest_are_those_of_the_file() -> None:
    graph = SHAPES["zero-dce"]()
    table = examined("zero-dce", graph).table
    assert (table["contract"]["input"], table["contract"]["outputs"]) == ("input", {"whole": "whole"})
    assert table["sha256"] == hashlib.sha256(graph).hexdigest()


def test_whoever_exports_the_answer_alone_needs_no_further_outputs() -> None:
    graph = Graph()
    image = graph.input("x", networks.IMAGE)
    alone = graph.bytes([("lifted", graph.op("Sqrt", image), networks.IMAGE)])
    assert examined("zero-dce", alone).contract.outputs == {"lifted": "lifted"}


def test_a_graph_exported_for_one_size_is_used_at_that_size_and_says_so() -> None:
    candidate = examined("realesr-general-x4v3", networks.srvgg(4, 2, 4, (64, 64)))
    assert (candidate.contract.size, candidate.contract.halo) == ((64, 64), 16)
    assert "the graph accepts only 64x64" in candidate.notes
    assert any("a halo of 16 pixels instead of 34" in note for note in candidate.notes)


def test_a_whole_picture_network_exported_at_another_size_is_shown_pictures_of_that_size() -> None:
    assert examined("isnet", networks.small_matte(128)).contract.size == (128, 128)


def refused(name: str, graph: bytes) -> str:
    with pytest.raises(ModelUnusable) as error:
        examined(name, graph)
    assert error.value.code == "model_contract"
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "shaped_like", "says"),
    [
        ("realesrgan-x2plus", "realesr-general-x4v3", "where its contract promises (1, 3,"),
        ("u2net", "eccv16", "'input_l' has shape [1, 1, 256, 256], expected [1, 3, 256, 256]"),
        ("eccv16", "isnet", "'input_image' has shape [1, 3, 1024, 1024], expected [1, 1, 1024, 1024]"),
    ],
)
def test_another_network_than_the_one_named_is_refused_with_what_differs(
    name: str, shaped_like: str, says: str
) -> None:
    assert says in refused(name, SHAPES[shaped_like]())


def test_a_graph_with_inputs_that_nobody_told_of_is_refused_with_their_names() -> None:
    said = refused("realesrgan-x2plus", networks.ffdnet(4, 3))
    assert "the graph takes ['image', 'sigma'], expected one image" in said


def test_a_graph_with_too_few_outputs_is_refused_with_their_names() -> None:
    described = ModelManifest.model_validate(
        known_network("low_light", "zero-dce").model_dump(include=set(ModelManifest.model_fields), by_alias=True)
        | {"answer_at": 3}
    )
    with pytest.raises(ModelUnusable, match=r"gives \['half', 'whole', 'r'\], expected more than 3"):
        examine_model("low_light", described, networks.zero_dce(4), threads=1)


def test_what_is_no_graph_is_refused() -> None:
    assert "onnxruntime cannot run" in refused("u2net", b"no graph")


def test_a_network_that_exchanges_red_and_blue_is_added_with_a_doubt() -> None:
    graph = Graph()
    image = graph.input("x", networks.IMAGE)
    swapped = graph.op("Gather", image, graph.constant([2, 1, 0], "int64"), axis=1)
    candidate = examined("nafnet", graph.bytes([("y", swapped, networks.IMAGE)]))
    assert any("red and blue came back exchanged" in note for note in candidate.notes)


def test_a_restored_probe_that_is_not_the_probe_raises_a_doubt() -> None:
    graph = Graph()
    dark = graph.times(graph.input("x", networks.IMAGE), 1 / 255)
    candidate = examined("nafnet", graph.bytes([("y", dark, networks.IMAGE)]))
    assert any("are range, mean and deviation those of the network?" in note for note in candidate.notes)


def test_an_unknown_name_is_refused_with_the_known_ones_of_the_stage() -> None:
    with pytest.raises(
        ModelUnusable, match="no network 'u2' is known for background, only u2net, u2netp, silueta, isnet"
    ):
        known_network("background", "u2")


def table(stage: Stage, model_id: str) -> dict[str, object]:
    return {**examined("nafnet").table, "stage": stage, "id": model_id}


def test_added_models_are_listed_after_each_other_and_removed_with_their_files(tmp_path: Path) -> None:
    added = AddedModels(folder=tmp_path / "models")
    first = added.add(table("deblur", "one"), b"1")
    added.add(table("deblur", "two"), b"2")
    assert [entry.ref.id for entry in Registry.load(added.registry).entries] == ["one", "two"]
    added.remove("deblur", "one")
    assert [entry.ref.id for entry in Registry.load(added.registry).entries] == ["two"]
    assert not first.parent.exists()


def test_removing_what_was_not_added_names_what_was(tmp_path: Path) -> None:
    added = AddedModels(folder=tmp_path)
    with pytest.raises(ModelUnusable, match="denoise 'denoise' was not added here; added: none"):
        added.remove("denoise", "denoise")
    added.add(table("deblur", "one"), b"1")
    with pytest.raises(ModelUnusable, match="added: deblur one"):
        added.remove("denoise", "one")


def test_any_text_in_a_licence_is_written_as_it_is(tmp_path: Path) -> None:
    odd = 'a "quoted" \\ licence\nof two lines, é, \x7f'
    added = AddedModels(folder=tmp_path)
    added.add({**table("deblur", "one"), "licence": odd}, b"1")
    assert tomllib.loads(added.registry.read_text(encoding="utf-8"))["model"][0]["licence"] == odd


DESCRIPTION = """
licence = "MIT"
commercial_use = true
training_data = [{ source = "somebody/photographs", licence = "CC0", class = "permissive" }]

[contract]
input = "image"
scalars = ["sigma"]
range = [0, 1]
halo = 12
multiple_of = 2
"""


def test_any_other_network_is_described_by_a_file_that_gives_it_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(DESCRIPTION)
    candidate = examine_model("denoise", read_description(path), networks.ffdnet(4, 3), threads=1)
    assert candidate.table["id"] == "mine"
    assert candidate.contract.scalars == ("sigma",)


def test_a_description_lists_all_that_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(DESCRIPTION.replace('licence = "MIT"', 'license = "MIT"').replace("permissive", "free"))
    with pytest.raises(ConfigurationError) as error:
        read_description(path)
    for problem in ("licence: Field required", "license: Extra inputs", "training_data.0.class"):
        assert problem in str(error.value)
    path.write_text("[[[")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        read_description(path)


def test_a_contract_that_contradicts_itself_is_refused_when_the_network_is_added(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(DESCRIPTION.replace("halo = 12", "longest_side = 256"))
    with pytest.raises(ModelUnusable, match=r"pixels need a halo.*; pixels are not reduced to a longest_side"):
        examine_model("denoise", read_description(path), networks.ffdnet(4, 3), threads=1)
