"""The adapters on folders and SQLite keep every promise."""

from collections.abc import Callable
from pathlib import Path

import pytest

from darkroom.adapters.local.broker import LocalBroker
from darkroom.adapters.local.jobs import LocalJobStore
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.adapters.local.reservations import LocalReservationStore
from tests.contract.broker_contract import BrokerContract, MakeBroker
from tests.contract.job_store_contract import JobStoreContract
from tests.contract.notification_contract import MakeStore, NotificationContract
from tests.contract.object_store_contract import ObjectStoreContract
from tests.contract.reservation_store_contract import ReservationStoreContract
from tests.fakes.memory import ManualClock


class TestLocalObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalObjectStore:
        return LocalObjectStore(tmp_path)

    @pytest.fixture
    def bucket(self) -> str:
        return "objects"


class TestLocalJobStore(JobStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalJobStore:
        return LocalJobStore(tmp_path)


class TestLocalReservationStore(ReservationStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalReservationStore:
        return LocalReservationStore(tmp_path)


class TestLocalBroker(BrokerContract):
    @pytest.fixture
    def make_broker(self, tmp_path: Path) -> MakeBroker:
        def make(clock: ManualClock, **options: object) -> LocalBroker:
            build: Callable[..., LocalBroker] = LocalBroker
            return build(tmp_path, clock=clock, **options)

        return make


class TestLocalNotifications(NotificationContract):
    @pytest.fixture
    def broker(self, tmp_path: Path, clock: ManualClock) -> LocalBroker:
        return LocalBroker(tmp_path, clock=clock)

    @pytest.fixture
    def make_store(self, tmp_path: Path, clock: ManualClock) -> MakeStore:
        return lambda notify: LocalObjectStore(tmp_path, clock=clock, notify=notify)
