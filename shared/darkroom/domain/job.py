"""Defines the job of one photograph and its changes of state.

A `Job` is one immutable record. Every change is a method that returns the next record. Nothing here reads a clock, a
database or the environment; `darkroom.handlers` loads, changes and saves jobs.
"""

import hashlib
import re
from datetime import datetime
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field

from darkroom.domain.acceptance import NO_CALIBRATIONS, Acceptance, Calibrations, acceptance, evidence
from darkroom.domain.errors import NotAllowed
from darkroom.domain.history import PROGRESS, HistoryEntry, occurrences, with_entry
from darkroom.domain.messages import (
    ObjectRef,
    Record,
    Report,
    StageCompleted,
    StageEvent,
    StageRequested,
    Step,
    StepRecord,
    Upload,
)
from darkroom.domain.parameters import Stage
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.review import ReviewReason, review_reasons

Status = Literal["pending", "processing", "completed", "failed", "cancelled"]
QcStatus = Literal["pending", "auto_approved", "needs_review", "approved", "rejected"]

#: States from which nothing happens by itself any more.
FINAL: frozenset[Status] = frozenset({"completed", "failed", "cancelled"})
#: A name of an object in Cloud Storage has at most this many bytes.
MAX_NAME_BYTES = 1024


class Skipped(Record):
    """A stage that the planner skipped."""

    stage: Stage
    reason: str


class JobError(Record):
    """Why a job failed."""

    #: Stable and machine-readable, for instance `too_many_pixels`.
    code: str
    #: A sentence with the value and the limit.
    message: str
    stage: Stage | None = None
    at: datetime


