"""Writes log lines as JSON.

Each line is one JSON object with the fields that Cloud Logging reads: `severity`, `message`, `action` (a stable word,
listed in docs/operations.md), `job_id`, `stage`, `event_id`, `elapsed_ms`. On Google Cloud every line of a job carries
the trace of the job, so that Cloud Logging shows the lines of all functions together.
"""

import json
import logging
import sys
from typing import Literal, TextIO

from darkroom.domain.trace import trace_of

Severity = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Action = Literal[
    "upload_accepted",
    "upload_ignored",
    "upload_rejected",
    "stage_started",
    "stage_completed",
    "stage_reused",
    "stage_failed",
    "stage_attempt_failed",
    "fallback",
    "job_planned",
    "job_completed",
    "job_failed",
    "event_ignored",
    "event_malformed",
    "dead_letter",
    "request_resent",
    "sweeping",
    "backlog_unknown",
    "swept",
    "batch_started",
    "batch_cancelled",
    "row_refused",
    "callback_failed",
    "row_attempt_failed",
    "place_kept",
    "supervisor_started",
    "worker_started",
    "worker_died",
    "delivery_failed",
    "watch_failed",
    "unexpected",
]

_logger = logging.getLogger("darkroom")


class _JsonLine(logging.Formatter):
    def __init__(self, project: str) -> None:
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        line = {"severity": record.levelname, "message": record.getMessage(), **getattr(record, "fields", {})}
        span = line.pop("span_id", None)
        if self._project and "job_id" in line:
            line["logging.googleapis.com/trace"] = f"projects/{self._project}/traces/{trace_of(line['job_id'])}"
            line |= {"logging.googleapis.com/spanId": span} if span else {}
        if record.exc_info:
            line["stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(level: Severity, stream: TextIO | None = None, *, project: str = "") -> None:
    """Send the project's log to `stream`, stderr if absent, and only there.

    With the id of a Google Cloud `project` the lines of a job carry its trace.
    The logger is configured by name because functions-framework changes the root logger's level.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonLine(project))
    _logger.handlers = [handler]
    _logger.setLevel(level)
    _logger.propagate = False


def log(severity: Severity, action: Action, message: str, **fields: object) -> None:
    """Write one line. `message` is a sentence; `fields` are for machines."""
    _logger.log(logging.getLevelName(severity), message, extra={"fields": {"action": action, **fields}})


def log_unexpected(message: str, **fields: object) -> None:
    """Write one ERROR line with the traceback of the exception in flight."""
    _logger.error(message, exc_info=True, extra={"fields": {"action": "unexpected", **fields}})
