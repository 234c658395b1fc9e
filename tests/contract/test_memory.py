"""The adapters in memory keep every promise."""

import pytest

from darkroom.adapters.system import SystemClock
from tests.contract.broker_contract import BrokerContract, MakeBroker
from tests.contract.job_store_contract import JobStoreContract
from tests.contract.notification_contract import MakeStore, NotificationContract
from tests.contract.object_store_contract import ObjectStoreContract
from tests.contract.reservation_store_contract import ReservationStoreContract
from tests.fakes.memory import ManualClock, MemoryJobStore, MemoryObjectStore
from tests.fakes.memory_broker import MemoryBroker
from tests.fakes.memory_reservations import MemoryReservationStore


class TestMemoryObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> MemoryObjectStore:
        return MemoryObjectStore()

    @pytest.fixture
    def bucket(self) -> str:
        return "objects"


class TestMemoryJobStore(JobStoreContract):
    @pytest.fixture
    def store(self) -> MemoryJobStore:
        return MemoryJobStore()


class TestMemoryReservationStore(ReservationStoreContract):
    @pytest.fixture
    def store(self) -> MemoryReservationStore:
        return MemoryReservationStore()


class TestMemoryBroker(BrokerContract):
    @pytest.fixture
    def make_broker(self) -> MakeBroker:
        return MemoryBroker


class TestMemoryNotifications(NotificationContract):
    @pytest.fixture
    def broker(self, clock: ManualClock) -> MemoryBroker:
        return MemoryBroker(clock)

    @pytest.fixture
    def make_store(self, clock: ManualClock, broker: MemoryBroker) -> MakeStore:
        return lambda notify: MemoryObjectStore(clock, notify=notify, publisher=broker)


def test_a_manual_clock_stands_still_until_it_is_told_to_go_on() -> None:
    clock = ManualClock()
    before = clock.now()
    assert clock.now() == before
    assert (clock.advance(1.5) - before).total_seconds() == 1.5
    assert clock.now().tzinfo == SystemClock().now().tzinfo
