"""A job changes only in the ways that its methods allow, and every change leaves a line of history."""

from datetime import timedelta

import pytest

from darkroom.domain.errors import NotAllowed
from darkroom.domain.job import MAX_NAME_BYTES, Job, job_id, name_beside
from darkroom.domain.manifest import build_manifest
from darkroom.domain.messages import ObjectRef
from darkroom.domain.pipeline import preset_pipeline
from darkroom.domain.planner import make_plan
from tests.jobs import BUCKETS, NO_MODELS, NOW, new_job, record, report

LATER = NOW + timedelta(seconds=3)


def planned_job(pipeline: object = None) -> Job:
    job = new_job(pipeline or {"preset": "denoise"})
    job = job.advanced(NOW, record(job, report=report(40.0)))
    assert job.before
    return job.planned(NOW, *make_plan(job, job.before, NO_MODELS, BUCKETS))


def finished_job(score: float, *, degraded: bool = False) -> Job:
    job = planned_job()
    while len(job.records) < len(job.plan):
        last = len(job.records) + 1 == len(job.plan)
        job = job.advanced(NOW, record(job, degraded=degraded, report=report(score) if last else None))
    return job.completed(LATER)


def test_the_id_is_the_same_for_every_copy_of_an_event_and_differs_by_generation() -> None:
    ref = ObjectRef(bucket="uploads", name="a.jpg", generation=1)
    assert job_id(ref) == job_id(ref.model_copy())
    assert job_id(ref) != job_id(ref.model_copy(update={"generation": 2}))


def test_a_job_survives_json_unchanged() -> None:
    job = finished_job(80.0)
    assert Job.model_validate_json(job.model_dump_json()) == job


def test_each_step_reads_what_the_step_before_wrote_and_the_first_reads_the_upload() -> None:
    job = planned_job({"stages": ["denoise", "deblur"]})
    inputs = []
    while request := job.next_request():
        inputs.append(request.input.name)
        job = job.advanced(NOW, record(job))
    names = [step.output_name for step in job.plan]
    upload = job.source.ref.name
    assert inputs == [upload, names[1], names[2], names[3]]


@pytest.mark.parametrize(
    ("score", "degraded", "verdict"),
    [
        (75.1, False, "auto_approved"),
        (75.0, False, "needs_review"),
        (10.0, False, "needs_review"),
        (99.0, True, "needs_review"),
    ],
)
def test_only_a_score_above_the_threshold_and_no_degraded_stage_is_approved(
    score: float, degraded: bool, verdict: str
) -> None:
    assert finished_job(score, degraded=degraded).qc_status == verdict


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_job_that_has_ended_asks_for_nothing(status: str) -> None:
    assert planned_job().model_copy(update={"status": status}).next_request() is None


def test_what_a_state_does_not_allow_is_refused_by_name() -> None:
    done, running = finished_job(80.0), planned_job()
    with pytest.raises(NotAllowed, match="is completed, only pending and processing"):
        done.cancelled(NOW)
    with pytest.raises(NotAllowed, match="is completed, only failed"):
        done.replayed(NOW, NOW)
    with pytest.raises(NotAllowed, match="is processing, only completed"):
        running.reviewed(NOW, approved=True, who="ann")


def test_a_replayed_job_stands_again_at_the_step_that_failed() -> None:
    failed = planned_job().failed(NOW, "model_missing", "no file", stage="denoise")
    again = failed.replayed(LATER, LATER)
    request = again.next_request()
    assert request is not None
    assert (again.error, request.step.stage) == (None, "denoise")


def test_a_rework_is_a_new_run_that_keeps_the_history_and_has_names_of_its_own() -> None:
    done = finished_job(10.0)
    again = done.reworked(LATER, preset_pipeline("sharpen"), LATER)
    assert (again.run, again.status, again.records) == (2, "pending", ())
    assert again.history[: len(done.history)] == done.history
    assert {done.result_name("jpg"), done.manifest_name} & {again.result_name("jpg"), again.manifest_name} == set()


