"""Counts, times and rates of jobs, and what more pictures would cost."""

from datetime import timedelta
from typing import Any

import pytest

from darkroom.costs.estimate import preset_estimate, prices_as_of
from darkroom.domain.messages import ObjectRef, StepRecord
from darkroom.inference.registry import Registry
from darkroom.runtime.settings import DEFAULT_REGISTRY
from tests.api_client import Service, service
from tests.contract.jobs import START, make_job


@pytest.fixture
def api() -> Service:
    return service()


def assessed(elapsed_ms: float, run: int = 1) -> StepRecord:
    return StepRecord(
        stage="assess",
        method="classical",
        parameters={},
        output=ObjectRef(bucket="artifacts", name="a", generation=1),
        elapsed_ms=elapsed_ms,
        peak_memory_mb=1.0,
        run=run,
    )


def store(api: Service, number: int, **fields: Any) -> None:
    api.world.raw_jobs.create(make_job(f"{number:024x}", **fields))


def completed(api: Service, number: int, seconds: float, verdict: str, **fields: Any) -> None:
    done = START + timedelta(seconds=seconds)
    records = (assessed(seconds * 100.0),)
    store(api, number, status="completed", qc_status=verdict, completed_at=done, records=records, **fields)


def test_jobs_are_counted_and_the_last_completed_ones_timed(api: Service) -> None:
    for number, verdict in enumerate(("auto_approved", "approved", "rejected", "needs_review")):
        completed(api, number, 10.0 * (number + 1), verdict)
    store(api, 10, status="failed")
    store(api, 11, status="pending")
    told = api.client.get("/v1/stats").get_json()
    assert told["jobs"] == {"pending": 1, "processing": 0, "completed": 4, "failed": 1, "cancelled": 0}
    assert told["qc"] == {"auto_approved": 1, "needs_review": 1, "approved": 1, "rejected": 1}
    assert (told["success_rate"], told["approval_rate"]) == (0.8, 0.6667)
    assert told["seconds"] == {"counted": 4, "median_s": 25.0, "p95_s": 38.5}
    assert told["stages"]["assess"] == {"counted": 4, "median_s": 2.5, "p95_s": 3.85}


def test_without_jobs_there_are_no_rates_and_no_times(api: Service) -> None:
    told = api.client.get("/v1/stats").get_json()
    assert (told["success_rate"], told["approval_rate"], told["seconds"], told["stages"]) == (None, None, None, {})


def test_steps_that_an_earlier_run_did_are_not_timed_again(api: Service) -> None:
    record = assessed(500.0, run=1)
    store(api, 1, status="completed", qc_status="approved", run=2, completed_at=START, records=(record,))
    assert api.client.get("/v1/stats").get_json()["stages"] == {}


def test_everybody_sees_the_numbers_of_their_own_jobs(api: Service) -> None:
    for number, owner in enumerate(("anna", "ben", "ben")):
        store(api, number, status="failed", owner=owner)

    def seen(query: str = "", **headers: str) -> int:
        return int(api.client.get(f"/v1/stats{query}", headers=headers).get_json()["jobs"]["failed"])

    assert seen(**api.key("ben", "submitter")) == 2
    assert seen("?owner=anna", **api.key("ben", "submitter")) == 0
    assert seen(**api.key("rita", "reviewer")) == 3
    assert seen("?owner=anna", **api.key("rita", "reviewer")) == 1


def test_an_estimate_is_the_bill_of_the_command_line_with_the_date_of_its_prices(api: Service) -> None:
    told = api.client.get("/v1/estimate?pictures=50000&megapixels=2&preset=optimize").get_json()
    bill = preset_estimate(50000, 2.0, "optimize", registry=Registry.load(DEFAULT_REGISTRY))
    assert told["dollars"] == round(bill.dollars, 2)
    assert [line["what"] for line in told["lines"]] == [line.what for line in bill.lines]
    assert told["seconds_per_picture"] == round(sum(step.seconds for step in bill.steps), 3)
    assert told["machine_seconds"] == round(50000 * sum(step.seconds for step in bill.steps), 1)
    assert told["prices_as_of"] == prices_as_of()
    faster = api.client.get("/v1/estimate?pictures=50000&megapixels=2&preset=optimize&slowdown=0.5").get_json()
    assert faster["dollars"] < told["dollars"]


@pytest.mark.parametrize(
    "query", ["", "?pictures=0", "?pictures=1&megapixels=0", "?pictures=1&preset=x", "?pictures=nan"]
)
def test_an_estimate_of_nothing_is_refused(api: Service, query: str) -> None:
    assert api.client.get(f"/v1/estimate{query}").status_code == 422


def test_prometheus_reads_the_counts_and_the_age_of_what_waits(api: Service) -> None:
    completed(api, 0, 10.0, "needs_review")
    store(api, 1, status="failed")
    api.post_job()
    api.world.clock.advance(30)
    answer = api.client.get("/metrics")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    lines = answer.get_data(as_text=True).splitlines()
    assert {'darkroom_jobs{status="failed"} 1', 'darkroom_verdicts{qc_status="needs_review"} 1'} <= set(lines)
    assert 'darkroom_oldest_message_seconds{subscription="dispatcher-uploads"} 30' in lines
    names = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {line.partition("{")[0] for line in lines if not line.startswith("#")} <= names
