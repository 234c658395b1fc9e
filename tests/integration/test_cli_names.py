"""Where do the results of `darkroom run` go?"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from darkroom.cli.main import cli
from darkroom.cli.support.files import part_of
from darkroom.cli.support.output_paths import Target, conflicts, disentangled, search, targets
from darkroom.cli.support.progress import left_out_sentence
from darkroom.cli.support.real_paths import RealPaths
from darkroom.domain.formats import PICTURE_SUFFIXES
from darkroom.domain.parameters import FinishParameters
from darkroom.imaging.codec import ACCEPTED
from tests.pictures import jpeg_bytes, png_bytes

KEEP = FinishParameters()
JPEG = FinishParameters(format="jpeg")


def make(root: Path, *names: str) -> list[Path]:
    """Files under `root`: pictures by their endings, text for anything else."""
    made = []
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes({".jpg": jpeg_bytes, ".png": png_bytes}.get(path.suffix, lambda: b"text")())
        made.append(path)
    return made


def results(inputs: list[Path], output: Path, finish: FinishParameters, *, manifest: bool = False) -> dict[str, str]:
    """Each source's name, and its result's path below the output folder."""
    found = targets(search(inputs, output).found, output, finish, cut_out=False)
    planned = disentangled(found, manifest=manifest)
    assert conflicts(planned, manifest=manifest) == []
    return {each.source.name: str(min(each.results).relative_to(output)) for each in planned}


def test_a_tree_comes_out_as_it_went_in(tmp_path: Path) -> None:
    make(tmp_path / "photos", "a.jpg", "1931/b.png", "1931/x/c.jpg")
    found = results([tmp_path / "photos"], tmp_path / "out", KEEP)
    assert found == {"a.jpg": "a.jpg", "b.png": "1931/b.png", "c.jpg": "1931/x/c.jpg"}


def test_several_folders_keep_their_own_names(tmp_path: Path) -> None:
    make(tmp_path, "one/a.jpg", "two/a.jpg")
    looked = search([tmp_path / "one", tmp_path / "two"], tmp_path / "out")
    assert [str(each.relative) for each in looked.found] == ["one/a.jpg", "two/a.jpg"]


def test_two_pictures_that_would_get_one_name_keep_their_own_endings(tmp_path: Path) -> None:
    make(tmp_path / "photos", "a.png", "a.jpg", "b.png")
    found = results([tmp_path / "photos"], tmp_path / "out", JPEG)
    assert found == {"a.png": "a.png.jpg", "a.jpg": "a.jpg.jpg", "b.png": "b.jpg"}


def test_pictures_of_one_name_in_two_formats_stay_as_they_are_if_the_formats_are_kept(tmp_path: Path) -> None:
    make(tmp_path / "photos", "a.png", "a.jpg")
    assert results([tmp_path / "photos"], tmp_path / "out", KEEP) == {"a.png": "a.png", "a.jpg": "a.jpg"}


def test_the_manifest_counts_as_a_name_too(tmp_path: Path) -> None:
    make(tmp_path / "photos", "a.png", "a.jpg")
    found = results([tmp_path / "photos"], tmp_path / "out", KEEP, manifest=True)
    assert found == {"a.png": "a.png.png", "a.jpg": "a.jpg.jpg"}


def test_a_longer_name_that_is_taken_already_becomes_longer_still(tmp_path: Path) -> None:
    make(tmp_path / "photos", "a.png", "a.jpg", "a.png.jpg")
    found = results([tmp_path / "photos"], tmp_path / "out", JPEG)
    assert found == {"a.png": "a.png.jpg", "a.jpg": "a.jpg.jpg", "a.png.jpg": "a.png.jpg.jpg"}


@given(st.sets(st.from_regex(r"[ab](\.(png|jpg|json)){0,3}", fullmatch=True), max_size=8), st.booleans())
def test_no_two_files_of_a_folder_ever_share_a_result(names: set[str], manifest: bool) -> None:
    planned = [
        Target(source=Path("in") / name, stem=(Path("out") / name).with_suffix(""), formats=frozenset({"jpeg"}))
        for name in sorted(names)
    ]
    found = disentangled(planned, manifest=manifest)
    assert conflicts(found, manifest=manifest) == []
    assert [each.source for each in found] == [each.source for each in planned]


def test_a_result_that_is_there_keeps_its_name_when_a_rival_of_it_comes_later(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    (source,) = make(photos, "a.jpg")
    (done,) = make(out, "a.jpg")
    came = source.stat().st_ctime_ns
    os.utime(done, ns=(came, came))
    while make(photos, "a.png")[0].stat().st_ctime_ns <= came:
        pass  # the clock of a file system is coarse
    assert results([photos], out, JPEG) == {"a.jpg": "a.jpg", "a.png": "a.png.jpg"}


def test_a_result_that_may_be_of_either_of_two_pictures_belongs_to_none(tmp_path: Path) -> None:
    make(tmp_path / "photos", "a.jpg", "a.png")
    make(tmp_path / "out", "a.jpg")
    found = results([tmp_path / "photos"], tmp_path / "out", JPEG)
    assert found == {"a.jpg": "a.jpg.jpg", "a.png": "a.png.jpg"}


@pytest.mark.parametrize("letter", ["x", "ж", "猫"])
def test_an_unfinished_file_has_a_name_that_fits_and_is_its_own(letter: str) -> None:
    longest = letter * (250 // len(letter.encode()))
    parts = {part_of(Path("out") / f"{longest[:-1]}{end}.jpg", 1) for end in ("1", "2")}
    assert len(parts) == 2
    assert all(len(os.fsencode(part.name)) <= 255 for part in parts)


def test_links_are_followed_to_files_and_counted_otherwise(tmp_path: Path) -> None:
    photos, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    real, _ = make(elsewhere, "real.jpg", "more/b.jpg")
    make(photos, "a.jpg")
    (photos / "file.jpg").symlink_to(real)
    (photos / "folder").symlink_to(elsewhere)
    (photos / "nothing.jpg").symlink_to(tmp_path / "gone.jpg")
    os.mkfifo(photos / "pipe.jpg")
    looked = search([photos], tmp_path / "out")
    assert [each.source.name for each in looked.found] == ["a.jpg", "file.jpg"]
    assert {each.path.name: each.why for each in looked.left_out} == {
        "folder": "link to a folder",
        "nothing.jpg": "link to nothing",
        "pipe.jpg": "neither file nor folder",
    }
    told = left_out_sentence(looked.left_out)
    assert told == (
        f"left out 1 link to a folder: {photos}/folder; 1 link to nothing: {photos}/nothing.jpg; "
        f"1 special file: {photos}/pipe.jpg"
    )


def test_files_of_one_name_from_two_folders_are_refused(tmp_path: Path) -> None:
    one, two = make(tmp_path, "one/a.jpg", "two/a.jpg")
    found = targets(search([one, two], tmp_path / "out").found, tmp_path / "out", KEEP, cut_out=False)
    problems = conflicts(disentangled(found, manifest=False), manifest=False)
    assert len(problems) == 1
    assert str(one) in problems[0]
    assert str(two) in problems[0]


def test_a_result_never_takes_the_place_of_an_input(tmp_path: Path) -> None:
    (source,) = make(tmp_path, "photos/a.jpg")
    found = targets(search([source], tmp_path / "photos").found, tmp_path / "photos", KEEP, cut_out=False)
    assert conflicts(found, manifest=False) == [f"the result of {source} would overwrite the input {source}"]


def test_what_is_no_picture_is_left_out_and_what_promises_one_is_not(tmp_path: Path) -> None:
    make(tmp_path / "photos", "README.txt", "a.jpg", ".hidden.jpg", ".thumbs/b.jpg")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "photos" / "scan").write_bytes(png_bytes())
    looked = search([tmp_path / "photos"], tmp_path / "out")
    assert [each.source.name for each in looked.found] == ["a.jpg", "broken.jpg", "scan"]
    assert [each.path.name for each in looked.left_out] == ["README.txt"]


def test_the_ending_of_every_format_that_can_be_read_promises_a_picture() -> None:
    assert {f".{name}" for name in ACCEPTED} <= PICTURE_SUFFIXES


def test_an_output_folder_inside_the_input_is_not_worked_on(tmp_path: Path) -> None:
    make(tmp_path / "photos", "a.jpg", "done/a.jpg")
    looked = search([tmp_path / "photos"], tmp_path / "photos" / "done")
    assert [each.source for each in looked.found] == [tmp_path / "photos" / "a.jpg"]


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        search([Missing(tmp_path / "gone")], tmp_path / "out")


class Missing(type(Path())):  # type: ignore[misc]
    """A folder that is there when looked at, and gone when it is listed."""

    def is_dir(self, **_: object) -> bool:
        return True


@pytest.mark.parametrize(
    ("source", "cut_out", "expected"),
    [
        (jpeg_bytes, False, {"jpeg"}),
        (jpeg_bytes, True, {"png"}),
        (png_bytes, False, {"png"}),
        (lambda: b"GIF89a", False, {"png"}),
        (lambda: b"\0\0\0\x18ftypheic\0\0\0\0heic", False, {"jpeg", "png"}),
    ],
)
def test_the_formats_that_keep_may_come_to(source: object, cut_out: bool, expected: set[str], tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(source())  # type: ignore[operator]
    (target,) = targets(search([path], tmp_path / "out").found, tmp_path / "out", KEEP, cut_out=cut_out)
    assert target.formats == expected


def _deep(root: Path, levels: int) -> Path:
    """A folder with a picture on each of so many levels."""
    here = root
    for _ in range(levels):
        here.mkdir()
        (here / "a.jpg").write_bytes(b"\xff\xd8\xff")
        here /= "d"
    return root


@pytest.mark.skipif(os.pathconf("/", "PC_PATH_MAX") < 4096, reason="paths of 1,100 levels are too long here")
def test_a_tree_deeper_than_the_stack_of_python_is_planned(tmp_path: Path) -> None:
    found = search([_deep(tmp_path / "in", 1100)], tmp_path / "out").found
    assert len(found) == 1100
    assert found[-1].relative == Path(*["d"] * 1099, "a.jpg")
    planned = disentangled(targets(found, tmp_path / "out", FinishParameters(), cut_out=False), manifest=True)
    # Python cannot remove so deep a tree itself, and would fail when it removes the folders of old test runs.
    subprocess.run(["rm", "-rf", tmp_path / "in"], check=True)
    assert conflicts(planned, manifest=True) == []


def _planned(root: Path, output: Path) -> None:
    planned = targets(search([root], output).found, output, FinishParameters(), cut_out=False)
    assert conflicts(planned, manifest=True) == []


def _looks(work: Callable[[], None]) -> int:
    """How often `work` asks the system what lies at a path."""
    count = 0

    def see(_: FrameType, event: str, function: Any) -> None:
        nonlocal count
        count += event == "c_call" and getattr(function, "__name__", "") in {"lstat", "stat", "readlink"}

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_planning_a_tree_resolves_each_folder_once(tmp_path: Path) -> None:
    """Counted in system calls that look at a path; a tree twice as deep has twice as many."""
    looks = []
    for levels in (40, 80):
        root = _deep(tmp_path / str(levels), levels)
        looks.append(_looks(lambda root=root: _planned(root, tmp_path / "out")))
    assert looks[1] <= 2.2 * looks[0]


def test_links_and_dots_lead_to_the_real_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "real/deep/a.jpg").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real/deep")
    (tmp_path / "again").symlink_to("link/a.jpg")
    monkeypatch.chdir(tmp_path)
    paths = RealPaths()
    for text in ("real/deep/a.jpg", "link/a.jpg", "link/../deep/a.jpg", "again", "./real/../link/a.jpg", "none/a.jpg"):
        assert paths.file(Path(text)) == Path(text).resolve()
        assert paths.folder(Path(text).parent) == Path(text).parent.resolve()


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["rnu", "a.jpg"], "run"),
        (["run", "a.jpg", "-o", "b.jpg", "--preset", "restor"], "restore"),
        (["run", "a.jpg", "-o", "b.jpg", "--pipeline", '{"preset": "low-light"}'], "low_light"),
        (["run", "a.jpg", "-o", "b.jpg", "--stages", "denoisee"], "denoise"),
        (["run", "a.jpg", "-o", "b.jpg", "--pipeline", '{"stages": {"upscal": true}}'], "upscale"),
        (["stages", "denoize"], "denoise"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_name_that_was_meant(
    arguments: list[str], meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").write_bytes(b"")
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert re.search(f"[Dd]id you mean '{meant}'", result.stderr)


def test_a_word_that_is_like_no_name_is_answered_without_a_guess() -> None:
    assert "did you mean" not in CliRunner().invoke(cli, ["stages", "sepia"]).stderr.lower()
