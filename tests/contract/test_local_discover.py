"""What people do in the folder of the uploads bucket becomes objects and events, each once."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from darkroom.adapters.local.broker import LocalBroker
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.adapters.object_rules import crc32c_base64
from darkroom.domain.errors import ObjectNotFound
from darkroom.domain.topology import UPLOADS_TOPIC
from tests.contract.object_store_contract import jpeg
from tests.fakes.memory import ManualClock

JPEG = b"\xff\xd8\xff\xe0 not much of a picture"
PNG = b"\x89PNG\r\n\x1a\n neither"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> LocalObjectStore:
    return LocalObjectStore(tmp_path, clock=clock, notify={"uploads": UPLOADS_TOPIC})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


def discovered(store: LocalObjectStore, scans: int = 2) -> list[str]:
    """Names of the objects that some scans found."""
    return [info.ref.name for _ in range(scans) for info in store.discover("uploads")]


def events(tmp_path: Path, clock: ManualClock) -> list[dict[str, object]]:
    """Every event so far; acknowledges them."""
    broker = LocalBroker(tmp_path, clock=clock)
    deliveries = broker.lease(clock.now(), limit=1000)
    assert all(broker.ack(delivery) for delivery in deliveries)
    return [json.loads(delivery.data) for delivery in deliveries]


def drop(path: Path, data: bytes, *, mtime_ns: int = 1_700_000_000_000_000_000) -> None:
    """Write a file with a time of change that no clock decides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def test_a_dropped_file_becomes_one_object_and_one_event(
    store: LocalObjectStore, folder: Path, tmp_path: Path, clock: ManualClock
) -> None:
    drop(folder / "restore" / "oma.jpg", JPEG)
    assert list(store.discover("uploads")) == []
    (info,) = store.discover("uploads")
    assert (info.ref.name, info.size_bytes, info.crc32c) == ("restore/oma.jpg", len(JPEG), crc32c_base64(JPEG))
    assert (info.content_type, info.created_at, info.metadata) == ("image/jpeg", clock.now(), {})
    assert store.stat("uploads", "restore/oma.jpg") == info
    assert store.read(info.ref) == JPEG
    (event,) = events(tmp_path, clock)
    assert (event["name"], event["generation"]) == ("restore/oma.jpg", str(info.ref.generation))
    assert discovered(store, scans=3) == []
    assert events(tmp_path, clock) == []


def test_a_file_that_still_grows_is_left_alone(store: LocalObjectStore, folder: Path) -> None:
    for size in range(1, 5):
        drop(folder / "growing.jpg", JPEG[:size])
        assert list(store.discover("uploads")) == []
    assert discovered(store) == ["growing.jpg"]


def test_a_file_that_is_written_over_with_the_same_size_is_left_alone(store: LocalObjectStore, folder: Path) -> None:
    for second in range(3):
        drop(folder / "busy.jpg", JPEG, mtime_ns=second)
        assert list(store.discover("uploads")) == []
    assert discovered(store) == ["busy.jpg"]


@pytest.mark.parametrize(
    "name", [".hidden.jpg", "a.part", "a.jpg~", "a.tmp", "a.jpg.crdownload", ".folder/a.jpg", "Thumbs.db", "A.PART"]
)
def test_hidden_and_unfinished_files_are_no_objects(store: LocalObjectStore, folder: Path, name: str) -> None:
    drop(folder / name, JPEG)
    assert discovered(store, scans=3) == []
    (folder / name).rename(folder / "finished.jpg")
    assert discovered(store) == ["finished.jpg"]


def test_a_replaced_file_is_a_new_generation_with_an_event(
    store: LocalObjectStore, folder: Path, tmp_path: Path, clock: ManualClock
) -> None:
    drop(folder / "a.jpg", JPEG)
    store.discover("uploads")
    (old,) = store.discover("uploads")
    drop(folder / "a.jpg", PNG)
    with pytest.raises(ObjectNotFound):
        store.read(old.ref)
    store.discover("uploads")
    (new,) = store.discover("uploads")
    assert (new.ref.name, new.content_type) == ("a.jpg", "image/png")
    assert new.ref.generation > old.ref.generation
    assert store.read(new.ref) == PNG
    assert len(events(tmp_path, clock)) == 2


def test_a_file_whose_bytes_change_behind_an_unchanged_size_and_time_is_not_taken_for_the_old_one(
    store: LocalObjectStore, folder: Path
) -> None:
    drop(folder / "a.jpg", JPEG)
    store.discover("uploads")
    (info,) = store.discover("uploads")
    drop(folder / "a.jpg", JPEG[::-1])
    with pytest.raises(ObjectNotFound):
        store.read(info.ref)


