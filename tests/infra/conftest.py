"""What the tests of the infrastructure share: one run of Terraform, one staging of every function."""

import fcntl
import pickle
from pathlib import Path

import pytest

from infra.staging.stage import Staged, stage_all
from tests.infra.terraform import INFRA, ROOT, Rehearsal, prepared, run_tests


@pytest.fixture(scope="session")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Rehearsal:
    """The tests of the whole configuration, run once for all of pytest's processes."""
    if worker_id == "master":
        return run_tests(prepared(INFRA))
    kept = tmp_path_factory.getbasetemp().parent / "rehearsal"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(pickle.dumps(run_tests(prepared(INFRA))))
    found: Rehearsal = pickle.loads(kept.read_bytes())
    return found


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Staged]:
    """Every function, staged, by its name."""
    return {each.function: each for each in stage_all(ROOT, tmp_path_factory.mktemp("staged"))}


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
