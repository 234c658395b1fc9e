"""Networks of one's own on the command line, from the file to a developed photograph.

The networks have random weights: what they make of a photograph is of no interest, only that they are asked.
"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from darkroom.cli.main import cli
from tests import networks
from tests.photographs import small_jpeg

UNCLEAR = "name the network: --as NETWORK or --contract FILE"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photograph and two networks."""
    (tmp_path / "photo.jpg").write_bytes(small_jpeg(80))
    (tmp_path / "x4.onnx").write_bytes(networks.srvgg(4, 2))
    (tmp_path / "u2netp.onnx").write_bytes(networks.u2net(small=True, narrow=8))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DARKROOM_THREADS", "1")
    monkeypatch.setenv("DARKROOM_MODELS", str(tmp_path / "models"))
    return tmp_path


def darkroom(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def added(*words: str) -> Result:
    result = darkroom("models", "add", *words)
    assert result.exit_code == 0, result.output
    return result


def test_an_added_network_develops_a_photograph_and_the_manifest_names_it(here: Path) -> None:
    added("upscale", "x4.onnx", "--as", "realesr-general-x4v3")
    stages = ("--stages", "upscale:model=realesr-general-x4v3")
    result = darkroom("run", "photo.jpg", "-o", "large.png", *stages, "--manifest")
    assert result.exit_code == 0, result.output
    assert Image.open("large.png").size == (160, 160)
    steps = json.loads(Path("large.json").read_text())["stages"]
    used = next(step["model"] for step in steps if step["stage"] == "upscale")
    assert (used["id"], used["licence"]) == ("realesr-general-x4v3", "BSD-3-Clause")


def test_a_matte_network_of_others_serves_the_background(here: Path) -> None:
    added("background", "u2netp.onnx", "--as", "u2netp")
    result = darkroom("run", "photo.jpg", "-o", "cut.png", "--stages", "background:model=u2netp")
    assert result.exit_code == 0, result.output
    assert Image.open("cut.png").size == (80, 80)


def test_an_added_network_is_listed_shown_and_removed(here: Path) -> None:
    added("upscale", "x4.onnx", "--as", "realesr-general-x4v3", "--id", "mine")
    rows = {row["id"]: row for row in json.loads(darkroom("models", "--json").output) if row["stage"] == "upscale"}
    assert rows["mine"]["use"] == "by name"
    assert rows["mine"]["commercial_use"] is False
    cost = rows["mine"]["cost"]
    assert (cost["per"], cost["processor"]) == ("megapixel", "this machine, by one probe picture")
    assert cost["cpu_s"] > 0
    assert json.loads(darkroom("models", "show", "upscale", "mine").output)["contract"]["scale"] == 4
    assert darkroom("models", "remove", "upscale", "mine").exit_code == 0
    assert "mine" not in darkroom("models").output
    assert not Path("models/upscale-mine").exists()


def test_adding_says_what_forbids_commercial_use(here: Path) -> None:
    result = added("upscale", "x4.onnx", "--as", "realesr-general-x4v3")
    assert "note: not for commercial use: licence BSD-3-Clause, trained on DIV2K" in result.stderr


def test_what_differs_is_one_line_and_nothing_is_added(here: Path) -> None:
    result = darkroom("models", "add", "upscale", "x4.onnx", "--as", "realesrgan-x2plus")
    assert result.exit_code == 1
    assert "where its contract promises" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("models").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "name the network: --as NETWORK or --contract FILE"),
        (
            ["--as", "realesr-general-x4v3", "--contract", "photo.jpg"],
            "name the network: --as NETWORK or --contract FILE",
        ),
        (["--as", "realesr-general-x4v3", "--id", "upscale-x2"], "upscale has a model 'upscale-x2' already"),
    ],
)
def test_a_wish_that_is_not_clear_is_a_usage_error(here: Path, words: list[str], says: str) -> None:
    result = darkroom("models", "add", "upscale", "x4.onnx", *words)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())


def test_nothing_is_added_where_the_cloud_is_meant(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_BACKEND", "gcp")
    monkeypatch.setenv("DARKROOM_PROJECT", "somebodys-project")
    result = darkroom("models", "add", "upscale", "x4.onnx", "--as", "realesr-general-x4v3")
    assert result.exit_code == 1
    assert "the cloud uses what make stage MODELS=… deploys" in result.stderr


def test_a_model_that_is_not_for_commercial_use_is_refused_if_only_such_are_wanted(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added("upscale", "x4.onnx", "--as", "realesr-general-x4v3")
    monkeypatch.setenv("DARKROOM_COMMERCIAL_ONLY", "true")
    result = darkroom("run", "photo.jpg", "-o", "out.png", "--stages", "upscale:model=realesr-general-x4v3")
    assert result.exit_code == 1
    assert "is not for commercial use" in result.stderr


def test_the_known_networks_are_listed_with_the_place_where_they_are_published() -> None:
    listed = darkroom("models", "known").output
    assert "realesr-general-x4v3" in listed
    assert "https://github.com/xinntao/Real-ESRGAN" in listed
    assert json.loads(darkroom("models", "known", "--json").output)[0]["contract"]["size"] == [320, 320]
