"""A picture gets its answer at once, and what would take too long is sent elsewhere."""

import base64
import threading
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from darkroom.api.core.application import Api
from darkroom.domain.pipeline import parse_pipeline
from darkroom.execution.runner import run_pipeline
from darkroom.imaging.codec import decode
from darkroom.inference.figures import Cost
from darkroom.inference.registry import Registry
from tests import pictures
from tests.api_client import Service, flask_app, service
from tests.fakes.remembered_models import RememberedModels
from tests.photographs import small_jpeg
from tests.pictures import jpeg_bytes, png_bytes, scene

JSON = {"Accept": "application/json"}


@pytest.fixture
def api() -> Service:
    return service()


def pixels_of(data: bytes) -> np.ndarray[Any, Any]:
    return decode(data).picture.pixels


FORMS: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "a form": lambda data: {"data": {"file": (BytesIO(data), "cat.jpg"), "pipeline": "sharpen"}},
    "bytes of a type": lambda data: {"data": data, "content_type": "image/jpeg", "query_string": "pipeline=sharpen"},
    "bytes as curl sends them": lambda data: {
        "data": data,
        "content_type": "application/x-www-form-urlencoded",
        "query_string": "pipeline=sharpen",
    },
    "a pipeline as JSON": lambda data: {
        "data": {"file": (BytesIO(data), "cat.jpg"), "pipeline": '{"preset": "sharpen"}'},
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_the_picture_is_that_of_the_pipeline_however_it_is_sent(api: Service, form: str) -> None:
    data = small_jpeg(64)
    answer = api.client.post("/v1/enhance", **FORMS[form](data))
    assert (answer.status_code, answer.content_type) == (200, "image/jpeg")
    expected = run_pipeline(api.api.app.runner(), "upload", data, parse_pipeline("sharpen"))
    assert answer.data == expected.data


def test_a_url_is_fetched_and_enhanced() -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return png_bytes()

    api = service(fetch=fetch)
    answer = api.client.post("/v1/enhance", json={"url": "https://shop.example/a.png", "pipeline": "optimize"})
    assert (answer.status_code, answer.content_type) == (200, "image/png")
    assert asked == ["https://shop.example/a.png"]


def test_json_tells_what_was_done_and_brings_the_picture(api: Service) -> None:
    cast = np.clip(scene() * np.array([1.0, 0.75, 0.5]), 0, 255).astype(np.uint8)
    answer = api.client.post("/v1/enhance?pipeline=color_cast", data=png_bytes(cast), headers=JSON)
    told = answer.get_json()
    assert (answer.status_code, told["status"], told["content_type"]) == (200, "success", "image/png")
    assert (told["width"], told["height"]) == (pictures.WIDTH, pictures.HEIGHT)
    assert pixels_of(base64.b64decode(told["processed_image"])).shape == (pictures.HEIGHT, pictures.WIDTH, 3)
    assert told["cast_detected"] == (told["cast_strength"] > 0.35)
    assert [stage["stage"] for stage in told["stages"]] == ["assess", "white_balance", "finish", "assess"]
    used = next(stage for stage in told["stages"] if stage["stage"] == "white_balance")["model"]
    assert told["model_version"] == f"{used['id']} {used['version']}"
    assert set(told["scores"]) == {"before", "after", "parts_before", "parts_after"}
    assert told["processing_time"] >= 0


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("*/*", "image/png"), ("image/webp,*/*;q=0.5", "image/png"), ("application/json", "application/json"),
     ("text/html,application/json;q=0.9,*/*;q=0.1", "application/json")],
)  # fmt: skip
def test_whoever_does_not_ask_for_json_gets_the_picture(api: Service, accept: str, kind: str) -> None:
    answer = api.client.post("/v1/enhance?pipeline=optimize", data=png_bytes(), headers={"Accept": accept})
    assert answer.content_type == kind


def test_whoever_wants_the_picture_alone_does_not_wait_for_its_score(api: Service) -> None:
    opened: list[str] = []
    models = Counting(api.world.system.models, opened)
    counted = flask_app(Api.of(replace(api.world.system, models=models), slots=1)).test_client()
    picture = counted.post("/v1/enhance?pipeline=denoise", data=small_jpeg(64))
    assert opened == ["assess", "denoise"]
    told = counted.post("/v1/enhance?pipeline=denoise", data=small_jpeg(64), headers=JSON).get_json()
    assert opened == ["assess", "denoise", "assess", "denoise", "assess"]
    assert base64.b64decode(told["processed_image"]) == picture.data