class Job(Record):
    """One photograph on its way."""

    id: str
    status: Status = "pending"
    qc_status: QcStatus = "pending"
    #: Starts at 1; a rework begins the next one.
    run: int = 1
    #: How often the run was replayed after a failure.
    replays: int = 0
    source: Upload
    #: Name of the photograph for people; the upload's file name unless its metadata contain a name.
    display_name: str
    owner: str = ""
    labels: dict[str, str] = {}
    #: Imports and batches to which the job belongs, oldest first.
    batches: tuple[str, ...] = ()
    pipeline: Pipeline
    #: The steps of the current run; only `assess` until that has answered.
    plan: tuple[Step, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    #: The record of each finished step of the current run. The current step has the index `len(records)`.
    records: tuple[StepRecord, ...] = ()
    before: Report | None = None
    after: Report | None = None
    #: How probably a person would accept the result; None if the pipeline is not calibrated.
    acceptance: Acceptance | None = None
    error: JobError | None = None
    history: tuple[HistoryEntry, ...] = ()
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None = None
    #: When the job and its artifacts may be purged.
    expires_at: datetime
    #: Id of the message that changed the job last: its redeliveries publish the follow-up, other copies do not.
    answered_by: str = ""
    #: Grows by one with every save; the compare-and-set of all writers.
    revision: int = Field(0, ge=0)
    #: Identifies this state of the job in the store that returned it; not part of the stored document.
    version: str = Field("", exclude=True, repr=False)

    @property
    def short_id(self) -> str:
        return self.id[:12]

    @property
    def result(self) -> ObjectRef | None:
        """The finished picture of the current run, if there is one."""
        return next((record.output for record in self.records if record.stage == "finish"), None)

    @property
    def manifest_name(self) -> str:
        return name_beside(self.source.ref.name, self._tag, "json")

    @property
    def degraded(self) -> bool:
        return any(record.degraded for record in self.records)

    @property
    def review_reasons(self) -> tuple[ReviewReason, ...]:
        """Why a person must review the result of a completed job; empty if it may be approved."""
        if self.status != "completed":
            return ()
        return review_reasons(self.records, self.after, self.pipeline.qc_threshold, self.acceptance)

    @property
    def run_started_at(self) -> datetime:
        """When the current run began."""
        return next((entry.at for entry in reversed(self.history) if entry.action == "rework"), self.created_at)

    @property
    def progressed_at(self) -> datetime:
        """When the job reached its current step; the request of that step has the same age."""
        return next((entry.at for entry in reversed(self.history) if entry.action in PROGRESS), self.created_at)

    def times(self, action: str) -> int:
        """How often `action` happened since the job reached its current step."""
        since = takewhile(lambda entry: entry.action not in PROGRESS, reversed(self.history))
        return occurrences(entry for entry in since if entry.action == action)

    def awaits(self, message: StageRequested | StageEvent) -> bool:
        """Whether the job is at the step of `message`; a failure from before a replay does not count."""
        is_old = message.replay < self.replays and not isinstance(message, StageCompleted)
        is_here = message.run == self.run and message.index == len(self.records)
        return self.status not in FINAL and is_here and not is_old

    @property
    def _tag(self) -> str:
        return self.short_id if self.run == 1 else f"{self.short_id}.r{self.run}"

    @property
    def results_prefix(self) -> str:
        """How the names of all results and manifests begin; those of other jobs may begin so too, see `owns`."""
        tag, extension = f"{self.short_id}.r{2**31}", "extension"
        # The longest suffix shortens the stem most, so this prefix is common to all names.
        return name_beside(self.source.ref.name, tag, extension).removesuffix(f".{tag}.{extension}")

    def owns(self, result_name: str) -> bool:
        """Whether a result or manifest whose name begins as `results_prefix` is this job's."""
        return f".{self.short_id}." in result_name[len(self.results_prefix) :]

    def run_of(self, result_name: str) -> int | None:
        """The run of one of this job's results; None for a manifest, and for a file of another job."""
        tagged = re.search(rf"\.{self.short_id}(?:\.r(\d+))?\.(?!json$)\w+$", result_name)
        return int(tagged[1] or 1) if tagged and self.owns(result_name) else None

    def result_name(self, extension: str) -> str:
        """The result's name: the upload's path with the job's short id, and the run if it is not the first."""
        return name_beside(self.source.ref.name, self._tag, extension)

    def next_request(self) -> StageRequested | None:
        """The message that requests the next step, or None if the job has ended."""
        index = len(self.records)
        if self.status in FINAL or index >= len(self.plan):
            return None
        return StageRequested(
            job_id=self.id,
            run=self.run,
            index=index,
            replay=self.replays,
            step=self.plan[index],
            input=self.source.ref if index <= 1 else self.records[index - 1].output,
            source=self.source.ref,
        )

    def noted(self, now: datetime, action: str, text: str, *, who: str | None = None) -> "Job":
        """The job with one more line of history, never earlier than its last change, even if the clock was set back."""
        now = self._not_before(now)
        entry = HistoryEntry(at=now, action=action, text=text, who=who)
        return self.model_copy(update={"history": with_entry(self.history, entry), "updated_at": now})

    def _not_before(self, now: datetime) -> datetime:
        """`now`, or the job's last change if that is later: a job's times never go backwards."""
        return max(now, self.updated_at)

    def planned(self, now: datetime, steps: tuple[Step, ...], skipped: tuple[Skipped, ...]) -> "Job":
        """The job with the whole plan, made from the report of `assess`."""
        stages = " → ".join(step.stage for step in steps)
        changed = self.model_copy(update={"plan": steps, "skipped": skipped})
        return changed.noted(now, "planned", stages)

    def advanced(self, now: datetime, record: StepRecord) -> "Job":
        """The job after one more step."""
        update: dict[str, object] = {"records": (*self.records, record), "status": "processing"}
        if record.report is not None:
            update["before" if not self.records else "after"] = record.report
        how = "reused" if record.run < self.run else f"{record.elapsed_ms:.0f} ms"
        text = f"{record.stage} by {record.model.id if record.model else record.method}, {how}"
        return self.model_copy(update=update).noted(now, "stage_completed", text)

    def completed(self, now: datetime, calibrations: Calibrations = NO_CALIBRATIONS) -> "Job":
        """The finished job with its acceptance and its quality verdict.

        Approved if `darkroom.domain.review` finds no reason for a review; otherwise a person decides.
        """
        now = self._not_before(now)
        estimated = acceptance(calibrations, self.pipeline, evidence(self.records, self.before, self.after))
        done = self.model_copy(update={"status": "completed", "completed_at": now, "acceptance": estimated})
        reasons = done.review_reasons
        verdict = "needs_review" if reasons else "auto_approved"
        score = self.after.score if self.after else 0.0
        because = "".join(f", {reason.message}" for reason in reasons if reason.code != "low_score")
        text = f"score {score:.1f}, threshold {self.pipeline.qc_threshold:g}{because}: {verdict}"
        return done.model_copy(update={"qc_status": verdict}).noted(now, "completed", text)

    def failed(self, now: datetime, code: str, message: str, *, stage: Stage | None = None) -> "Job":
        """The job with the reason why it cannot go on."""
        now = self._not_before(now)
        error = JobError(code=code, message=message, stage=stage, at=now)
        update = {"status": "failed", "error": error, "completed_at": now}
        return self.model_copy(update=update).noted(now, "failed", f"{code}: {message}")

    def cancelled(self, now: datetime, *, who: str | None = None) -> "Job":
        """The job stopped by a person. Raises NotAllowed if it has ended already."""
        if self.status in FINAL:
            raise NotAllowed(f"job {self.id} is {self.status}, only pending and processing jobs can be cancelled")
        now = self._not_before(now)
        stopped = self.model_copy(update={"status": "cancelled", "completed_at": now})
        return stopped.noted(now, "cancelled", "", who=who)

    def replayed(self, now: datetime, expires_at: datetime, *, who: str | None = None) -> "Job":
        """The failed job, standing again at the step that failed. Raises NotAllowed for any other job.

        A job that failed because it could not be planned is at `assess` again, and its answer is planned again.
        """
        if self.status != "failed":
            raise NotAllowed(f"job {self.id} is {self.status}, only failed jobs can be replayed")
        if not self.plan:
            raise NotAllowed(f"job {self.id} was refused before its first step; upload it again, or rework it")
        update: dict[str, object] = {"status": "processing", "error": None, "completed_at": None}
        update |= {"replays": self.replays + 1, "expires_at": expires_at}
        if len(self.records) >= len(self.plan):
            update |= {"records": (), "before": None}
        job = self.model_copy(update=update)
        return job.noted(now, "replayed", f"from step {len(job.records)}", who=who)

    def described(
        self, now: datetime, *, display_name: str | None, labels: dict[str, str] | None, who: str | None = None
    ) -> "Job":
        """The job with another name, with other labels, or both; None keeps what there is."""
        update: dict[str, object] = {}
        if display_name is not None and display_name != self.display_name:
            update["display_name"] = display_name
        if labels is not None and labels != self.labels:
            update["labels"] = labels
        if not update:
            return self
        return self.model_copy(update=update).noted(now, "described", " and ".join(sorted(update)), who=who)

    def in_batch(self, batch_id: str) -> "Job":
        """The job as a member of one more batch."""
        return self if batch_id in self.batches else self.model_copy(update={"batches": (*self.batches, batch_id)})

    def reviewed(self, now: datetime, *, approved: bool, who: str, notes: str = "") -> "Job":
        """The job with a person's verdict. Raises NotAllowed unless it is completed."""
        if self.status != "completed":
            raise NotAllowed(f"job {self.id} is {self.status}, only completed jobs can be reviewed")
        verdict = "approved" if approved else "rejected"
        return self.model_copy(update={"qc_status": verdict}).noted(now, verdict, notes, who=who)

    def reworked(
        self, now: datetime, pipeline: Pipeline, expires_at: datetime, *, who: str | None = None, notes: str = ""
    ) -> "Job":
        """The next run of the job, with another pipeline and no plan yet."""
        fresh = Job(
            id=self.id,
            run=self.run + 1,
            source=self.source,
            display_name=self.display_name,
            owner=self.owner,
            labels=self.labels,
            batches=self.batches,
            pipeline=pipeline,
            history=self.history,
            created_at=self.created_at,
            updated_at=self.updated_at,
            expires_at=expires_at,
            revision=self.revision,
            version=self.version,
        )
        text = f"run {fresh.run} with {pipeline.label}" + (f": {notes}" if notes else "")
        return fresh.noted(now, "rework", text, who=who)


def job_id(ref: ObjectRef) -> str:
    """The id of the job of one upload: the same for every copy of its event, and random-looking."""
    return hashlib.sha256(str(ref).encode()).hexdigest()[:24]


def name_beside(name: str, tag: str, extension: str) -> str:
    """`a/b.jpg` with tag `t` and extension `png` is `a/b.t.png`, shortened at the end of the stem if it must be."""
    path = PurePosixPath(name)
    ending = f".{tag}.{extension}"
    folder = "" if path.parent == PurePosixPath(".") else f"{path.parent}/"
    room = MAX_NAME_BYTES - len(ending.encode()) - len(folder.encode())
    stem = path.stem.encode()[: max(room, 0)].decode(errors="ignore")
    return f"{folder}{stem}{ending}"
