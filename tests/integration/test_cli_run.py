"""`darkroom run`, in this process as far as it goes."""

import json
import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from darkroom.cli.main import cli
from tests.pictures import heic_bytes, jpeg_bytes, png_bytes, scene

FAST = ("--preset", "optimize")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DARKROOM_THREADS", "1")
    return tmp_path


def write(name: str, data: bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def run(*args: str | Path, given: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["run", *(str(arg) for arg in args)], input=given)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def tree(root: str) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file())


def test_a_folder_comes_out_as_a_tree_and_what_failed_is_listed(here: Path) -> None:
    write("photos/a.jpg", jpeg_bytes())
    write("photos/1931/b.png", png_bytes())
    write("photos/broken.jpg", b"no picture")
    write("photos/README.txt", b"text")
    result = run("photos", "-o", "out", "--jobs", "1", *FAST)
    assert result.exit_code == 1
    assert tree("out") == ["1931/b.png", "a.jpg"]
    assert "photos/broken.jpg: " in result.stderr
    assert "2 done, 1 failed" in result.stderr
    assert "1 file that is no picture: photos/README.txt" in result.stderr
    assert len(result.stdout.splitlines()) == 2
    assert tree("photos") == ["1931/b.png", "README.txt", "a.jpg", "broken.jpg"]


def test_a_second_run_makes_only_what_is_missing_and_overwrite_makes_everything(here: Path) -> None:
    write("a.jpg", jpeg_bytes())
    write("b.jpg", jpeg_bytes(quality=90))
    write("out/a.jpg", b"made before")
    first = run("a.jpg", "b.jpg", "-o", "out", "--json", *FAST)
    assert {line["input"]: line["status"] for line in map(json.loads, first.stdout.splitlines())} == {
        "a.jpg": "skipped",
        "b.jpg": "done",
    }
    assert Path("out/a.jpg").read_bytes() == b"made before"
    again = run("a.jpg", "-o", "out", "--overwrite", *FAST)
    assert again.exit_code == 0
    assert pixels(Path("out/a.jpg")).shape == (48, 64, 3)


def test_a_heic_whose_result_is_there_as_jpeg_is_left_alone(here: Path) -> None:
    write("a.heic", heic_bytes())
    write("out/a.jpg", b"made before")
    assert "1 there already" in run("a.heic", "-o", "out").stderr


def test_json_tells_of_each_file_what_was_done_and_what_was_wrong(here: Path) -> None:
    write("a.jpg", jpeg_bytes())
    (done,) = map(json.loads, run("a.jpg", "-o", "out", "--json", "--stages", "denoise:sigma=10").stdout.splitlines())
    assert done["output"] == "out/a.jpg"
    assert done["stages"] == ["denoise", "finish"]
    assert done["error"] is None
    assert 0 <= done["score_before"] <= 100
    assert 0 <= done["score_after"] <= 100
    write("b.jpg", b"")
    failed = json.loads(run("b.jpg", "-o", "out", "--json").stdout)
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "empty_object"


def test_a_picture_that_was_painted_over_is_called_one_for_a_person(here: Path) -> None:
    scratched = np.full((96, 128, 3), 90, np.uint8)
    scratched[:, 60:62] = 250
    write("a.png", png_bytes(scratched))
    telea = ("--stages", "repair:method=telea")
    (done,) = map(json.loads, run("a.png", "-o", "out", "--json", *telea).stdout.splitlines())
    assert done["qc_status"] == "needs_review"
    assert [reason["code"] for reason in done["review_reasons"]][:1] == ["painted_over"]
    stream = run("-", *telea, given=png_bytes(scratched))
    assert stream.stderr.startswith("needs review: repair painted over")
    assert "needs review: repair painted over" in run("a.png", "-o", "again", *telea).stdout


def test_exactly_the_stages_asked_for_change_pixels(here: Path) -> None:
    write("a.png", png_bytes())
    assert run("a.png", "-o", "out.png", "--stages", "upscale:method=lanczos:scale=2").exit_code == 0
    assert pixels(Path("out.png")).shape == (96, 128, 3)
    assert run("a.png", "-o", "same.png", "--stages", "denoise:strength=0").exit_code == 0
    assert np.array_equal(pixels(Path("same.png")), scene())


def test_options_of_the_result_are_laid_over_the_pipeline(here: Path) -> None:
    write("a.jpg", jpeg_bytes())
    write("pipeline.json", json.dumps({"preset": "optimize", "output": {"format": "png", "max_side": 32}}).encode())
    assert run("a.jpg", "-o", "out", "--pipeline", "@pipeline.json", "--max-side", "40").exit_code == 0
    assert pixels(Path("out/a.png")).shape == (30, 40, 3)


