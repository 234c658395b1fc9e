"""What Terraform takes from the code is what the code says, and what it reads in the logs is what is logged."""

import io
import json
import re
from typing import get_args

import pytest

from infra import describe
from shared.adapters.firestore_indexes import REQUIRED_INDEXES
from shared.handlers.schedule import sweep
from shared.logs import Action, configure
from shared.settings import Settings
from shared.topology import SUBSCRIPTIONS, UPLOADS_TOPIC
from tests.infra.terraform import INFRA, ROOT
from tests.world import memory_world

MONITORING = (INFRA / "monitoring.tf").read_text(encoding="utf-8")


def test_the_file_that_terraform_reads_is_what_the_code_says() -> None:
    assert describe.FILE.read_text(encoding="utf-8") == describe.text(), "run python -m infra.describe"


def test_no_subscription_setting_or_index_is_left_out() -> None:
    facts = json.loads(describe.FILE.read_text(encoding="utf-8"))
    assert set(facts["subscriptions"]) == {each.name for each in SUBSCRIPTIONS if each.topic != UPLOADS_TOPIC}
    assert len(facts["settings"]) == len(Settings.model_fields)
    assert len(facts["firestore"]["indexes"]) == len(REQUIRED_INDEXES)
    assert "expires_at" in (ROOT / "shared" / "adapters" / "firestore.py").read_text(encoding="utf-8")


def test_every_action_that_a_metric_counts_is_logged_by_somebody() -> None:
    counted = set(re.findall(r'\\"([a-z_]+)\\"', " ".join(re.findall(r"filter +=.*", MONITORING))))
    assert {"job_failed", "swept", "stage_completed"} <= counted
    assert counted <= set(get_args(Action))


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    configure("INFO", stream)
    return stream


def test_the_metric_of_stalled_jobs_finds_its_number_in_the_line_of_a_sweep(log: io.StringIO) -> None:
    world = memory_world()
    sweep(world.system)
    (line,) = (json.loads(each) for each in log.getvalue().splitlines())
    assert 'EXTRACT(jsonPayload.driven)"' in MONITORING
    assert line["driven"] == 0


def test_what_the_distributions_measure_is_logged_with_every_completed_step() -> None:
    measured = set(re.findall(r"EXTRACT\(jsonPayload\.(\w+)\)", MONITORING)) - {"action", "driven"}
    assert measured == {"elapsed_ms", "peak_memory_mb", "stage"}
    handler = (ROOT / "shared" / "handlers" / "stages.py").read_text(encoding="utf-8")
    assert [name for name in sorted(measured) if f'"{name}"' not in handler] == []


def test_the_variables_of_the_configuration_are_those_of_the_documentation() -> None:
    declared = re.findall(r'^variable "(\w+)"', (INFRA / "variables.tf").read_text(encoding="utf-8"), re.MULTILINE)
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z]\w*)` \|", page, re.MULTILINE) == declared


def alerts() -> list[str]:
    return sorted(
        set(re.findall(r"section ([a-z-]+)\"", MONITORING))
        | set(re.findall(r"^    ([a-z-]+) = \{\n      title", MONITORING, re.MULTILINE))
    )


def test_every_alert_has_its_section_in_the_runbook() -> None:
    page = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert len(alerts()) == 7
    assert [name for name in alerts() if f"\n## {name}\n" not in page] == []


def test_the_configuration_tells_a_moment_nowhere() -> None:
    """A plan is the same today and tomorrow."""
    for path in INFRA.rglob("*.tf"):
        assert not re.search(r"\b(timestamp|plantimestamp|time_sleep)\b", path.read_text(encoding="utf-8")), path