class Counting:
    """Notes which stage's model is opened."""

    def __init__(self, models: Any, opened: list[str]) -> None:
        self._models, self._opened = models, opened

    def open(self, stage: str, *args: Any, **named: Any) -> Any:
        self._opened.append(stage)
        return self._models.open(stage, *args, **named)


def test_one_stage_runs_alone_with_its_parameters(api: Service) -> None:
    query = {"parameters": '{"method": "grey_world"}', "output": '{"format": "png"}'}
    answer = api.client.post("/v1/stages/white_balance", query_string=query, data=png_bytes(), headers=JSON)
    steps = answer.get_json()["stages"]
    assert [step["method"] for step in steps if step["stage"] == "white_balance"] == ["grey_world"]
    finish = api.client.post("/v1/stages/finish", query_string={"parameters": '{"width": 32}'}, data=png_bytes())
    assert pixels_of(finish.data).shape == (24, 32, 3)


@pytest.mark.parametrize("stage", ["assess", "sepia", "%2e%2e"])
def test_a_stage_that_cannot_be_run_alone_is_404(api: Service, stage: str) -> None:
    assert api.client.post(f"/v1/stages/{stage}", data=png_bytes()).status_code == 404


def test_a_parameter_out_of_range_is_422_with_value_and_limit(api: Service) -> None:
    query = {"parameters": '{"strength": 7}'}
    answer = api.client.post("/v1/stages/denoise", query_string=query, data=png_bytes())
    told = answer.get_json()
    assert (answer.status_code, told["code"]) == (422, "bad_pipeline")
    assert "less than or equal to 1, not 7" in told["detail"]
    assert (told["value"], told["limit"]) == (7, 1.0)
    assert [(each["where"], each["value"], each["limit"]) for each in told["errors"]] == [
        ("pipeline.stages.denoise.strength", 7, 1.0)
    ]


def test_every_wish_that_is_not_valid_is_named_with_its_value_and_limit(api: Service) -> None:
    told = api.client.post("/v1/adjust?brightness=2&smoothing=-1&format=gif", data=png_bytes()).get_json()
    assert "value" not in told, "there are three"
    assert {each["where"]: (each["value"], each["limit"]) for each in told["errors"]} == {
        "brightness": ("2", 1.0),
        "smoothing": ("-1", 0.0),
        "format": ("gif", "'keep', 'jpeg', 'png', 'webp', 'tiff' or 'avif'"),
    }


def test_a_number_that_no_document_can_hold_is_refused_without_it(api: Service) -> None:
    body = b'{"url": "https://shop.example/a.jpg", "brightness": 1e999}'
    answer = api.client.post("/v1/adjust", data=body, content_type="application/json")
    assert answer.status_code == 422
    assert "value" not in answer.get_json()


@pytest.mark.parametrize(
    ("name", "amount", "grows"),
    [("brightness", 0.5, np.mean), ("contrast", 0.5, np.std), ("saturation", 0.5, lambda p: np.ptp(p, axis=2).mean()),
     ("temperature", 0.5, lambda p: p[..., 0].mean() - p[..., 2].mean()),
     ("sharpness", 1.0, lambda p: np.abs(np.diff(p.astype(float), axis=0)).mean()),
     ("smoothing", 2.0, lambda p: -np.abs(np.diff(p.astype(float), axis=0)).mean())],
)  # fmt: skip
def test_each_adjustment_changes_what_its_name_says(
    api: Service, name: str, amount: float, grows: Callable[[Any], float]
) -> None:
    data = png_bytes()
    answer = api.client.post(f"/v1/adjust?{name}={amount}", data=data)
    assert answer.status_code == 200
    assert grows(pixels_of(answer.data)) > grows(pixels_of(data))
    unchanged = api.client.post("/v1/adjust", data=data)
    assert np.array_equal(pixels_of(unchanged.data), pixels_of(data))


