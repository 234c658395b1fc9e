"""What every `darkroom.runtime.ports.ObjectStore` promises.

An adapter inherits the suite and gives `store` and `bucket`.
"""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from darkroom.adapters.object_rules import crc32c_base64
from darkroom.domain.errors import ObjectExists, ObjectNotFound, PermanentError
from darkroom.domain.messages import ObjectRef
from darkroom.runtime.ports import NewObject, ObjectInfo, ObjectStore

THREADS = 16
NAMES = (
    "plain.jpg",
    "folder/in folder/picture.jpg",
    "restore/1931/Großmutter & Großvater.jpg",
    "写真/婚礼.png",
    "emoji-📷.webp",
    "100% sure?.jpg",
    "a+b=c,d;e@f#g.jpg",
    "name.with.many.dots.tar.gz",
    "'quotes' and \"double\".jpg",
    "  spaces around  ",
    "x" * 300 + ".jpg",
    "é" * 512,
)


def jpeg(data: bytes = b"content", **metadata: str) -> NewObject:
    return NewObject(data=data, content_type="image/jpeg", metadata=metadata)


class ObjectStoreContract:
    @pytest.fixture
    def preconditions(self) -> None:
        """Overridden where the server may ignore preconditions: skips the test, and says so."""

    @pytest.fixture
    def generations(self) -> None:
        """Overridden where the server may ignore which generation is asked for: skips the test, and says so."""

    def test_what_was_created_can_be_looked_up_and_read(self, store: ObjectStore, bucket: str) -> None:
        info = store.create(bucket, "a/b.jpg", jpeg(b"123456789", owner="me"))
        assert (info.ref.bucket, info.ref.name, info.size_bytes) == (bucket, "a/b.jpg", 9)
        assert (info.content_type, info.metadata) == ("image/jpeg", {"owner": "me"})
        assert store.stat(bucket, "a/b.jpg") == info
        assert store.read(info.ref) == b"123456789"

    def test_the_checksum_is_the_crc_32c_of_the_content_big_endian_in_base64(
        self, store: ObjectStore, bucket: str
    ) -> None:
        # 0xE3069283 is the check value of CRC-32C for these nine digits: RFC 3720, appendix B.4.
        assert store.create(bucket, "digits", jpeg(b"123456789")).crc32c == "4waSgw=="

    def test_creation_times_are_recent_and_in_utc(self, store: ObjectStore, bucket: str) -> None:
        created_at = store.create(bucket, "now", jpeg()).created_at
        assert created_at.utcoffset() == timedelta(0)
        assert abs(created_at - datetime.now(UTC)) < timedelta(days=1)

    def test_an_object_that_is_not_there_is_not_found(self, store: ObjectStore, bucket: str) -> None:
        store.create(bucket, "there", jpeg())
        for name in ("absent", "ther", "there/", "there/below", ""):
            with pytest.raises(ObjectNotFound):
                store.stat(bucket, name)
        with pytest.raises(ObjectNotFound):
            store.read(ObjectRef(bucket=bucket, name="absent", generation=1))

    def test_creating_a_second_time_raises_and_changes_nothing(
        self, store: ObjectStore, bucket: str, preconditions: None
    ) -> None:
        first = store.create(bucket, "once", jpeg(b"first", by="first"))
        with pytest.raises(ObjectExists, match="once"):
            store.create(bucket, "once", NewObject(data=b"second", content_type="text/plain"))
        assert store.stat(bucket, "once") == first
        assert store.read(first.ref) == b"first"

    def test_of_sixteen_threads_that_create_one_object_exactly_one_succeeds(
        self, store: ObjectStore, bucket: str, preconditions: None
    ) -> None:
        def create(number: int) -> ObjectInfo | None:
            try:
                return store.create(bucket, "race", jpeg(b"%d" % number * 1000))
            except ObjectExists:
                return None

        with ThreadPoolExecutor(THREADS) as pool:
            results = list(pool.map(create, range(THREADS)))
        winners = [(number, info) for number, info in enumerate(results) if info is not None]
        assert len(winners) == 1
        number, info = winners[0]
        assert store.stat(bucket, "race") == info
        assert store.read(info.ref) == b"%d" % number * 1000

    def test_every_put_makes_a_greater_generation(self, store: ObjectStore, bucket: str) -> None:
        infos = [store.put(bucket, "often", jpeg(b"%d" % number)) for number in range(5)]
        generations = [info.ref.generation for info in infos]
        assert generations == sorted(set(generations))
        assert store.stat(bucket, "often") == infos[-1]
        assert store.read(infos[-1].ref) == b"4"

    def test_put_replaces_content_type_and_metadata_too(self, store: ObjectStore, bucket: str) -> None:
        store.put(bucket, "changed", jpeg(b"old", only_old="1"))
        store.put(bucket, "changed", NewObject(data=b"new", content_type="image/png", metadata={"only_new": "2"}))
        found = store.stat(bucket, "changed")
        assert (found.content_type, found.metadata) == ("image/png", {"only_new": "2"})

    def test_the_latest_content_is_read_by_name_alone(self, store: ObjectStore, bucket: str) -> None:
        for content in (b"old", b"new"):
            store.put(bucket, "latest", jpeg(content))
            assert store.read_latest(bucket, "latest") == content

    def test_the_latest_content_of_an_object_that_is_not_there_is_not_found(
        self, store: ObjectStore, bucket: str
    ) -> None:
        store.delete(store.create(bucket, "gone", jpeg()).ref)
        for name in ("absent", "gone", "", "a" * 2000):
            with pytest.raises(ObjectNotFound):
                store.read_latest(bucket, name)

    def test_a_replaced_generation_cannot_be_read(self, store: ObjectStore, bucket: str, generations: None) -> None:
        old = store.put(bucket, "replaced", jpeg(b"same size"))
        new = store.put(bucket, "replaced", jpeg(b"same SIZE"))
        with pytest.raises(ObjectNotFound, match=str(old.ref.generation)):
            store.read(old.ref)
        assert store.read(new.ref) == b"same SIZE"

    def test_a_generation_that_never_was_cannot_be_read(
        self, store: ObjectStore, bucket: str, generations: None
    ) -> None:
        ref = store.create(bucket, "real", jpeg()).ref
        with pytest.raises(ObjectNotFound):
            store.read(ref.model_copy(update={"generation": ref.generation + 1}))

    def test_a_deleted_object_is_gone_and_can_be_deleted_again(self, store: ObjectStore, bucket: str) -> None:
        ref = store.create(bucket, "doomed", jpeg()).ref
        for _ in range(2):
            store.delete(ref)
            with pytest.raises(ObjectNotFound):
                store.stat(bucket, "doomed")
        with pytest.raises(ObjectNotFound):
            store.read(ref)
        assert list(store.list(bucket)) == []

    def test_deleting_a_replaced_generation_keeps_the_new_one(
        self, store: ObjectStore, bucket: str, preconditions: None
    ) -> None:
        old = store.put(bucket, "kept", jpeg(b"old"))
        new = store.put(bucket, "kept", jpeg(b"new"))
        store.delete(old.ref)
        assert store.stat(bucket, "kept") == new
        assert store.read(new.ref) == b"new"

    def test_an_object_created_again_after_its_deletion_has_a_greater_generation(
        self, store: ObjectStore, bucket: str
    ) -> None:
        first = store.create(bucket, "again", jpeg(b"1"))
        store.delete(first.ref)
        second = store.create(bucket, "again", jpeg(b"2"))
        assert second.ref.generation > first.ref.generation
        assert store.read(second.ref) == b"2"

    def test_an_object_may_be_empty(self, store: ObjectStore, bucket: str) -> None:
        info = store.create(bucket, "empty", jpeg(b""))
        assert (info.size_bytes, info.crc32c, store.read(info.ref)) == (0, "AAAAAA==", b"")

    def test_large_content_comes_back_unchanged(self, store: ObjectStore, bucket: str) -> None:
        data = random.Random(1).randbytes(9_000_001)
        info = store.create(bucket, "large", jpeg(data))
        assert (info.size_bytes, info.crc32c) == (len(data), crc32c_base64(data))
        assert store.read(info.ref) == data

    def test_eight_kibibytes_of_metadata_are_kept_and_more_are_refused(self, store: ObjectStore, bucket: str) -> None:
        metadata = {"pipeline": "ü" * 2000, "label-sku": "A/1 = 'x'", "rest": "r" * (8192 - 4000 - 8 - 9 - 9 - 4)}
        assert sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items()) == 8192
        assert store.create(bucket, "described", jpeg(b"x", **metadata)).metadata == metadata
        assert store.stat(bucket, "described").metadata == metadata
        with pytest.raises(PermanentError, match=r"8193 bytes, at most 8192"):
            store.create(bucket, "too much", jpeg(b"x", **(metadata | {"rest": metadata["rest"] + "r"})))

    @pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
    def test_names_may_hold_any_character(self, store: ObjectStore, bucket: str, name: str) -> None:
        info = store.create(bucket, name, jpeg(name.encode()))
        assert info.ref.name == name
        assert store.stat(bucket, name) == info
        assert store.read(info.ref) == name.encode()
        assert [found.ref.name for found in store.list(bucket)] == [name]

    @pytest.mark.parametrize("name", ["", "é" * 513, "\ud800"], ids=["empty", "too long", "surrogate"])
    def test_names_that_are_empty_too_long_or_not_unicode_are_refused(
        self, store: ObjectStore, bucket: str, name: str
    ) -> None:
        with pytest.raises(PermanentError, match="1 to 1024 bytes"):
            store.create(bucket, name, jpeg())
        with pytest.raises(PermanentError, match="1 to 1024 bytes"):
            store.put(bucket, name, jpeg())

    def test_a_listing_is_in_order_of_the_names_bytes(self, store: ObjectStore, bucket: str) -> None:
        names = ["b", "a/2", "a/10", "a", "B", "ä", "a-", "\uffee", "\U00010000", "a/1/z"]
        for name in names:
            store.create(bucket, name, jpeg(name.encode()))
        assert [info.ref.name for info in store.list(bucket)] == sorted(names, key=str.encode)

    def test_a_listing_has_exactly_the_objects_whose_names_begin_with_the_prefix(
        self, store: ObjectStore, bucket: str
    ) -> None:
        infos = {name: store.create(bucket, name, jpeg(name.encode())) for name in ("ab", "a/b", "a/bc", "a/c", "b")}
        assert list(store.list(bucket, "a/b")) == [infos["a/b"], infos["a/bc"]]
        assert list(store.list(bucket, "a")) == [infos[name] for name in ("a/b", "a/bc", "a/c", "ab")]
        assert list(store.list(bucket, "nothing")) == []

    def test_a_listing_goes_on_behind_a_name(self, store: ObjectStore, bucket: str) -> None:
        for name in ("a/1", "a/2", "a/3", "b"):
            store.create(bucket, name, jpeg())
        assert [info.ref.name for info in store.list(bucket, after="a/2")] == ["a/3", "b"]
        assert [info.ref.name for info in store.list(bucket, "a/", after="a/2")] == ["a/3"]
        assert [info.ref.name for info in store.list(bucket, "a/", after="a/11")] == ["a/2", "a/3"]
        assert list(store.list(bucket, after="b")) == []

    def test_a_listing_shows_the_live_generation_only(self, store: ObjectStore, bucket: str) -> None:
        store.put(bucket, "x", jpeg(b"old"))
        new = store.put(bucket, "x", jpeg(b"newer"))
        assert list(store.list(bucket)) == [new]

    def test_readers_never_see_half_an_object_while_it_is_replaced(self, store: ObjectStore, bucket: str) -> None:
        versions = [bytes([number]) * 200_000 for number in range(4)]
        store.put(bucket, "busy", jpeg(versions[0]))

        def read(_: int) -> bytes | None:
            try:
                return store.read(store.stat(bucket, "busy").ref)
            except ObjectNotFound:
                return None  # Replaced between the two calls.

        with ThreadPoolExecutor(4) as pool:
            reads = pool.map(read, range(40))
            writes = pool.map(lambda number: store.put(bucket, "busy", jpeg(versions[number % 4])), range(20))
            seen, _ = [data for data in reads if data is not None], list(writes)
        assert seen
        assert all(data in versions for data in seen)
