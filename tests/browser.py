"""A real browser for the tests of pages: Chromium, as Debian packages it, driven by playwright.

Without one the tests skip with the reason, or, with DARKROOM_REQUIRE_BROWSER=1, fail.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

REQUIRED_VARIABLE = "DARKROOM_REQUIRE_BROWSER"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser, which each test opens pages of its own in."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        unavailable(f"none of {', '.join(PROGRAMS)} is on the PATH")
    with sync_playwright() as playwright:
        # A container's root has no sandbox to give, and its /dev/shm is small.
        opened = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield opened
        opened.close()


def unavailable(reason: str) -> None:
    """Skip the test, or fail it where a browser is required."""
    if os.environ.get(REQUIRED_VARIABLE) == "1":
        pytest.fail(f"{reason}; {REQUIRED_VARIABLE}=1 demands it")
    pytest.skip(reason)
