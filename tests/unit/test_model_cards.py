"""Every model has a card that tells what its registry entry tells, and the docs know every model and every field."""

from pathlib import Path

import pytest

from darkroom.inference.contract import Contract
from darkroom.inference.known_models import Network, known_networks
from darkroom.inference.registry import ModelEntry, Registry

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
    assert any(f"python -m models.training {name} --data" in card for name in (entry.stage, entry.ref.id))
    assert "## How it fails" in card


def test_a_card_shows_what_the_model_does(entry: ModelEntry) -> None:
    assert "](examples.jpg)" in (entry.path.parent / "README.md").read_text(encoding="utf-8")
    assert (entry.path.parent / "examples.jpg").is_file()


def test_the_table_of_models_is_the_registry(entry: ModelEntry) -> None:
    documented = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert f"| [`{entry.ref.id}`](../models/{entry.path.parent.name}/README.md) | {entry.stage} |" in documented


@pytest.mark.parametrize("network", known_networks(), ids=lambda network: network.id)
def test_the_table_of_known_networks_is_their_list(network: Network) -> None:
    documented = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    allowed = "yes" if network.for_commercial_use else "no"
    row = f"| `{network.id}` | {network.stage} | <{network.published}> | {network.licence} | {allowed} |"
    assert row in documented


@pytest.mark.parametrize("field", Contract.model_fields)
def test_every_field_of_the_contract_is_documented(field: str) -> None:
    assert f"| `{field}` |" in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_folder_of_models_is_small() -> None:
    files = (path for path in (ROOT / "models").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert sum(path.stat().st_size for path in files) < 40_000_000


def test_every_stage_has_at_most_one_model_of_each_scale_by_default_and_upscale_finds_the_one_above() -> None:
    registry = Registry(entries=ENTRIES)
    scales = sorted(entry.contract.scale for entry in ENTRIES if entry.stage == "upscale" and entry.default)
    for factor in (1.2, 2.0, 3.0, 4.0, 8.0):
        chosen = registry.default("upscale", factor)
        assert chosen is not None
        assert chosen.contract.scale == next((scale for scale in scales if scale >= factor), scales[-1])
