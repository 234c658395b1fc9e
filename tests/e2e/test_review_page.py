"""What reviewers see: the queue in a real browser over the local cloud, where visitors come without keys."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from skimage import data

from darkroom.adapters.system import SystemClock
from darkroom.auth.keys import Keys
from darkroom.local_cloud.api_server import listen
from darkroom.local_cloud.cloud import LocalCloud
from darkroom.runtime.settings import Settings
from tests.e2e.service import wait_until
from tests.pictures import jpeg_bytes

WAIT_S = 60
#: Nothing scores above 100, so every result waits for a person.
ALWAYS = {"preset": "optimize", "qc_threshold": 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A running service, and the key of a reviewer."""

    cloud: LocalCloud
    key: str

    @property
    def home(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.cloud.api_port}"

    def ask(self, path: str, body: Any = None, *, method: str | None = None, **query: str) -> Any:
        """The JSON of an answer; a body that is not bytes is sent as JSON, by POST unless told otherwise."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = "image/jpeg" if isinstance(body, bytes) else "application/json"
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": kind}
        request = Request(f"{self.home}{path}?{urlencode(query)}", raw, headers, method=method)
        with urlopen(request, timeout=WAIT_S) as answer:
            return json.load(answer)

    def waiting(self, name: str, pipeline: Any = ALWAYS, picture: bytes | None = None) -> str:
        """The id of a job whose result waits for a person; its label `name` is its name."""
        wishes = {"pipeline": json.dumps(pipeline), "display_name": name, "labels": json.dumps({"name": name})}
        given = picture or jpeg_bytes(data.astronaut()[::4, ::4])
        job: str = self.ask("/v1/jobs", given, **wishes)["id"]
        wait_until(lambda: self.cloud.jobs.get(job).qc_status == "needs_review", f"the result of {name}", WAIT_S)
        return job

    def job(self, job: str) -> Any:
        """How a job is."""
        return self.ask(f"/v1/jobs/{job}")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    settings = Settings(home=tmp_path_factory.mktemp("home"), threads=1, anonymous=True)
    with LocalCloud(settings, workers=1, api=listen(0)) as cloud:
        keys = Keys(objects=cloud.objects, bucket=settings.keys_bucket, clock=SystemClock())
        yield Office(cloud=cloud, key=keys.create("anna", "reviewer")[1])


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a person who was not here before; whatever its script does not catch fails the test."""
    context, errors = browser.new_context(viewport={"width": 1280, "height": 860}), list[str]()
    opened = context.new_page()
    opened.set_default_timeout(WAIT_S * 1000)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


def enter(page: Page, office: Office, label: str) -> None:
    """Come in with the key, and look at the jobs of a name."""
    page.goto(f"{office.home}/review")
    page.fill("#secret", office.key)
    page.click("#key button")
    page.wait_for_selector("#key", state="hidden")
    page.fill("#label", f"name={label}")
    page.click("#filter button")
    page.wait_for_selector(f"#name:text-is('{label}')")


def await_width(page: Page, picture: str, width: int) -> None:
    """Wait until a picture of so many pixels is there."""
    expect(page.locator(picture)).to_have_js_property("naturalWidth", width, timeout=WAIT_S * 1000)


def test_a_key_is_asked_for_and_a_wrong_one_is_told(page: Page, office: Office) -> None:
    page.goto(f"{office.home}/review")
    page.wait_for_selector("#problem:has-text('reviewer')")
    page.fill("#secret", "dk_of_nobody")
    page.click("#key button")
    page.wait_for_selector("#problem:has-text('key')")
    assert page.locator("#one").is_hidden()
    page.fill("#secret", office.key)
    page.click("#key button")
    page.wait_for_selector("#key", state="hidden")
    page.wait_for_selector("#one:visible, #none:visible")
    assert page.locator("#problem").is_hidden()


def test_before_lies_over_after_up_to_the_slider_and_a_verdict_takes_one_key(page: Page, office: Office) -> None:
    scratched = np.full((96, 128, 3), 90, np.uint8)
    scratched[:, 96:98] = 250
    repair = {"stages": {"repair": {"method": "telea"}}}
    job = office.waiting("lamp", {**ALWAYS, **repair}, jpeg_bytes(scratched))
    enter(page, office, "lamp")
    await_width(page, "#before", 128)
    await_width(page, "#after", 128)
    box = page.locator("#pair").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 20)
    page.mouse.up()
    assert page.input_value("#split") == "25"
    cut = page.eval_on_selector("#before", "each => getComputedStyle(each).clipPath")
    assert cut == "inset(0px 75% 0px 0px)"
    assert "score" in page.inner_text("#reasons")
    assert "of the picture, at the right" in page.inner_text("#reasons")
    frame, picture = (page.locator(which).bounding_box() for which in ("#places span", "#pair"))
    assert frame is not None
    assert picture is not None
    assert frame["height"] == pytest.approx(picture["height"], abs=1)
    assert frame["x"] == pytest.approx(picture["x"] + 0.75 * picture["width"], abs=0.02 * picture["width"])
    assert "finish: classical" in page.inner_text("#stages")

    page.fill("#notes", "a nice lamp")
    page.press("#notes", "a")  # whoever writes decides nothing
    assert office.job(job)["qc_status"] == "needs_review"
    page.focus("#split")
    page.keyboard.press("a")
    page.wait_for_selector("#none p")
    assert page.inner_text("#told") == "lamp: approved"
    assert office.job(job)["qc_status"] == "approved"
    written = office.ask(f"/v1/qc/{job}/history")["history"][-1]
    assert (written["who"], "a nice lampa" in written["text"]) == ("anna", True)


