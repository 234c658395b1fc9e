"""A mask says where to repair, and what belongs to the subject: through every door, with real stages."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from darkroom import enhance
from darkroom.cli.main import cli
from darkroom.domain.errors import BadPipeline
from darkroom.domain.masks import with_mask
from darkroom.domain.pipeline import build_pipeline, parse_pipeline
from darkroom.imaging.codec import decode
from darkroom.imaging.matting.strokes import corrected_matte
from darkroom.runtime.ports import NewObject
from tests.api_client import Service, service
from tests.photographs import photograph
from tests.pictures import png_bytes, saved
from tests.world import memory_world

PHOTO = np.ascontiguousarray(photograph()[60:188, 160:288])
MASK = np.zeros(PHOTO.shape[:2], np.uint8)
MASK[40:46, 20:110] = 255
SCRATCHED = np.where(MASK[..., None] > 0, np.uint8(255), PHOTO)
LOSSLESS = {"output": {"format": "png"}}
REPAIR: dict[str, Any] = {"stages": ["repair"], **LOSSLESS}
#: Masks that cannot be used, with a part of the message.
UNUSABLE = {
    "another size": (png_bytes(MASK[:100]), "the mask has 128x100 pixels, the picture 128x128"),
    "nothing marked": (png_bytes(np.zeros_like(MASK)), "marks nothing"),
    "everything marked": (png_bytes(np.full_like(MASK, 255)), "covers the whole picture"),
    "no picture": (b"no picture at all", "picture"),
}


@pytest.fixture(scope="module")
def api() -> Service:
    return service()


def assert_filled(data: bytes) -> None:
    """Inside the mask the picture is nearer to the photograph than before; outside it is the same."""
    pixels = decode(data).picture.pixels
    inside = MASK > 0
    assert np.array_equal(pixels[~inside], SCRATCHED[~inside])
    assert _error(pixels, inside) < 0.3 * _error(SCRATCHED, inside)


def _error(pixels: NDArray[Any], where: NDArray[np.bool_]) -> float:
    return float(np.abs(pixels[where].astype(float) - PHOTO[where]).mean())


def stage_form(mask: bytes, **fields: str) -> dict[str, Any]:
    return {"file": (BytesIO(png_bytes(SCRATCHED)), "a.png"), "mask": (BytesIO(mask), "mask.png"), **fields}


def test_the_api_fills_the_mask_and_searches_nothing(api: Service) -> None:
    response = api.client.post("/v1/stages/repair", data=stage_form(png_bytes(MASK)))
    assert response.status_code == 200, response.text
    assert_filled(response.data)
    form = stage_form(png_bytes(MASK), pipeline=json.dumps({"preset": "repair", **LOSSLESS}))
    assert_filled(api.client.post("/v1/enhance", data=form).data)


def test_a_job_fills_the_mask_that_its_pipeline_names() -> None:
    world = memory_world()
    world.raw_objects.put("uploads", "shared/mask.png", NewObject(data=png_bytes(MASK), content_type="image/png"))
    pipeline = {"stages": [{"stage": "repair", "mask_object": "shared/mask.png"}]}
    job_id = world.drop("a.png", png_bytes(SCRATCHED), pipeline=json.dumps(pipeline))
    world.deliver_all()
    job = world.job(job_id)
    assert job.result is not None, job.error
    assert_filled(world.system.objects.read(job.result))
    step = next(step for step in job.plan if step.stage == "repair")
    assert (step.method, step.objects["shared/mask.png"].name) == ("telea", "shared/mask.png")


def test_a_job_may_not_name_the_mask_of_somebody_else() -> None:
    api = service()
    new = NewObject(data=png_bytes(MASK), content_type="image/png", metadata={"owner": "bert"})
    api.world.raw_objects.put("uploads", "berts/mask.png", new)
    headers = api.key("anna", "submitter")
    for stage in ("repair", "background"):
        pipeline = json.dumps({"stages": [{"stage": stage, "mask_object": "berts/mask.png"}]})
        response = api.post_job(headers=headers, pipeline=pipeline)
        assert (response.status_code, response.get_json()["code"]) == (404, "object_not_found")


def test_the_command_line_fills_the_mask_in_a_file_and_in_a_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(png_bytes(SCRATCHED))
    Path("mask.jpg").write_bytes(saved(MASK, "JPEG", quality=95))
    told = ["run", "a.png", "-o", "b.png", "--preset", "repair", "--mask", "mask.jpg", "--manifest"]
    result = CliRunner().invoke(cli, told)
    assert result.exit_code == 0, result.output
    assert_filled(Path("b.png").read_bytes())
    assert '"mask_object": "mask.jpg"' in Path("b.json").read_text()
    streamed = CliRunner().invoke(
        cli, ["run", "-", "--stages", "repair", "--mask", "mask.jpg"], input=png_bytes(SCRATCHED)
    )
    assert_filled(streamed.stdout_bytes)


def test_the_command_line_refuses_a_mask_for_several_pictures_or_without_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png", "mask.png"):
        Path(name).write_bytes(png_bytes(MASK))
    several = CliRunner().invoke(cli, ["run", "a.png", "b.png", "-o", "out", "--mask", "mask.png"])
    assert (several.exit_code, "one picture" in several.stderr) == (2, True)
    without = CliRunner().invoke(cli, ["run", "a.png", "-o", "out", "--stages", "denoise", "--mask", "mask.png"])
    assert (without.exit_code, "the pipeline has denoise" in without.stderr) == (2, True)


@pytest.mark.parametrize("mask", [MASK, MASK > 0, Image.fromarray(MASK), png_bytes(MASK)], ids=type)
def test_the_library_takes_a_mask_in_every_form_of_a_picture(mask: Any) -> None:
    assert_filled(enhance(SCRATCHED, pipeline=REPAIR, mask=mask).data)


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_mask_that_cannot_be_used_is_refused_with_the_reason(api: Service, kind: str) -> None:
    mask, reason = UNUSABLE[kind]
    response = api.client.post("/v1/stages/repair", data=stage_form(mask))
    assert response.status_code in (400, 415, 422)
    assert reason in response.get_json()["detail"]
    with pytest.raises(BadPipeline, match=reason) as raised:
        enhance(SCRATCHED, pipeline=REPAIR, mask=mask)
    assert raised.value.code == "bad_mask"


def test_a_mask_that_nothing_would_read_is_refused_and_not_ignored(api: Service) -> None:
    for path in ("/v1/jobs", "/v1/assess", "/v1/stages/denoise"):
        response = api.client.post(path, data=stage_form(png_bytes(MASK)))
        assert (response.status_code, "mask" in response.get_json()["detail"]) == (422, True), path


def test_strokes_change_the_whole_part_that_they_touch_and_no_other() -> None:
    pixels = np.full((96, 128, 3), 200, np.uint8)
    pixels[30:80, 20:50] = (180, 30, 30)
    pixels[10:30, 20:50] = (200, 180, 20)  # in the matte, and no part of the subject
    pixels[30:60, 60:80] = pixels[30:60, 100:120] = (20, 30, 160)  # parts that the matte lacks
    matte = np.zeros((96, 128), np.uint8)
    matte[10:80, 20:50] = 255
    white, black = np.zeros(matte.shape, np.bool_), np.zeros(matte.shape, np.bool_)
    white[40:42, 65:70] = black[15:17, 25:30] = True
    corrected = corrected_matte(pixels, matte, white=white, black=black) > 127
    inner = {"subject": (35, 25), "touched white": (55, 75), "untouched": (45, 110), "touched black": (25, 45)}
    assert {name: bool(corrected[place]) for name, place in inner.items()} == {
        "subject": True,
        "touched white": True,
        "untouched": False,
        "touched black": False,
    }


def test_strokes_correct_what_the_stage_has_found() -> None:
    pipeline = {"stages": [{"stage": "background", "method": "grabcut"}], **LOSSLESS}
    strokes = np.full(PHOTO.shape[:2], 128, np.uint8)
    strokes[2:5, 4:40], strokes[100:104, 60:70] = 255, 0
    corrected = enhance(PHOTO, pipeline=pipeline, mask=strokes).pixels[..., 3]
    assert corrected[strokes == 255].min() == 255
    assert corrected[strokes == 0].max() == 0


def test_a_mask_without_undecided_pixels_is_the_matte() -> None:
    whole = np.zeros(PHOTO.shape[:2], np.uint8)
    cv2.circle(whole, (64, 64), 40, 255, -1)
    pipeline = {"stages": [{"stage": "background", "feather": 0}], **LOSSLESS}
    result = enhance(PHOTO, pipeline=pipeline, mask=whole)
    assert np.array_equal(result.pixels[..., 3], whole)


def test_the_mask_goes_to_repair_unless_only_the_background_runs() -> None:
    stages: list[tuple[Any, str]] = [("auto", "repair"), ("full", "repair"), ("cutout", "background")]
    for preset, expected in stages:
        masked = with_mask(parse_pipeline(preset), "m")
        assert isinstance(masked.stages, dict)
        assert [stage for stage, switch in masked.stages.items() if switch == {"mask_object": "m"}] == [expected]
    with pytest.raises(BadPipeline, match="another one is given"):
        with_mask(build_pipeline({"stages": {"repair": {"mask_object": "other"}}}), "m")
    with pytest.raises(BadPipeline, match="takes no mask"):
        build_pipeline({"stages": {"repair": {"mask_object": "m", "method": "model"}}})