def scratched_png() -> bytes:
    """A plain picture with a white scratch."""
    pixels = np.full((96, 128, 3), 90, np.uint8)
    pixels[:, 60:62] = 250
    return png_bytes(pixels)


REPAIRED = '{"stages": [{"stage": "repair", "parameters": {"method": "telea"}}], "qc_threshold": 0}'


def test_a_picture_that_was_painted_over_is_for_a_person_whichever_way_it_is_answered(api: Service) -> None:
    given = {"query_string": {"pipeline": REPAIRED}, "data": scratched_png()}
    told = api.client.post("/v1/enhance", headers={"Accept": "application/json"}, **given).get_json()
    assert told["qc_status"] == "needs_review"
    assert [reason["code"] for reason in told["review_reasons"]] == ["painted_over"]
    assert api.client.post("/v1/enhance", **given).headers["Darkroom-Review"] == "painted_over"


def test_a_picture_that_nothing_speaks_against_has_no_reason_for_a_review(api: Service) -> None:
    given = {"query_string": {"pipeline": '{"preset": "optimize", "qc_threshold": 0}'}, "data": small_jpeg(96)}
    told = api.client.post("/v1/enhance", headers={"Accept": "application/json"}, **given).get_json()
    assert (told["qc_status"], told["review_reasons"]) == ("auto_approved", [])
    assert "Darkroom-Review" not in api.client.post("/v1/enhance", **given).headers


def test_a_preview_has_the_pixels_of_the_result_that_it_previews(api: Service) -> None:
    data = small_jpeg(96)
    preview = api.client.post("/v1/adjust?brightness=0.3&sharpness=1", data=data).data
    result = api.client.post("/v1/enhance", query_string={"pipeline": BRIGHTER}, data=data).data
    assert np.array_equal(pixels_of(preview), pixels_of(result))


BRIGHTER = '{"preset": "optimize", "output": {"brightness": 0.3, "sharpen": 1, "quality": 90}}'


def test_an_adjustment_may_have_another_format(api: Service) -> None:
    assert api.client.post("/v1/adjust?format=webp", data=png_bytes()).content_type == "image/webp"


def test_the_histogram_counts_every_pixel_once_a_channel(api: Service) -> None:
    told = api.client.post("/v1/histogram", data=png_bytes()).get_json()
    for channel, name in enumerate("rgb"):
        expected = np.bincount(scene()[..., channel].ravel(), minlength=256)
        assert told[name] == expected.tolist()
    assert told["pixels"] == pictures.WIDTH * pictures.HEIGHT


def test_the_histogram_of_16_bits_counts_in_8(api: Service) -> None:
    told = api.client.post("/v1/histogram", data=pictures.png16()).get_json()
    assert told["r"] == np.bincount((pictures.scene16()[..., 0] >> 8).ravel(), minlength=256).tolist()


def test_an_assessment_is_that_of_the_pipeline(api: Service) -> None:
    data = small_jpeg(64)
    told = api.client.post("/v1/assess", data=data).get_json()
    job = run_pipeline(api.api.app.runner(), "upload", data, parse_pipeline("optimize")).job
    assert job.before is not None
    assert (told["score"], told["measurements"]) == (job.before.score, job.before.measurements)


@pytest.mark.parametrize("name", pictures.every_format())
def test_every_format_is_taken(api: Service, name: str) -> None:
    answer = api.client.post("/v1/histogram", data=pictures.every_format()[name])
    assert (answer.status_code, answer.get_json()["pixels"]) == (200, pictures.WIDTH * pictures.HEIGHT)


BAD: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "nothing": (pictures.empty, 422, "empty_object"),
    "a text": (pictures.text_file, 415, "unsupported_format"),
    "a PDF": (pictures.pdf_file, 415, "unsupported_format"),
    "half a JPEG": (pictures.truncated_jpeg, 422, "truncated"),
    "half a PNG": (pictures.truncated_png, 422, "truncated"),
    "a changed byte": (pictures.corrupt_png, 422, "corrupt"),
    "an enormous claim": (pictures.bomb_png, 413, "too_large_at_once"),
    "a long thin picture": (lambda: png_bytes(np.zeros((2_000_000, 1), np.uint8)), 413, "side_too_long"),
    "no width": (pictures.zero_area_png, 422, "zero_area"),
    "a text that unfolds": (pictures.text_bomb_png, 422, "decompression_bomb"),
    "a profile that unfolds": (pictures.profile_bomb_png, 422, "decompression_bomb"),
    "not a number": (pictures.float_tiff_with_nan, 422, "not_finite"),
}


