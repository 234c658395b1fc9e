"""What object stores that publish finalized events promise. An adapter gives `broker` and `make_store`."""

import json
from collections.abc import Callable, Mapping

import pytest

from darkroom.adapters.broker import Broker
from darkroom.domain.errors import ObjectExists
from darkroom.domain.topology import UPLOADS_TOPIC
from darkroom.runtime.ports import NewObject, ObjectStore
from tests.fakes.memory import ManualClock

MakeStore = Callable[[Mapping[str, str]], ObjectStore]
NEW = NewObject(data=b"123456789", content_type="image/jpeg", metadata={"pipeline": "restore"})


class NotificationContract:
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def store(self, make_store: MakeStore) -> ObjectStore:
        return make_store({"uploads": UPLOADS_TOPIC})

    def events(self, broker: Broker, clock: ManualClock) -> list[dict[str, object]]:
        deliveries = broker.lease(clock.now(), limit=100)
        assert all(delivery.subscription == "dispatcher-uploads" for delivery in deliveries)
        return [json.loads(delivery.data) for delivery in deliveries]

    def test_the_event_describes_the_object_as_cloud_storage_does(
        self, store: ObjectStore, broker: Broker, clock: ManualClock
    ) -> None:
        ref = store.put("uploads", "restore/ü.jpg", NEW).ref
        (delivery,) = broker.lease(clock.now(), limit=9)
        assert json.loads(delivery.data) == {
            "kind": "storage#object",
            "id": f"uploads/restore/ü.jpg/{ref.generation}",
            "bucket": "uploads",
            "name": "restore/ü.jpg",
            "generation": str(ref.generation),
            "metageneration": "1",
            "contentType": "image/jpeg",
            "size": "9",
            "crc32c": "4waSgw==",
            "storageClass": "STANDARD",
            "timeCreated": "2024-05-01T12:00:00.000000Z",
            "updated": "2024-05-01T12:00:00.000000Z",
            "metadata": {"pipeline": "restore"},
        }
        assert delivery.attributes == {
            "eventType": "OBJECT_FINALIZE",
            "payloadFormat": "JSON_API_V1",
            "bucketId": "uploads",
            "objectId": "restore/ü.jpg",
            "objectGeneration": str(ref.generation),
            "eventTime": "2024-05-01T12:00:00.000000Z",
        }

    def test_every_new_generation_is_one_event(self, store: ObjectStore, broker: Broker, clock: ManualClock) -> None:
        infos = [store.create("uploads", "a", NEW), store.put("uploads", "a", NEW), store.put("uploads", "b", NEW)]
        generations = [event["generation"] for event in self.events(broker, clock)]
        assert generations == [str(info.ref.generation) for info in infos]

    def test_what_was_not_written_is_no_event(self, store: ObjectStore, broker: Broker, clock: ManualClock) -> None:
        ref = store.create("uploads", "a", NEW).ref
        with pytest.raises(ObjectExists):
            store.create("uploads", "a", NEW)
        store.delete(ref)
        assert len(self.events(broker, clock)) == 1

    def test_other_buckets_are_silent(self, store: ObjectStore, broker: Broker, clock: ManualClock) -> None:
        store.put("artifacts", "a", NEW)
        assert self.events(broker, clock) == []
