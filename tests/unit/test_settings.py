"""Settings come from the environment, are read once, and every problem is told at the same time."""

from pathlib import Path

import pytest

from darkroom.domain.errors import ConfigurationError
from darkroom.runtime.settings import Settings, read_settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read_settings({"PATH": "/bin", "HOME": "/root"}) == Settings()


def test_variables_are_read_and_converted() -> None:
    settings = read_settings({"DARKROOM_HOME": "/tmp/x", "DARKROOM_THREADS": "4", "DARKROOM_COMMERCIAL_ONLY": "true"})
    assert (settings.home, settings.threads, settings.commercial_only) == (Path("/tmp/x"), 4, True)


def test_all_problems_are_told_at_once() -> None:
    environment = {"DARKROOM_THREADS": "many", "DARKROOM_MAX_BYTES": "0", "DARKROOM_BACKEND": "azure"}
    with pytest.raises(ConfigurationError) as caught:
        read_settings(environment)
    for part in ("threads", "'many'", "max_bytes", "'0'", "backend", "'azure'"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"DARKROOM_RESULTS_BUCKET": "uploads"},
            "must differ, or results would start jobs: uploads, artifacts, uploads",
        ),
        ({"DARKROOM_BACKEND": "gcp"}, "project must be set for backend gcp"),
        ({"DARKROOM_RETENTION_S": "3600"}, r"orphan_window_s \(86400\) must be below retention_s \(3600\)"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_settings(environment)


def test_a_misspelt_setting_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown settings: DARKROOM_THREAD; there are .*DARKROOM_THREADS"):
        read_settings({"DARKROOM_THREAD": "4", "DARKROOM_REQUIRE_EMULATORS": "1"})


def test_the_old_name_of_a_renamed_setting_is_refused_with_the_new_name() -> None:
    with pytest.raises(ConfigurationError, match=r"DARKROOM_CATALOGUE_BUCKET is now DARKROOM_PRODUCTS_BUCKET"):
        read_settings({"DARKROOM_CATALOGUE_BUCKET": "products"})
