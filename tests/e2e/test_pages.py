"""What people see: the album and the reference of the API, in a real browser over the local cloud."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from skimage import data

from darkroom.local_cloud.api_server import listen
from darkroom.local_cloud.cloud import LocalCloud
from darkroom.runtime.settings import Settings
from tests.pictures import jpeg_bytes

WAIT_S = 60


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    settings = Settings(home=tmp_path_factory.mktemp("home"), threads=1, anonymous=True, visitor_limit=2)
    with LocalCloud(settings, workers=1, api=listen(0)) as running:
        yield running


class Watched:
    """A page with all that went wrong on it, and every address that it asked."""

    def __init__(self, page: Page) -> None:
        self.page, self.errors, self.asked = page, list[str](), set[str]()
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.asked.add(request.url))


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A page of a person who was not here before."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    yield Watched(context.new_page())
    context.close()


def home(cloud: LocalCloud) -> str:
    return f"http://127.0.0.1:{cloud.api_port}"


def test_a_visitor_adds_a_photograph_sees_its_result_renames_and_deletes_it(
    cloud: LocalCloud, watched: Watched, tmp_path: Path
) -> None:
    page, photograph = watched.page, tmp_path / "astronaut.jpg"
    photograph.write_bytes(jpeg_bytes(data.astronaut()[::2, ::2]))
    page.goto(f"{home(cloud)}/")
    page.set_input_files("input[type=file]", photograph)
    page.select_option("select[name=preset]", "cutout")
    page.click("form.add button")
    # The page looks again by itself while there is something to wait for.
    page.wait_for_selector("li small:has-text('score')", timeout=WAIT_S * 1000)
    assert page.locator("a[download]").count() == 1
    page.wait_for_load_state("networkidle")
    widths = page.eval_on_selector_all("li img", "pictures => pictures.map(each => each.naturalWidth)")
    assert len(widths) == 2
    assert all(widths)

    page.once("dialog", lambda dialog: dialog.accept("Eileen"))
    page.click("button[data-act=rename]")
    page.wait_for_selector("li b:text-is('Eileen')")
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("button[data-act=remove]")
    page.wait_for_selector("li", state="detached")
    assert watched.errors == []


PHOTOGRAPH = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg_bytes(data.astronaut()[::4, ::4])}


def test_the_page_takes_over_what_changed_and_keeps_form_scroll_and_preset(cloud: LocalCloud, watched: Watched) -> None:
    page = watched.page
    page.set_viewport_size({"width": 600, "height": 300})
    page.goto(f"{home(cloud)}/")
    page.select_option("select[name=preset]", "optimize")
    page.set_input_files("input[type=file]", PHOTOGRAPH)
    page.click("form.add button")
    page.wait_for_selector("#message.notice")
    page.evaluate("window.isSame = true; window.scrollTo(0, 80)")
    page.set_input_files("input[type=file]", PHOTOGRAPH)
    page.wait_for_selector("li small:has-text('score')", timeout=WAIT_S * 1000)
    assert page.evaluate("[window.isSame, window.scrollY]") == [True, 80]
    assert page.input_value("input[type=file]").endswith("a.jpg")
    assert page.inner_text("#count") == "1 of 2 photographs"
    assert page.locator("button[aria-label='Rename a.jpg']").count() == 1
    page.reload()
    assert page.input_value("select[name=preset]") == "optimize"
    assert watched.errors == []


def test_a_dropped_file_goes_into_the_form_and_one_that_is_too_large_is_told_before_it_is_sent(
    cloud: LocalCloud, watched: Watched
) -> None:
    page = watched.page
    page.goto(f"{home(cloud)}/")
    dropped = """(size) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(size)], "dropped.jpg", { type: "image/jpeg" }));
      document.querySelector("h1").dispatchEvent(
        new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(dropped, 10)
    assert page.input_value("input[type=file]").endswith("dropped.jpg")
    page.evaluate(dropped, 33 * 1024 * 1024)
    assert page.inner_text("#message.problem") == "The file has 35 MB, the limit of this page is 34 MB."
    assert page.input_value("input[type=file]") == ""


def test_a_service_that_does_not_answer_is_told_until_it_does(cloud: LocalCloud, watched: Watched) -> None:
    page = watched.page
    page.goto(f"{home(cloud)}/")
    page.route(f"{home(cloud)}/**", lambda route: route.abort())
    page.set_input_files("input[type=file]", PHOTOGRAPH)
    page.click("form.add button")
    page.wait_for_selector("#away:visible")
    assert page.input_value("input[type=file]").endswith("a.jpg")
    page.unroute(f"{home(cloud)}/**")
    page.wait_for_selector("#away", state="hidden")


def test_a_refusal_is_told_on_the_page_and_the_album_stays(cloud: LocalCloud, watched: Watched, tmp_path: Path) -> None:
    notes = tmp_path / "notes.jpg"
    notes.write_text("these are no pixels", encoding="utf-8")
    watched.page.goto(f"{home(cloud)}/")
    watched.page.set_input_files("input[type=file]", notes)
    watched.page.click("form.add button")
    watched.page.wait_for_selector("#message.problem")
    assert watched.page.locator("form.add").count() == 1


@pytest.mark.parametrize("width", [320, 1100])
def test_nothing_sticks_out_of_the_page(cloud: LocalCloud, watched: Watched, width: int) -> None:
    watched.page.set_viewport_size({"width": width, "height": 800})
    for path in ("/", "/docs"):
        watched.page.goto(home(cloud) + path)
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_reference_of_the_api_asks_nobody_else_and_its_links_lead_somewhere(
    cloud: LocalCloud, watched: Watched
) -> None:
    page = watched.page
    page.goto(f"{home(cloud)}/docs")
    targets = page.eval_on_selector_all("nav a[href^='#']", "links => links.map(link => link.hash.slice(1))")
    assert targets
    assert [name for name in targets if page.locator(f"[id='{name}']").count() != 1] == []
    assert {url for url in watched.asked if not url.startswith((home(cloud), "data:"))} == set()
    assert watched.errors == []