def test_history_only_grows() -> None:
    job = planned_job()
    actions = [entry.action for entry in job.cancelled(LATER).history]
    assert actions == ["stage_completed", "planned", "cancelled"]


def test_a_step_made_in_an_earlier_run_is_called_reused_in_the_manifest() -> None:
    job = planned_job().model_copy(update={"run": 2})
    job = job.advanced(NOW, record(job, run=1))
    job = job.advanced(NOW, record(job, run=2))
    assert [stage["reused"] for stage in build_manifest(job)["stages"]] == [True, True, False]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.jpg", "a/b.tag.png"),
        ("b", "b.tag.png"),
        ("a.b/c", "a.b/c.tag.png"),
        (".hidden", ".hidden.tag.png"),
        ("a/b.tar.gz", "a/b.tar.tag.png"),
        ("ü/ß.jpg", "ü/ß.tag.png"),
    ],
)
def test_a_result_lies_beside_its_upload(name: str, expected: str) -> None:
    assert name_beside(name, "tag", "png") == expected


def test_a_name_at_the_limit_is_shortened_and_stays_within_it() -> None:
    long = "a/" + "ß" * 511
    short = name_beside(long, "0123456789ab", "jpg")
    assert len(short.encode()) <= MAX_NAME_BYTES
    assert short.endswith(".0123456789ab.jpg")


def test_a_result_of_which_a_stage_is_not_sure_goes_to_a_person_however_high_it_scores() -> None:
    job = planned_job()
    while len(job.records) < len(job.plan):
        job = job.advanced(NOW, record(job, doubtful=len(job.records) == 1, report=report(99.0)))
    assert job.completed(LATER).qc_status == "needs_review"
    assert "is not sure" in job.completed(LATER).history[-1].text


def test_the_times_of_a_job_never_go_backwards_when_the_clock_is_set_back() -> None:
    earlier = NOW - timedelta(hours=1)
    changed = [
        new_job().noted(earlier, "uploaded", ""),
        new_job().failed(earlier, "corrupt", "it is damaged"),
        new_job().cancelled(earlier),
        planned_job().advanced(earlier, record(planned_job())),
        planned_job().failed(earlier, "corrupt", "it is damaged").replayed(earlier, NOW),
        finished_job(80.0).reworked(earlier, preset_pipeline("denoise"), NOW),
        finished_job(80.0).reviewed(earlier, approved=True, who="me"),
        planned_job().completed(earlier),
    ]
    for job in changed:
        assert job.updated_at >= job.created_at
        assert job.completed_at is None or job.completed_at >= job.created_at
        assert job.error is None or job.error.at >= job.created_at
        moments = [entry.at for entry in job.history]
        assert moments == sorted(moments)
        assert moments[-1] == job.updated_at


@pytest.mark.parametrize("preset", ["auto", "restore", "product", "full", "repair", "optimize"])
def test_a_result_that_was_painted_over_goes_to_a_person_in_every_preset(preset: str) -> None:
    job = planned_job({"preset": preset, "stages": {"repair": True}})
    while len(job.records) < len(job.plan):
        job = job.advanced(NOW, record(job, values={"damaged_share": 0.00002}, report=report(99.0)))
    done = job.completed(LATER)
    assert done.qc_status == "needs_review"
    assert {reason.code for reason in done.review_reasons} == {"painted_over"}
    assert build_manifest(done)["review_reasons"][0]["code"] == "painted_over"


def test_a_job_has_no_reasons_for_a_review_before_it_is_completed() -> None:
    assert planned_job().review_reasons == ()
    assert [reason.code for reason in finished_job(10.0, degraded=True).review_reasons][:2] == ["low_score", "degraded"]


def test_the_run_of_a_result_follows_from_its_name() -> None:
    job = finished_job(80.0)
    second = job.reworked(LATER, preset_pipeline("denoise"), NOW)
    assert [each.run_of(job.result_name("jpg")) for each in (job, second)] == [1, 1]
    assert job.run_of(second.result_name("webp")) == second.run == 2
    assert job.run_of(job.result_name("json")) is None
    assert job.run_of(job.result_name("jpg").replace(job.short_id, "0" * len(job.short_id))) is None
