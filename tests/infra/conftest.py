"""What the tests of the infrastructure share: one run of Terraform, one staging of every function."""

import fcntl
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.staging.stage import Staged, stage_all
from tests.infra.terraform import INFRA, ROOT, Rehearsal, prepared, run_tests


@pytest.fixture(scope="session")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Rehearsal:
    """The tests of the whole configuration, run once for all of pytest's processes."""
    found: Rehearsal = once(tmp_path_factory, worker_id, "rehearsal", lambda _: run_tests(prepared(INFRA)))
    return found


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, Staged]:
    """Every function by its name, staged once for all of pytest's processes."""
    found: list[Staged] = once(tmp_path_factory, worker_id, "staged", lambda folder: stage_all(ROOT, folder))
    return {each.function: each for each in found}


def once(factory: pytest.TempPathFactory, worker_id: str, name: str, make: Callable[[Path], Any]) -> Any:
    """What `make` returns when it is given an empty folder; the first process calls it, the others read its pickle."""
    if worker_id == "master":
        return make(factory.mktemp(name))
    folder = factory.getbasetemp().parent / name
    pickled = folder.with_suffix(".pickle")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not pickled.exists():
            folder.mkdir(exist_ok=True)
            pickled.write_bytes(pickle.dumps(make(folder)))
    return pickle.loads(pickled.read_bytes())


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