@pytest.mark.parametrize("path", ["/v1/enhance?pipeline=optimize", "/v1/adjust", "/v1/histogram", "/v1/assess"])
@pytest.mark.parametrize("kind", BAD)
def test_bad_pictures_are_refused_with_their_reason(api: Service, path: str, kind: str) -> None:
    make, status, code = BAD[kind]
    # Whatever the name and the type say, the bytes decide.
    path, _, query = path.partition("?")
    form = {"file": (BytesIO(make()), "honest.jpg", "image/jpeg")}
    answer = api.client.post(path, data=form, query_string=query)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"


def test_a_picture_of_more_than_four_megapixels_is_sent_to_the_jobs(api: Service) -> None:
    large = png_bytes(np.zeros((2001, 2000, 3), np.uint8))
    told = api.client.post("/v1/enhance", data=large).get_json()
    assert (told["status"], told["code"]) == (413, "too_large_at_once")
    assert (told["value"], told["limit"]) == (4_002_000, 4_000_000)
    assert "/v1/jobs" in told["detail"]


@pytest.mark.parametrize(
    "pipeline", ['{"stages": [{"stage": "upscale", "scale": 8, "method": "lanczos"}]}', '{"output": {"width": 9000}}']
)
def test_a_result_that_would_be_too_large_is_sent_to_the_jobs(api: Service, pipeline: str) -> None:
    data = png_bytes(np.zeros((600, 800, 3), np.uint8))
    told = api.client.post("/v1/enhance", query_string={"pipeline": pipeline}, data=data).get_json()
    assert (told["code"], told["limit"]) == ("too_large_at_once", 16_000_000)


class SlowModels:
    """Opens a model only after a while, on the clock of the test."""

    def __init__(self, api: Service) -> None:
        self._models, self._clock = api.world.system.models, api.world.clock

    def open(self, *args: Any, **named: Any) -> Any:
        self._clock.advance(26)
        return self._models.open(*args, **named)


def test_what_takes_more_than_25_seconds_is_sent_to_the_jobs(api: Service) -> None:
    slow = Api.of(replace(api.world.system, models=SlowModels(api)), slots=1)
    told = flask_app(slow).test_client().post("/v1/enhance?pipeline=denoise", data=small_jpeg(64)).get_json()
    assert (told["status"], told["code"]) == (413, "too_slow_at_once")
    assert (told["value"], told["limit"]) == (26.0, 25.0)


def costly_denoiser(api: Service, cpu_s: float) -> Registry:
    """The registry with a cost of the denoiser, in processor seconds for a megapixel."""
    registry = api.world.system.model_registry
    assert isinstance(registry, Registry)
    cost = Cost(cpu_s=cpu_s, per="megapixel", memory_mb=1000, processor="AVX2")
    entries = tuple(replace(it, cost=cost) if it.ref.id == "denoise" else it for it in registry.entries)
    return replace(registry, entries=entries)


def test_a_step_whose_model_is_known_to_take_too_long_is_refused_before_it_begins(api: Service) -> None:
    system = replace(api.world.system, settings=api.world.system.settings.model_copy(update={"threads": 2}))
    data = small_jpeg(1000)
    answers = {}
    for cpu_s in (49.0, 52.0):
        costly = Api.of(replace(system, model_registry=costly_denoiser(api, cpu_s)), slots=1)
        answers[cpu_s] = flask_app(costly).test_client().post("/v1/enhance?pipeline=denoise", data=data)
    assert answers[49.0].status_code == 200
    told = answers[52.0].get_json()
    assert (told["status"], told["code"], told["value"], told["limit"]) == (413, "too_slow_at_once", 26.0, 25.0)
    assert 'give the pipeline "quality": "fast"' in told["detail"]


