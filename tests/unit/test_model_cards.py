"""Every model has a card that tells what its registry entry tells, and the docs know every model and every field."""

from pathlib import Path

import pytest

from shared.inference.registry import Contract, ModelEntry, Registry

ROOT = Path(__file__).parents[2]
ENTRIES = Registry.load(ROOT / "models" / "registry.toml").entries


@pytest.fixture(params=ENTRIES, ids=[entry.ref.id for entry in ENTRIES])
def entry(request: pytest.FixtureRequest) -> ModelEntry:
    return request.param


def test_a_card_names_its_file_by_digest_version_and_licence(entry: ModelEntry) -> None:
    card = (entry.path.parent / "README.md").read_text(encoding="utf-8")
    assert entry.ref.sha256 in card
    assert f"version {entry.ref.version}" in card
    assert entry.ref.licence in card


def test_a_card_names_all_training_data_with_licence_and_class(entry: ModelEntry) -> None:
    card = (entry.path.parent / "README.md").read_text(encoding="utf-8")
    rows = [f"| {data.source} | {data.licence} | {data.licence_class} |" for data in entry.training_data]
    assert [row for row in rows if row not in card] == []


def test_a_card_gives_the_commands_behind_its_numbers_and_its_failures(entry: ModelEntry) -> None:
    card = (entry.path.parent / "README.md").read_text(encoding="utf-8")
    assert f"python -m models.evaluation {entry.stage} --data" in card
    assert f"python -m models.training {entry.stage} --data" in card
    assert "## How it fails" in card


def test_the_table_of_models_is_the_registry(entry: ModelEntry) -> None:
    documented = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert f"| [`{entry.ref.id}`](../models/{entry.path.parent.name}/README.md) | {entry.stage} |" in documented


@pytest.mark.parametrize("field", Contract.model_fields)
def test_every_field_of_the_contract_is_documented(field: str) -> None:
    assert f"| `{field}` |" in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_shipped_models_are_small_and_for_commercial_use() -> None:
    assert all(entry.commercial_use for entry in ENTRIES)
    assert sum(entry.path.stat().st_size for entry in ENTRIES) < 4_000_000
