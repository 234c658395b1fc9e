"""Builds the manifest that is written beside each result.

The manifest states the source of the picture, the plan, and what each stage did. It is computed from the job alone, for
people and programs that can read only the results bucket.
"""

import json
from typing import Any

from darkroom import __version__
from darkroom.domain.job import Job
from darkroom.domain.messages import StepRecord

#: Version of the manifest's form.
MANIFEST_VERSION = 1


def build_manifest(job: Job) -> dict[str, Any]:
    """The manifest of a completed job, JSON-able; docs/delivery.md describes its fields."""
    ended = job.completed_at or job.updated_at
    return {
        "manifest_version": MANIFEST_VERSION,
        "darkroom_version": __version__,
        "job_id": job.id,
        "run": job.run,
        "status": job.status,
        "qc_status": job.qc_status,
        "qc_threshold": job.pipeline.qc_threshold,
        "acceptance": job.acceptance.model_dump(mode="json") if job.acceptance else None,
        "review_reasons": [reason.model_dump(mode="json") for reason in job.review_reasons],
        "source": job.source.model_dump(mode="json"),
        "result": job.result.model_dump(mode="json") if job.result else None,
        "labels": job.labels,
        "pipeline": job.pipeline.model_dump(mode="json"),
        "plan": [{"stage": step.stage, "method": step.method, "reason": step.reason} for step in job.plan],
        "stages": [_stage(job, record) for record in job.records],
        "skipped": [skipped.model_dump(mode="json") for skipped in job.skipped],
        "before": job.before.model_dump(mode="json") if job.before else None,
        "after": job.after.model_dump(mode="json") if job.after else None,
        "degraded": job.degraded,
        "created_at": job.created_at.isoformat(),
        "completed_at": ended.isoformat(),
        "total_ms": round((ended - job.run_started_at).total_seconds() * 1000, 1),
    }


def manifest_json(job: Job) -> bytes:
    """The manifest as indented UTF-8."""
    return (json.dumps(build_manifest(job), indent=2, ensure_ascii=False) + "\n").encode()


def _stage(job: Job, record: StepRecord) -> dict[str, Any]:
    return {**record.model_dump(mode="json", exclude={"report", "run"}), "reused": record.run < job.run}