class SlowTiles:
    """Opens a denoiser that takes ten seconds for a tile, on the clock of the test."""

    def __init__(self, api: Service) -> None:
        self.tiles = 0
        # The remembered models of the world are no dataclasses; those under them are.
        self._models, self._clock = cast(RememberedModels, api.world.system.models)._models, api.world.clock

    def open(self, stage: str, *args: Any, **named: Any) -> Any:
        model = self._models.open(stage, *args, **named)
        return replace(model, _session=SimpleNamespace(run=self._run(model))) if stage == "denoise" else model

    def _run(self, model: Any) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            self.tiles += 1
            self._clock.advance(10)
            return model._session.run(*given)

        return run


def test_a_step_that_works_piece_by_piece_ends_when_25_seconds_are_over(api: Service) -> None:
    models = SlowTiles(api)
    slow = Api.of(replace(api.world.system, models=models), slots=1)
    data = small_jpeg(1600, noise=20.0)
    told = flask_app(slow).test_client().post("/v1/enhance?pipeline=denoise", data=data).get_json()
    assert (told["status"], told["code"]) == (413, "too_slow_at_once")
    assert told["detail"].startswith("denoise is not done after 30.0 s, the limit is 25 s")
    assert models.tiles == 3


def test_no_more_pictures_are_worked_on_at_once_than_there_are_places() -> None:
    inside, most, lock, full = 0, 0, threading.Lock(), threading.Barrier(2)
    api = service(slots=2)

    def work(decoded: Any) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        full.wait(timeout=20)  # both places are taken at the same time, two by two
        with lock:
            inside -= 1

    def ask() -> None:
        with api.api.app.inference_slot():
            work(None)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert (most, inside) == (2, 0)


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        ({"data": b"{", "content_type": "application/json"}, 400, "not_json"),
        ({"data": b"[1]", "content_type": "application/json"}, 422, "invalid"),
        ({"data": b'{"url": NaN}', "content_type": "application/json"}, 400, "not_json"),
        ({"json": {"url": 7}}, 422, "invalid"),
        ({"json": {"pipeline": "sharpen"}}, 422, "no_picture"),
        ({"json": {"url": "https://shop.example/a", "colour": 1}}, 422, "invalid"),
        ({"data": {"file": (BytesIO(b"x"), "a.jpg"), "pipeline": "sepia"}}, 422, "unknown_preset"),
        ({"data": {"photo": (BytesIO(b"x"), "a.jpg")}}, 422, "no_picture"),
        ({"data": b"x", "content_type": "multipart/form-data"}, 422, "no_picture"),
        ({"data": b"[" * 100_000, "content_type": "application/json"}, 400, "not_json"),
        ({"data": b" " * 1_100_000, "content_type": "application/json"}, 413, "too_large"),
    ],
)
def test_bodies_that_cannot_be_read_are_refused(api: Service, told: dict[str, Any], status: int, code: str) -> None:
    answer = api.client.post("/v1/enhance", **told)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_a_body_that_declares_too_much_is_refused_unread(api: Service) -> None:
    answer = api.client.post("/v1/enhance", environ_overrides={"CONTENT_LENGTH": str(33 * 1024 * 1024 + 1)})
    assert answer.status_code == 413
    assert (answer.get_json()["value"], answer.get_json()["limit"]) == (34_603_009, 33_554_432)


def test_a_text_field_beyond_the_limit_is_refused(api: Service) -> None:
    form = {"file": (BytesIO(jpeg_bytes()), "a.jpg"), "pipeline": "x" * 1_100_000}
    answer = api.client.post("/v1/enhance", data=form)
    assert (answer.status_code, answer.get_json()["code"]) == (413, "too_large")


# Paths of other services


def test_remove_color_cast_answers_as_described(api: Service) -> None:
    for path in ("/remove-color-cast", "/api/inference"):
        told = api.client.post(path, data={"file": (BytesIO(jpeg_bytes()), "a.jpg")}).get_json()
        described = {"status", "processed_image", "processing_time", "cast_detected", "cast_strength", "model_version"}
        assert described <= set(told)
        assert told["status"] == "success"
        assert Image.open(BytesIO(base64.b64decode(told["processed_image"]))).format == "JPEG"


