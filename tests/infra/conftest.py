"""What the tests of the infrastructure share: one run of Terraform, one staging of every function."""

from pathlib import Path

import pytest

from infra.staging.stage import Staged, stage_all
from tests.infra.terraform import INFRA, ROOT, Rehearsal, prepared, run_tests


@pytest.fixture(scope="session")
def rehearsal() -> Rehearsal:
    """The tests of the whole configuration."""
    return run_tests(prepared(INFRA))


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Staged]:
    """Every function, staged, by its name."""
    return {each.function: each for each in stage_all(ROOT, tmp_path_factory.mktemp("staged"))}


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
