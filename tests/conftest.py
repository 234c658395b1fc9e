"""Fixtures that several suites share."""

from collections.abc import Iterator

import pytest

from tests.browser import browser
from tests.emulators import firestore_emulator, gcp_project, pubsub_emulator, storage_emulator

__all__ = ["browser", "firestore_emulator", "gcp_project", "pubsub_emulator", "storage_emulator"]

pytest.register_assert_rewrite(
    "tests.contract.broker_contract",
    "tests.contract.job_store_contract",
    "tests.contract.object_store_contract",
    "tests.contract.publisher_contract",
)


@pytest.fixture(scope="session", autouse=True)
def _no_installed_networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the developer of this machine has installed changes no test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DARKROOM_MODELS", str(tmp_path_factory.mktemp("models") / "none"))
        yield
