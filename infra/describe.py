"""Writes the facts of the code that Terraform needs.

`python -m infra.describe` writes them to `infra/system.json`, which Terraform reads: topics, subscriptions with their
deadlines, the settings with their defaults, the indexes of the job store. The code stays the one place where they are
decided, and a test holds the file to it. A file was chosen over numbers written a second time in HCL because equality
of two JSON documents needs no parser for HCL.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from darkroom.adapters.gcp.firestore_indexes import (
    COLLECTION,
    EXPIRY_FIELD,
    REQUIRED_INDEXES,
    TALLIES,
    TALLY_DAYS,
    UNINDEXED_FIELDS,
    Index,
)
from darkroom.domain.messages import DEAD_LETTER_TOPIC, EVENTS_TOPIC, stage_topic
from darkroom.domain.products.messages import BATCHES_TOPIC, IMPORTS_TOPIC
from darkroom.domain.topology import RETENTION_S, STAGES, SUBSCRIPTIONS, UPLOADS_TOPIC
from darkroom.domain.webhooks import CALLBACKS_TOPIC
from darkroom.runtime.settings import DEFAULT_REGISTRY, PREFIX, Settings

FILE = Path(__file__).with_name("system.json")


def facts() -> dict[str, Any]:
    """All values that Terraform reads from the code."""
    return {
        "batches_topic": BATCHES_TOPIC,
        "callbacks_topic": CALLBACKS_TOPIC,
        "dead_letter_topic": DEAD_LETTER_TOPIC,
        "events_topic": EVENTS_TOPIC,
        "firestore": {
            "collection": COLLECTION,
            "expiry_field": EXPIRY_FIELD,
            "indexes": {_name(index): [_field(*field) for field in index.fields] for index in REQUIRED_INDEXES},
            "tallies": TALLIES,
            "tally_days": TALLY_DAYS,
            "unindexed_fields": {
                f"{collection}.{field}": {"collection": collection, "field": field}
                for collection, field in UNINDEXED_FIELDS
            },
        },
        "imports_topic": IMPORTS_TOPIC,
        "retention_s": RETENTION_S,
        "settings": {PREFIX + name.upper(): _default(name) for name in Settings.model_fields},
        "stages": {stage: stage_topic(stage) for stage in STAGES},
        # On Google Cloud an event trigger replaces the topic of uploads.
        "subscriptions": {each.name: asdict(each) for each in SUBSCRIPTIONS if each.topic != UPLOADS_TOPIC},
    }


def _default(name: str) -> str:
    """A setting's default as an environment variable; the registry's path is relative to `main.py`."""
    default = Settings.model_fields[name].default
    if default == DEFAULT_REGISTRY:
        return "darkroom/models/registry.toml"
    return str(default).lower() if isinstance(default, bool) else str(default)


def _name(index: Index) -> str:
    return ",".join(f"{field} {mode.lower()}" for field, mode in index.fields)


def _field(field: str, mode: str) -> dict[str, str | None]:
    contains = mode == "CONTAINS"
    return {"field": field, "order": None if contains else mode, "array_config": mode if contains else None}


def text() -> str:
    """The file's content."""
    return json.dumps(facts(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
