"""`darkroom demo`: the main promise, from the command line to the figures."""

import json
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darkroom.cli.commands.demo import _own
from darkroom.cli.support.degrade import Damage, degrade
from tests.e2e.service import ROOT, TIMEOUT_S
from tests.photographs import photograph, small_jpeg


def demo(tmp_path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    places = ["--home", str(tmp_path / "home"), "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "darkroom", "demo", *places, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> "tuple[subprocess.CompletedProcess[str], Path]":
    """A demo with its own photograph: how it ended, and its output folder."""
    folder = tmp_path_factory.mktemp("demo")
    return demo(folder), folder / "out"


def test_the_demo_restores_its_photograph_and_measures_a_gain(
    own: "tuple[subprocess.CompletedProcess[str], Path]",
) -> None:
    done, out = own
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((out / "manifest.json").read_text())["status"] == "completed"
    for name in ("portrait.jpg", "reference.png", "result.jpg", "contact-sheet.png"):
        with Image.open(out / name) as image:
            image.load()
    gains = re.search(r"gain\s+\S\s+\+([\d.]+) dB\s+\S\s+\+([\d.]+)", done.stdout)
    assert gains is not None, done.stdout
    assert float(gains[1]) > 1.0
    assert float(gains[2]) > 0.1
    assert "reduced to 512x512 by area averaging" in " ".join(done.stdout.split())


def test_every_stage_is_told_as_it_comes(own: "tuple[subprocess.CompletedProcess[str], Path]") -> None:
    done, out = own
    stages = [stage["stage"] for stage in json.loads((out / "manifest.json").read_text())["stages"]]
    assert re.findall(r"stage completed\s+(\w+) by", done.stdout) == stages


def test_the_users_own_photograph_is_worked_on_without_a_gain(tmp_path: Path) -> None:
    photo = tmp_path / "cat.jpg"
    photo.write_bytes(small_jpeg(96, name="chelsea"))
    done = demo(tmp_path, str(photo), "--preset", "sharpen")
    assert (done.returncode, done.stderr) == (0, "")
    assert "PSNR" not in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "cat.jpg",
        "contact-sheet.png",
        "manifest.json",
        "result.jpg",
    ]


def test_a_file_that_is_no_picture_ends_with_status_1_and_the_reason(tmp_path: Path) -> None:
    text = tmp_path / "letter.jpg"
    text.write_bytes(b"Dear all, the photographs follow tomorrow.")
    done = demo(tmp_path, str(text))
    assert done.returncode == 1
    assert re.fullmatch(r"darkroom: the job is failed: .+\n", done.stderr)


@pytest.mark.parametrize("name", ["result.jpg", "contact-sheet.png", "manifest.json", "cat.jpg"])
def test_a_photograph_that_the_demo_would_write_over_is_refused_and_stays(tmp_path: Path, name: str) -> None:
    photo = tmp_path / "out" / name
    photo.parent.mkdir()
    photo.write_bytes(small_jpeg(64))
    (tmp_path / "link").symlink_to(photo)
    for given in (photo, tmp_path / "link") if name != "cat.jpg" else (photo,):
        done = demo(tmp_path, str(given))
        assert done.returncode == 2
        assert str(photo) in done.stderr.replace("\n", "")
    assert photo.read_bytes() == small_jpeg(64)
    assert list(photo.parent.iterdir()) == [photo]


@pytest.mark.parametrize("name", [".hid.jpg", "x.tmp", "x.part", "a~", "a.jpg~"])
def test_a_name_that_the_uploads_folder_would_leave_alone_becomes_another_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert _own(tmp_path / name).name in ("photograph.jpg", "photograph")


def test_the_demo_leaves_the_uploads_of_its_home_alone_and_may_be_repeated(tmp_path: Path) -> None:
    photo, upload = tmp_path / ".cat.jpg", tmp_path / "home" / "uploads" / "sharpen" / "photograph.jpg"
    photo.write_bytes(small_jpeg(64))
    for _ in range(2):
        done = demo(tmp_path, str(photo), "--preset", "sharpen")
        assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in upload.parent.iterdir()) == ["photograph-2.jpg", "photograph.jpg"]


def test_the_damage_is_the_same_every_time_and_as_large_as_it_says() -> None:
    flat = np.full((256, 256, 3), 128, np.uint8)
    damage = Damage(cast=(1.0, 0.75, 0.5), noise_sigma=10.0, jpeg_quality=100)
    assert degrade(flat, damage) == degrade(flat, damage)
    pixels = np.asarray(Image.open(BytesIO(degrade(flat, damage))), np.float64)
    np.testing.assert_allclose(pixels.mean((0, 1)), (128, 96, 64), atol=1.0)
    np.testing.assert_allclose(pixels.std((0, 1)), 10.0, atol=1.0)


def test_more_blur_leaves_less_detail() -> None:
    sharp, soft = (degrade(photograph(), Damage(blur_sigma=sigma, noise_sigma=0.0)) for sigma in (0.5, 3.0))
    assert len(soft) < len(sharp)