def test_a_file_that_was_only_touched_stays_the_object_that_it_was(
    store: LocalObjectStore, folder: Path, tmp_path: Path, clock: ManualClock
) -> None:
    drop(folder / "a.jpg", JPEG)
    store.discover("uploads")
    (info,) = store.discover("uploads")
    for mtime_ns in (1, 2):
        drop(folder / "a.jpg", JPEG, mtime_ns=mtime_ns)
        for _ in range(3):
            assert store.stat("uploads", "a.jpg") == info
            assert store.read(info.ref) == JPEG
            assert list(store.list("uploads")) == [info]
            assert list(store.discover("uploads")) == []
    assert len(events(tmp_path, clock)) == 1
    drop(folder / "a.jpg", JPEG[::-1], mtime_ns=3)
    assert discovered(store) == ["a.jpg"]


def test_a_removed_file_is_no_object_any_more(store: LocalObjectStore, folder: Path) -> None:
    drop(folder / "a.jpg", JPEG)
    assert discovered(store) == ["a.jpg"]
    (folder / "a.jpg").unlink()
    with pytest.raises(ObjectNotFound):
        store.stat("uploads", "a.jpg")
    assert discovered(store) == []
    assert list(store.list("uploads")) == []
    drop(folder / "a.jpg", JPEG)
    assert discovered(store) == ["a.jpg"]


def test_what_the_store_wrote_is_not_discovered_again(
    store: LocalObjectStore, folder: Path, tmp_path: Path, clock: ManualClock
) -> None:
    for name in ("a.jpg", ".hidden", "x.part", "100%.jpg", "../up"):
        store.put("uploads", name, jpeg(name.encode(), pipeline="restore"))
    assert discovered(store, scans=3) == []
    assert len(list(store.list("uploads"))) == len(events(tmp_path, clock)) == 5


def test_of_two_watchers_one_registers_a_file(
    store: LocalObjectStore, folder: Path, tmp_path: Path, clock: ManualClock
) -> None:
    other = LocalObjectStore(tmp_path, clock=clock, notify={"uploads": UPLOADS_TOPIC})
    drop(folder / "a.jpg", JPEG)
    assert discovered(store, scans=1) + discovered(other, scans=1) == []
    assert discovered(store, scans=1) + discovered(other, scans=1) == ["a.jpg"]
    assert len(events(tmp_path, clock)) == 1


def test_watchers_that_scan_at_the_same_moment_register_every_file_once(
    folder: Path, tmp_path: Path, clock: ManualClock
) -> None:
    names = [f"{number:03d}.jpg" for number in range(150)]
    for name in names:
        drop(folder / name, JPEG)
    stores = [LocalObjectStore(tmp_path, clock=clock, notify={"uploads": UPLOADS_TOPIC}) for _ in range(3)]
    for watcher in stores:
        watcher.discover("uploads")
    barrier = threading.Barrier(len(stores))

    def scan(watcher: LocalObjectStore) -> list[str]:
        barrier.wait(timeout=60)
        return discovered(watcher, scans=1)

    with ThreadPoolExecutor(len(stores)) as pool:
        found = [name for scanned in pool.map(scan, stores) for name in scanned]
    assert sorted(found) == names
    assert sorted(str(event["name"]) for event in events(tmp_path, clock)) == names