def test_the_name_of_a_single_result_chooses_its_format(here: Path) -> None:
    write("a.jpg", jpeg_bytes())
    assert run("a.jpg", "-o", "named.webp", *FAST).exit_code == 0
    assert Image.open("named.webp").format == "WEBP"


def test_the_manifest_lies_beside_the_result_and_names_it(here: Path) -> None:
    write("a.jpg", jpeg_bytes())
    assert run("a.jpg", "-o", "out", "--manifest", *FAST).exit_code == 0
    manifest = json.loads(Path("out/a.json").read_text())
    assert manifest["result"]["name"] == "a.jpg"
    assert [stage["stage"] for stage in manifest["stages"]] == ["assess", "finish", "assess"]


def test_a_name_that_is_not_unicode_is_worked_on_like_any_other(here: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    write(name, jpeg_bytes())
    result = run(name, "-o", "out", "--manifest", *FAST)
    assert result.exit_code == 0, result.output
    assert Path("out", name).exists()
    assert "caf\\udce9.jpg → out/caf\\udce9.jpg" in result.stdout


def test_a_stream_is_one_picture_in_and_its_bytes_out_and_nothing_else(here: Path) -> None:
    result = run("-", "--stages", "denoise:strength=0", given=png_bytes())
    assert result.exit_code == 0
    assert np.array_equal(np.asarray(Image.open(BytesIO(result.stdout_bytes))), scene())
    assert result.stderr == ""


def test_a_stream_can_end_in_a_file_and_a_file_in_a_stream(here: Path) -> None:
    assert run("-", "-o", "a.webp", *FAST, given=jpeg_bytes()).exit_code == 0
    assert Image.open("a.webp").format == "WEBP"
    result = run("a.webp", "-o", "-", "--format", "png")
    assert Image.open(BytesIO(result.stdout_bytes)).format == "PNG"


def test_a_stream_that_is_no_picture_fails_in_one_line_with_nothing_on_stdout(here: Path) -> None:
    result = run("-", given=b"no picture")
    assert result.exit_code == 1
    assert result.stdout_bytes == b""
    assert result.stderr.startswith("darkroom: ")
    assert result.stderr.count("\n") == 1


def test_a_stream_does_not_replace_a_file_unasked(here: Path) -> None:
    write("a.jpg", b"mine")
    assert run("-", "-o", "a.jpg", *FAST, given=jpeg_bytes()).exit_code == 1
    assert Path("a.jpg").read_bytes() == b"mine"


def test_an_endless_stream_is_refused_after_the_limit(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_MAX_BYTES", "1000")
    result = run("-", given=jpeg_bytes() + bytes(10_000))
    assert result.exit_code == 1
    assert "1001 bytes" in result.stderr


REFUSED = {
    "without an output": ["photo.jpg"],
    "into the input folder": ["photos", "-o", "photos"],
    "onto the input file": ["photo.jpg", "-o", "photo.jpg"],
    "beside the input under its own name": ["photo.jpg", "-o", "."],
    "an input that does not exist": ["nothing.jpg", "-o", "out"],
    "several results into a file": ["photo.jpg", "photos", "-o", "photos/a.jpg"],
    "a format that cannot be written": ["photo.jpg", "-o", "out.bmp"],
    "an ending that is no format's": ["photo.jpg", "-o", "out.xyz"],
    "a name and a format that contradict each other": ["photo.jpg", "-o", "out.png", "--format", "webp"],
    "two pipelines": ["photo.jpg", "-o", "out", "--preset", "auto", "--stages", "denoise"],
    "an unknown preset": ["photo.jpg", "-o", "out", "--preset", "magic"],
    "an unknown stage": ["photo.jpg", "-o", "out", "--stages", "blur"],
    "a parameter without value": ["photo.jpg", "-o", "out", "--stages", "denoise:strength"],
    "a pipeline that is no JSON": ["photo.jpg", "-o", "out", "--pipeline", "{"],
    "a pipeline file that does not exist": ["photo.jpg", "-o", "out", "--pipeline", "@nothing.json"],
    "a colour that is none": ["photo.jpg", "-o", "out", "--background", "red"],
    "a number that is none": ["photo.jpg", "-o", "out", "--smooth", "nan"],
    "no process at all": ["photo.jpg", "-o", "out", "--jobs", "0"],
    "a stream among files": ["-", "photo.jpg", "-o", "out"],
    "JSON beside the bytes of a picture": ["photo.jpg", "-o", "-", "--json"],
    "a stream into a folder": ["-", "-o", "photos"],
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_command_line_that_makes_no_sense_is_refused_before_anything_is_written(case: str, here: Path) -> None:
    write("photo.jpg", jpeg_bytes())
    write("photos/a.jpg", jpeg_bytes())
    result = run(*REFUSED[case], given=jpeg_bytes())
    assert result.exit_code == 2, result.output
    assert "Error: " in result.stderr
    assert tree(".") == ["photo.jpg", "photos/a.jpg"]
    assert Path("photo.jpg").read_bytes() == jpeg_bytes()


def test_an_ending_that_is_no_formats_is_refused_with_those_that_are(here: Path) -> None:
    write("a.jpg", jpeg_bytes())
    told = " ".join(run("a.jpg", "-o", "t.xyz").stderr.split())
    assert ".xyz cannot be written, only .jpg .png .webp .tif .avif .jpeg .tiff; a folder's name ends with /" in told


@pytest.mark.parametrize("output", ["t.xyz/", "t.jpg/"])
def test_with_a_slash_at_its_end_the_output_is_a_folder_whatever_its_name(output: str, here: Path) -> None:
    write("a.jpg", jpeg_bytes())
    assert run("a.jpg", "-o", output, *FAST).exit_code == 0
    assert tree(output) == ["a.jpg"]


def test_a_picture_that_is_named_twice_is_developed_once(here: Path) -> None:
    write("a.jpg", jpeg_bytes())
    (here / "b").mkdir()
    result = run("a.jpg", "a.jpg", "b/../a.jpg", here / "a.jpg", "-o", "out", "--jobs", "2", *FAST)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("1 done, ")
    assert tree("out") == ["a.jpg"]


def test_a_stage_that_was_asked_for_and_did_not_run_is_told_with_the_reason(here: Path) -> None:
    write("a.png", png_bytes())
    reason = "the picture has colour already; force=true colorizes it all the same"
    for asked in (("--preset", "colorize"), ("--stages", "colorize")):
        result = run("a.png", "-o", "out", "--overwrite", *asked)
        assert result.stdout.startswith(f"a.png → out/a.png: finish; no colorize: {reason}; "), result.stdout
    told = json.loads(run("a.png", "-o", "out", "--overwrite", "--json", "--preset", "colorize").stdout)
    assert (told["stages"], told["skipped"]) == (["finish"], [{"stage": "colorize", "reason": reason}])


def test_stages_that_a_preset_runs_only_where_they_are_needed_are_not_missed(here: Path) -> None:
    write("a.png", png_bytes())
    assert json.loads(run("a.png", "-o", "out", "--json", "--preset", "auto").stdout)["skipped"] == []


def test_a_folder_without_pictures_is_a_failure(here: Path) -> None:
    write("photos/README.txt", b"text")
    result = run("photos", "-o", "out")
    assert result.exit_code == 1
    told = "darkroom: there is no picture in photos; left out 1 file that is no picture: photos/README.txt\n"
    assert result.stderr == told


def test_settings_that_are_wrong_are_told_in_one_line(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.jpg", jpeg_bytes())
    monkeypatch.setenv("DARKROOM_MAX_PIXELS", "many")
    result = run("a.jpg", "-o", "out")
    assert result.exit_code == 1
    assert result.stderr.startswith("darkroom: the settings are not valid: max_pixels")


def test_a_folder_that_cannot_be_written_fails_the_file_and_says_why(here: Path) -> None:
    write("a.jpg", jpeg_bytes())
    write("out", b"a file where the folder should be")
    assert run("a.jpg", "-o", "out", *FAST).exit_code == 2
    result = run("a.jpg", "-o", "out/deeper", *FAST)
    assert result.exit_code == 1
    assert result.stderr.startswith("a.jpg: ")


def test_a_dry_run_prints_the_stages_and_the_names_and_writes_nothing(here: Path) -> None:
    for name in ("photos/a.jpg", "photos/b.png", "out/photos/c.jpg"):
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg_bytes())
    before = sorted(here.rglob("*"))
    result = CliRunner().invoke(cli, ["run", "photos", "-o", "out", "--preset", "cutout", "--dry-run"])
    assert result.exit_code == 0, result.output
    stages, first, second, total = result.stdout.splitlines()
    assert stages == "preset cutout: background, finish"
    assert first.startswith("photos/a.jpg → out/a.")
    assert second.startswith("photos/b.png → out/b.")
    assert total.startswith("2 pictures to do")
    assert sorted(here.rglob("*")) == before
