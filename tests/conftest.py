"""Fixtures that several suites share."""

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
