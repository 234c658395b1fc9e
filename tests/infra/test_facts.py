"""What Terraform takes from the code is what the code says, and what it reads in the logs is what is logged."""

import io
import json
import re
from typing import get_args

import pytest
from google.cloud import firestore

from darkroom.adapters.gcp.firestore import FirestoreJobStore
from darkroom.adapters.gcp.firestore_indexes import COLLECTION, REQUIRED_INDEXES
from darkroom.domain.errors import is_input_fault
from darkroom.domain.topology import SUBSCRIPTIONS, UPLOADS_TOPIC
from darkroom.handlers.schedule import sweep
from darkroom.runtime.logs import Action, configure
from darkroom.runtime.settings import Settings
from infra import describe
from tests.contract.jobs import make_job
from tests.infra.terraform import INFRA, ROOT
from tests.photographs import small_jpeg
from tests.world import memory_world

MONITORING = (INFRA / "monitoring.tf").read_text(encoding="utf-8")


def test_the_file_that_terraform_reads_is_what_the_code_says() -> None:
    assert describe.FILE.read_text(encoding="utf-8") == describe.text(), "run python -m infra.describe"


def test_no_subscription_setting_or_index_is_left_out() -> None:
    facts = json.loads(describe.FILE.read_text(encoding="utf-8"))
    assert set(facts["subscriptions"]) == {each.name for each in SUBSCRIPTIONS if each.topic != UPLOADS_TOPIC}
    assert len(facts["settings"]) == len(Settings.model_fields)
    assert len(facts["firestore"]["indexes"]) == len(REQUIRED_INDEXES)


def test_the_field_by_which_terraform_lets_jobs_expire_is_a_time_of_every_stored_job(
    firestore_emulator: str, gcp_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    client = firestore.Client(gcp_project)
    job = FirestoreJobStore(gcp_project, client=client).create(make_job("a" * 24))
    field = json.loads(describe.FILE.read_text(encoding="utf-8"))["firestore"]["expiry_field"]
    assert client.collection(COLLECTION).document(job.id).get().get(field) == job.expires_at


def test_every_action_that_a_metric_counts_is_logged_by_somebody() -> None:
    counted = set(re.findall(r'\\"([a-z_]+)\\"', " ".join(re.findall(r"filter +=.*(?:local\.logged).*", MONITORING))))
    assert {"job_failed", "swept", "stage_completed"} <= counted
    assert counted <= set(get_args(Action))


def test_the_alert_on_failing_jobs_hears_of_faults_of_the_service_alone() -> None:
    (alert,) = re.findall(r'filter += "\$\{local\.metric\.jobs\} AND (.*)"', MONITORING)
    assert alert == r"metric.label.outcome=\"job_failed\" AND metric.label.fault=\"service\""
    assert 'fault = "EXTRACT(jsonPayload.fault)"' in MONITORING
    assert is_input_fault("unsupported_format")
    assert not is_input_fault("delivery_exhausted")
    assert not is_input_fault("a code that is not known yet")


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    configure("INFO", stream)
    return stream


def test_the_alert_on_stuck_jobs_hears_of_a_job_that_was_driven_in_vain_and_not_of_one_that_was_driven_once(
    log: io.StringIO,
) -> None:
    world = memory_world()
    world.drop("denoise/cat.jpg", small_jpeg(40))
    world.deliver(limit=1)
    told = []
    for waits in (1, 1, 2):  # whatever is sent gets lost
        for lost in world.broker.lease(world.clock.now(), limit=10):
            world.broker.ack(lost)
        sweep(world.system)
        told.append(json.loads(log.getvalue().splitlines()[-1]))
        world.clock.advance(waits * world.system.settings.stall_after_s + 1)
    sweep(world.system)
    told.append(json.loads(log.getvalue().splitlines()[-1]))
    assert [(line["action"], line["driven"], line["stuck"]) for line in told] == [
        ("swept", 0, 0),
        ("swept", 1, 0),
        ("swept", 0, 0),
        ("swept", 1, 1),
    ]
    assert '=\\"swept\\" AND jsonPayload.stuck>0"' in MONITORING


def test_what_the_distributions_measure_is_logged_with_every_completed_step() -> None:
    measured = set(re.findall(r"EXTRACT\(jsonPayload\.(\w+)\)", MONITORING)) - {"action", "elapsed_s", "fault"}
    assert measured == {"elapsed_ms", "peak_memory_mb", "stage"}
    handler = (ROOT / "shared" / "darkroom" / "handlers" / "stages.py").read_text(encoding="utf-8")
    assert [name for name in sorted(measured) if f'"{name}"' not in handler] == []


def test_the_variables_of_the_configuration_are_those_of_the_documentation() -> None:
    declared = re.findall(r'^variable "(\w+)"', (INFRA / "variables.tf").read_text(encoding="utf-8"), re.MULTILINE)
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z]\w*)` \|", page, re.MULTILINE) == declared


def test_the_agents_that_get_roles_are_made_by_the_documented_command_before_they_would_make_themselves() -> None:
    agents = re.findall(r"^ +(\w+) += \"gcp-sa-", (INFRA / "locals.tf").read_text(encoding="utf-8"), re.MULTILINE)
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    (made,) = re.findall(
        r"for service in (.+); do gcloud beta services identity create.*\n.*CpuAllocPerProjectRegion", page
    )
    assert made.split() == sorted(agents) == ["eventarc", "pubsub"]
    (enabled,) = re.findall(r"gcloud services enable (.+) --project=\S+\nfor service in eventarc", page)
    needed = {"cloudresourcemanager", "serviceusage", *agents}
    assert {name.removesuffix(".googleapis.com") for name in enabled.split()} == needed
    assert [name for name in needed if f'"{name}"' not in (INFRA / "apis.tf").read_text(encoding="utf-8")] == []


def alerts() -> list[str]:
    return sorted(
        set(re.findall(r"section ([a-z-]+)\"", MONITORING))
        | set(re.findall(r"^    ([a-z-]+) = \{\n      title", MONITORING, re.MULTILINE))
    )


def test_every_alert_has_its_section_in_the_runbook() -> None:
    page = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert len(alerts()) == 12
    assert [name for name in alerts() if f"\n## {name}\n" not in page] == []


def test_the_configuration_tells_a_moment_nowhere() -> None:
    """A plan is the same today and tomorrow."""
    for path in INFRA.rglob("*.tf"):
        assert not re.search(r"\b(timestamp|plantimestamp|time_sleep)\b", path.read_text(encoding="utf-8")), path
