"""Where the local store puts objects: under their own names where it can, and never outside their bucket."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from darkroom.adapters.local.names import MAX_COMPONENT_BYTES, candidate_paths, name_of, path_of
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.domain.errors import ObjectNotFound
from darkroom.domain.messages import ObjectRef
from tests.contract.object_store_contract import jpeg

#: What makes trouble, often.
PIECES = st.sampled_from(
    ["a", "/", "//", ".", "..", "../", "%", "%2F", "%00", "\\", "\0", "\n", "~", "é", "x" * 254, "x" * 256]
)
NAMES = st.one_of(
    st.lists(PIECES, min_size=1, max_size=8).map("".join), st.text(st.characters(codec="utf-8"), min_size=1)
)


@given(NAMES)
def test_the_name_can_be_read_back_from_every_path(name: str) -> None:
    assert [name_of(path) for path in candidate_paths(name)] == [name] * 3


@given(NAMES)
@example("x" * 254 + "..")
@example("x" * 254 + "../x")
def test_no_path_leads_out_of_the_folder_or_breaks_a_file_system(name: str) -> None:
    for path in candidate_paths(name):
        for component in path.split(b"/"):
            assert component not in (b"", b".", b"..")
            assert len(component) <= MAX_COMPONENT_BYTES
            assert not set(component) & set(b"\0\\\n")


@given(NAMES, NAMES)
def test_two_names_never_share_a_path(one: str, other: str) -> None:
    assert one == other or not set(candidate_paths(one)) & set(candidate_paths(other))


@pytest.mark.parametrize(
    "name", ["a.jpg", "restore/1931/Großmutter & 写真 (1).jpg", "-x", "~y", "a:b*c?.jpg", ".hidden"]
)
def test_ordinary_names_are_their_own_paths(name: str) -> None:
    assert path_of(name) == name.encode()


def test_the_rules_are_those_that_the_module_shows() -> None:
    shown = {"100%.jpg": b"100%25.jpg", "../x": b"%2E%2E/x", "a//b": b"a/%/b", "a/": b"a/%", "b\\c": b"b%5Cc"}
    assert {name: path_of(name) for name in shown} == shown
    assert path_of("x" * 300) == b"x" * 254 + b"%/" + b"x" * 46
    assert candidate_paths("a/b")[1] == b"a%2Fb"
    assert candidate_paths("a")[2] == b"%61"


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "a\0b",
        "a\\b",
        "x" * 1024,
        "a/",
        "//",
        ".",
        "a/../../..",
        "CON",
        "%2E%2E/x",
    ],
    ids=lambda name: ascii(name[:20]),
)
def test_whatever_its_name_an_object_lies_in_its_own_bucket(tmp_path: Path, name: str) -> None:
    store = LocalObjectStore(tmp_path / "root")
    info = store.create("objects", name, jpeg(b"here"))
    assert store.read(info.ref) == b"here"
    assert store.stat("objects", name) == info
    assert [found.ref.name for found in store.list("objects")] == [name]
    files = [path for path in (tmp_path / "root" / "objects").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in files] == [b"here"]
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


@pytest.mark.parametrize("names", [("a", "a/b", "a/b/c"), ("a/b/c", "a/b", "a")], ids=["from the top", "from below"])
def test_an_object_may_be_called_like_the_folder_of_others(tmp_path: Path, names: tuple[str, ...]) -> None:
    store = LocalObjectStore(tmp_path)
    infos = [store.create("objects", name, jpeg(name.encode())) for name in names]
    assert [store.read(info.ref).decode() for info in infos] == list(names)
    assert [info.ref.name for info in store.list("objects")] == sorted(names)
    replaced = store.put("objects", names[1], jpeg(b"again"))
    assert store.read(replaced.ref) == b"again"
    assert sum(path.is_file() for path in (tmp_path / "objects").rglob("*")) == 3


def test_a_symbolic_link_does_not_lead_objects_out_of_the_bucket(tmp_path: Path) -> None:
    outside, bucket = tmp_path / "outside", tmp_path / "root" / "objects"
    outside.mkdir()
    bucket.mkdir(parents=True)
    (bucket / "link").symlink_to(outside, target_is_directory=True)
    store = LocalObjectStore(tmp_path / "root")
    info = store.create("objects", "link/x", jpeg(b"inside"))
    assert store.read(info.ref) == b"inside"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    "bucket", ["..", ".tmp", "a/b", "", "UPPER", "darkroom.sqlite3", "darkroom.sqlite3-wal", "a\0"]
)
def test_what_is_no_buckets_name_is_no_bucket(tmp_path: Path, bucket: str) -> None:
    store = LocalObjectStore(tmp_path / "root")
    calls = [lambda: store.create(bucket, "x", jpeg()), lambda: store.stat(bucket, "x")]
    if bucket:
        calls.append(lambda: store.read(ObjectRef(bucket=bucket, name="x", generation=1)))
    for call in calls:
        with pytest.raises(ObjectNotFound, match="bucket"):
            call()
    assert not (tmp_path / "root").exists() or list((tmp_path / "root").iterdir()) == []


def test_folders_that_become_empty_go_with_their_last_object(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    first, second = (store.create("objects", name, jpeg()) for name in ("a/b/c/1", "a/2"))
    store.delete(first.ref)
    assert [path.name for path in (tmp_path / "objects" / "a").iterdir()] == ["2"]
    store.delete(second.ref)
    assert list((tmp_path / "objects").iterdir()) == []