def test_the_content_type_comes_from_the_bytes_and_else_from_the_name(store: LocalObjectStore, folder: Path) -> None:
    contents = {
        "lies.txt": (PNG, "image/png"),
        "gif": (b"GIF89a", "image/gif"),
        "webp": (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
        "tif": (b"II*\0", "image/tiff"),
        "big.tif": (b"MM\0*", "image/tiff"),
        "bmp": (b"BM\x01\x02\x03\x04\0\0\0\0", "image/bmp"),
        "avif": (b"\0\0\0\x20ftypavif", "image/avif"),
        "heic": (b"\0\0\0\x20ftypheic", "image/heic"),
        "notes.txt": (b"hello", "text/plain"),
        "empty.jpg": (b"", "image/jpeg"),
        "unknown": (b"?", "application/octet-stream"),
    }
    for name, (data, _) in contents.items():
        drop(folder / name, data)
    discovered(store)
    found = {info.ref.name: info.content_type for info in store.list("uploads")}
    assert found == {name: content_type for name, (_, content_type) in contents.items()}


def test_symbolic_links_are_not_followed(store: LocalObjectStore, folder: Path, tmp_path: Path) -> None:
    drop(tmp_path / "secret" / "file.jpg", JPEG)
    (folder / "link.jpg").symlink_to(tmp_path / "secret" / "file.jpg")
    (folder / "linked").symlink_to(tmp_path / "secret", target_is_directory=True)
    assert discovered(store, scans=3) == []


def test_what_people_may_have_meant_as_uploads_is_told_once_and_what_will_get_another_name_is_not(
    store: LocalObjectStore, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    long = "/".join(["x" * 250] * 5) + ".jpg"
    for name in ("..%2fx.jpg", ".hid.PNG", long, "a.part", ".DS_Store", "._a.jpg", "a.jpg"):
        drop(folder / name, JPEG)
    (folder / "link.jpg").symlink_to(folder / "a.jpg")
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    assert discovered(store, scans=4) == ["a.jpg"]
    told = store.take_ignored()
    assert sorted(told) == sorted(record.getMessage() for record in caplog.records)
    expected = {
        "..%2fx.jpg": "a name that starts with a dot is hidden",
        ".hid.PNG": "a name that starts with a dot is hidden",
        long: "its path is too long",
        "link.jpg": "symbolic links are not followed",
        "linked": "symbolic links are not followed",
    }
    assert sorted(told) == sorted(f"Ignored '{folder / name}': {reason}." for name, reason in expected.items())
    assert store.take_ignored() == []


def test_names_that_the_store_would_write_differently_are_kept(store: LocalObjectStore, folder: Path) -> None:
    names = ["100%.jpg", "a%20b.jpg", "back\\slash.jpg", "new\nline.jpg"]
    for name in names:
        drop(folder / name, JPEG + name.encode())
    assert sorted(discovered(store)) == sorted(names)
    for name in names:
        assert store.read(store.stat("uploads", name).ref) == JPEG + name.encode()
    replaced = store.put("uploads", "100%.jpg", jpeg(PNG))
    assert (store.read(replaced.ref), (folder / "100%.jpg").read_bytes()) == (PNG, PNG)


def test_a_name_that_is_not_utf_8_becomes_one_that_is(store: LocalObjectStore, folder: Path) -> None:
    path = os.fsencode(folder) + b"/Gro\xdfmutter.jpg"
    Path(os.fsdecode(path)).write_bytes(JPEG)
    assert discovered(store) == ["Gro\ufffdmutter.jpg"]
    assert store.read(store.stat("uploads", "Gro\ufffdmutter.jpg").ref) == JPEG


def test_of_two_files_with_one_name_the_second_is_ignored_with_a_warning(
    store: LocalObjectStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = store.put("uploads", "100%.jpg", jpeg(b"first"))
    drop(folder / "100%.jpg", b"second")
    assert discovered(store, scans=4) == []
    assert store.read(first.ref) == b"first"
    assert [record.getMessage().endswith("its name is that of another object.") for record in caplog.records] == [True]


def test_an_object_whose_file_somebody_deleted_can_be_created_again(store: LocalObjectStore, tmp_path: Path) -> None:
    old = store.create("artifacts", "a/b.png", jpeg(b"old"))
    (tmp_path / "artifacts" / "a" / "b.png").unlink()
    assert list(store.list("artifacts")) == []
    new = store.create("artifacts", "a/b.png", jpeg(b"new"))
    assert new.ref.generation > old.ref.generation
    assert store.read(new.ref) == b"new"


def test_deleting_an_old_generation_spares_the_file_that_replaced_it(store: LocalObjectStore, folder: Path) -> None:
    old = store.put("uploads", "a.jpg", jpeg(b"old"))
    drop(folder / "a.jpg", JPEG)
    store.delete(old.ref)
    assert (folder / "a.jpg").read_bytes() == JPEG
    assert discovered(store) == ["a.jpg"]


def test_a_thousand_files_are_found_once_each(
    store: LocalObjectStore, folder: Path, tmp_path: Path, clock: ManualClock
) -> None:
    for number in range(1000):
        drop(folder / str(number % 10) / f"{number}.jpg", b"%d" % number)
    assert len(discovered(store)) == 1000
    assert len({event["name"] for event in events(tmp_path, clock)}) == 1000
    assert discovered(store) == []


def test_the_file_that_describes_a_photograph_is_found_before_it(
    store: LocalObjectStore, folder: Path, tmp_path: Path, clock: ManualClock
) -> None:
    drop(folder / "a.jpg", JPEG)
    drop(folder / "a.jpg.darkroom.json", b"{}")
    store.discover("uploads")
    assert [info.ref.name for info in store.discover("uploads")] == ["a.jpg.darkroom.json", "a.jpg"]