def test_a_verdict_can_be_taken_back_and_the_history_tells_both(page: Page, office: Office) -> None:
    job = office.waiting("chair")
    enter(page, office, "chair")
    # A Russian layout: the key has the place of A and another letter.
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', { code: 'KeyA', key: 'ф', bubbles: true }))"
    )
    page.wait_for_selector("#none p")
    page.keyboard.press("b")
    page.wait_for_selector("#verdict:text-is('approved')")
    page.keyboard.press("r")
    page.wait_for_selector("#told:text-is('chair: rejected')")
    assert office.job(job)["qc_status"] == "rejected"
    page.keyboard.press("b")
    page.click("#past summary")
    page.wait_for_selector("#history li:nth-last-child(2):has-text('anna')")


def test_whoever_was_faster_is_not_overruled(page: Page, office: Office) -> None:
    job = office.waiting("table")
    enter(page, office, "table")
    office.ask(f"/v1/qc/{job}/review", {"status": "rejected"})
    page.keyboard.press("a")
    page.wait_for_selector("#told:text-is('table: rejected by somebody else meanwhile')")
    assert office.job(job)["qc_status"] == "rejected"


def test_what_changed_meanwhile_is_looked_at_again_before_it_is_decided(page: Page, office: Office) -> None:
    job = office.waiting("stool")
    enter(page, office, "stool")
    office.ask(f"/v1/jobs/{job}", {"display_name": "bench"}, method="PATCH")
    page.keyboard.press("a")
    page.wait_for_selector("#problem:has-text('changed meanwhile')")
    assert page.inner_text("#name") == "bench"
    assert office.job(job)["qc_status"] == "needs_review"
    page.keyboard.press("a")
    page.wait_for_selector("#told:text-is('bench: approved')")


def test_a_result_is_done_again_and_skipping_changes_nothing(page: Page, office: Office) -> None:
    wide = office.waiting("rug", {**ALWAYS, "output": {"aspect": "2:1"}})
    office.waiting("rug")
    enter(page, office, "rug")
    page.wait_for_selector("#pair.beside")  # another shape
    assert page.locator("#split").is_disabled()
    assert page.inner_text("#where") == "2 waiting"
    page.keyboard.press("s")
    page.wait_for_selector("#pair:not(.beside)")
    page.keyboard.press("s")
    page.wait_for_selector("#nothing:text-is('2 skipped results still wait for a verdict.')")
    page.keyboard.press("b")
    page.keyboard.press("b")
    page.wait_for_selector("#pair.beside")
    page.select_option("#preset", "sharpen")
    page.click("#rework")
    page.wait_for_selector("#told:text-is('rug: being done again: sharpen')")
    assert office.job(wide)["run"] == 2


def test_actual_size_takes_the_whole_result(page: Page, office: Office) -> None:
    office.waiting("sofa", {**ALWAYS, "stages": {"upscale": {"width": 1280, "method": "lanczos"}}})
    enter(page, office, "sofa")
    await_width(page, "#after", 1024)
    page.keyboard.press("z")
    await_width(page, "#after", 1280)
    widths = page.eval_on_selector_all("#pair img", "all => all.map(each => each.getBoundingClientRect().width)")
    assert widths == [1280, 1280]
    page.keyboard.press("z")
    await_width(page, "#after", 1024)


def test_what_could_not_be_asked_is_told_and_nothing_is_lost(page: Page, office: Office) -> None:
    office.waiting("vase")
    enter(page, office, "vase")
    page.fill("#label", "vase")
    page.click("#filter button")
    page.wait_for_selector("#problem:has-text('A label is written name=value')")
    assert page.inner_text("#name") == "vase"
    page.fill("#label", "name=vase")
    page.click("#filter button")
    page.wait_for_selector("#name:text-is('vase')")
    page.route("**/v1/qc/*/review", lambda route: route.abort())
    page.keyboard.press("a")
    page.wait_for_selector("#problem:has-text('does not answer')")
    assert page.inner_text("#name") == "vase"


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_sticks_out_of_the_page(page: Page, office: Office, width: int) -> None:
    office.waiting(name := f"screen-{width}")
    page.set_viewport_size({"width": width, "height": 800})
    enter(page, office, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
