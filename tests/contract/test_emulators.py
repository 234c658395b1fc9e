"""Emulators that cannot be started are never passed over in silence."""

import os

import pytest
from _pytest.outcomes import Failed, Skipped

from tests.emulators import REQUIRED_VARIABLE, sdk_program, unavailable


def test_without_the_demand_the_test_is_skipped_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRED_VARIABLE, raising=False)
    with pytest.raises(Skipped, match="java is not on the PATH"):
        unavailable("no Pub/Sub emulator: java is not on the PATH")


def test_with_the_demand_the_test_fails_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRED_VARIABLE, "1")
    with pytest.raises(Failed, match="java is not on the PATH; DARKROOM_REQUIRE_EMULATORS=1 demands it"):
        unavailable("no Pub/Sub emulator: java is not on the PATH")


def test_what_is_not_on_the_path_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRED_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(Skipped, match="java is not on the PATH"):
        sdk_program("pubsub-emulator/bin/cloud-pubsub-emulator", "Pub/Sub")
