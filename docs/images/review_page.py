"""Makes review-page.jpg: the page for reviewers, in Chromium, with what `make demo` made, which waits for a person."""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

from darkroom.local_cloud.api_server import listen
from darkroom.local_cloud.cloud import LocalCloud
from darkroom.runtime.settings import Settings

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 1180, 740


def main(homes: Path = HERE.parents[1] / ".darkroom" / "demo") -> None:
    """Serve what the newest demo left, and take the picture when both halves are there."""
    newest = max(homes.iterdir())
    with LocalCloud(Settings(home=newest), workers=1, api=listen(0)) as cloud, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(f"http://127.0.0.1:{cloud.api_port}/review")
        page.wait_for_selector("#before[src]")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=HERE / "review-page.jpg", quality=82)
        browser.close()


if __name__ == "__main__":
    main()