def test_process_lightens_or_colorizes(api: Service) -> None:
    dark = (scene() // 6).astype(np.uint8)
    lifted = api.client.post("/process", data={"file": (BytesIO(png_bytes(dark)), "a.png"), "mode": "enhance"})
    assert pixels_of(lifted.data).mean() > dark.mean()
    told = api.client.post("/process", data={"file": (BytesIO(png_bytes()), "a.png"), "mode": "sepia"})
    assert told.status_code == 422


def test_a_product_photograph_comes_back_on_white_and_small_enough(api: Service) -> None:
    form = {"file": (BytesIO(small_jpeg(96)), "p.jpg"), "mode": "sharpen", "remove_background": "true",
            "target_size_kb": "20"}  # fmt: skip
    told = api.client.post("/api/v1/enhance/upload", data=form).get_json()
    assert "background" in [stage["stage"] for stage in told["stages"]]
    assert len(base64.b64decode(told["processed_image"])) <= 20_000


@pytest.mark.parametrize(
    ("mode", "size", "stages"),
    [
        ("auto", (2000, 1500), {"denoise", "white_balance", "background", "upscale"}),
        ("full", (2000, 1500), {"repair", "denoise", "deblur", "low_light", "white_balance", "background", "upscale"}),
        ("sharpen", (64, 48), set()),
        ("denoise", (64, 48), {"denoise"}),
        ("upscale", (128, 96), {"upscale"}),
        ("optimize", (64, 48), set()),
    ],
)
def test_every_mode_of_a_product_photograph_does_what_it_says(
    api: Service, mode: str, size: tuple[int, int], stages: set[str]
) -> None:
    form = {"file": (BytesIO(jpeg_bytes()), "p.jpg"), "mode": mode}
    told = api.client.post("/api/v1/enhance/upload", data=form).get_json()
    assert (told["width"], told["height"]) == size
    assert {each["stage"] for each in told["stages"]} - {"assess", "finish"} == stages


def test_a_product_photograph_that_is_large_enough_is_not_enlarged(api: Service) -> None:
    form = {"file": (BytesIO(jpeg_bytes(np.full((1500, 1520, 3), 90, np.uint8))), "p.jpg"), "mode": "auto"}
    told = api.client.post("/api/v1/enhance/upload", data=form | {"remove_background": "false"}).get_json()
    assert (told["width"], told["height"]) == (1520, 1500)


def test_the_other_short_forms_answer_as_their_long_ones(api: Service) -> None:
    assert api.client.post("/api/adjust?brightness=30&smoothing=10&sharpness=50", data=jpeg_bytes()).data == (
        api.client.post("/v1/adjust?brightness=0.3&smoothing=1&sharpness=1.5&format=png", data=jpeg_bytes()).data
    )
    assert api.client.post("/api/adjust?contrast=101", data=jpeg_bytes()).status_code == 422
    assert api.client.post("/api/histogram", data=png_bytes()).get_json() == (
        api.client.post("/v1/histogram", data=png_bytes()).get_json()
    )
    assert api.client.post("/api/init_model").get_json()["status"] == "success"
    assert api.client.get("/api/hello").get_json()["message"].startswith("Darkroom ")
    assert api.client.post("/api/cleanup").get_json() == api.client.get("/api/debug-temp").get_json()


def test_fields_without_a_form_are_415_with_the_way_to_send_them() -> None:
    answer = service().client.post("/v1/enhance", data={"url": "https://shop.example/a.jpg"})
    assert answer.status_code == 415
    assert "'url'" in answer.get_json()["detail"]
    assert "application/json" in answer.get_json()["detail"]


def test_a_picture_that_curl_declares_as_a_form_is_read() -> None:
    kind = "application/x-www-form-urlencoded"
    assert service().client.post("/v1/adjust", data=pictures.jpeg_bytes(), content_type=kind).status_code == 200


def test_an_unknown_field_is_422_with_the_known_ones() -> None:
    answer = service().post_job(preset="denoise")
    assert answer.status_code == 422
    assert "known are url, pipeline" in answer.get_json()["detail"]


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("identity", 200)])
def test_a_compressed_body_is_415_with_its_encoding(encoding: str, status: int) -> None:
    answer = service().client.post("/v1/adjust", data=jpeg_bytes(), headers={"Content-Encoding": encoding})
    assert answer.status_code == status
    assert status == 200 or "'gzip'" in answer.get_json()["detail"]
