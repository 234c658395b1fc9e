"""Writes log lines as JSON, for operators and for Cloud Logging.

Each line is one JSON object, those of libraries too, with the fields that Cloud Logging reads: `severity`, `message`,
`action` (a stable word, listed in docs/operations.md), `job_id`, `stage`, `event_id`, `elapsed_ms`. On Google Cloud
every line of a job carries the job's trace, so that the lines of all functions for one job are shown together.
"""

import json
import logging
import sys
from contextlib import suppress
from typing import Literal, TextIO

from darkroom.domain.errors import TransientError
from darkroom.domain.trace import trace_of

Severity = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Action = Literal[
    "upload_accepted",
    "upload_ignored",
    "folder_misspelt",
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
    "library",
]

_logger = logging.getLogger("darkroom")
#: Attribute of an exception whose traceback has been logged already.
_LOGGED = "_darkroom_logged"


class _JsonLine(logging.Formatter):
    def __init__(self, project: str) -> None:
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        own = getattr(record, "fields", None)
        fields = {"action": "library", "logger": record.name} if own is None else own
        line = {"severity": _severity(record), "message": record.getMessage(), **fields}
        span = line.pop("span_id", None)
        if self._project and "job_id" in line:
            line["logging.googleapis.com/trace"] = f"projects/{self._project}/traces/{trace_of(line['job_id'])}"
            line |= {"logging.googleapis.com/spanId": span} if span else {}
        if record.exc_info:
            line["stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def _severity(record: logging.LogRecord) -> str:
    """The severity of the record; a transient failure is a WARNING, regardless of the library's severity."""
    transient = isinstance(_exception(record), TransientError)
    return logging.getLevelName(min(record.levelno, logging.WARNING) if transient else record.levelno)


def _exception(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


class _LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines; one that cannot be written, for example on a full disk, is dropped without another line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  logging's signature
        return


def _of_library(record: logging.LogRecord) -> bool:
    """Whether a record of a library is written: a problem that is not in the log yet."""
    return record.levelno >= logging.WARNING and not is_logged(_exception(record))


def configure(level: Severity, stream: TextIO | None = None, *, project: str = "") -> None:
    """Send the project's log to `stream`, stderr if absent, and only there; warnings of libraries too.

    With the id of a Google Cloud `project` the lines of a job carry its trace.
    The logger is configured by name because functions-framework changes the root logger's level.
    """
    formatter, target, root = _JsonLine(project), stream or sys.stderr, logging.getLogger()
    handler, foreign = _LineHandler(target), _LineHandler(target)
    handler.setFormatter(formatter)
    foreign.setFormatter(formatter)
    foreign.addFilter(_of_library)
    _logger.handlers = [handler]
    _logger.setLevel(level)
    _logger.propagate = False
    root.handlers = [each for each in root.handlers if not isinstance(each, _LineHandler)] + [foreign]


def configure_default() -> None:
    """Send the log to stderr unless it is configured already: for what happens before the settings are read."""
    if not _logger.handlers:
        configure("INFO")


def log(severity: Severity, action: Action, message: str, **fields: object) -> None:
    """Write one line. `message` is a sentence; `fields` are for machines."""
    _logger.log(logging.getLevelName(severity), message, extra={"fields": {"action": action, **fields}})


def log_unexpected(message: str, **fields: object) -> None:
    """Write one ERROR line with the traceback of the exception in flight, unless it is in the log already."""
    exc = sys.exception()
    if is_logged(exc):
        return
    _logger.error(message, exc_info=True, extra={"fields": {"action": "unexpected", **fields}})
    with suppress(AttributeError):  # an exception without room for attributes may be logged again
        setattr(exc, _LOGGED, True)


def is_logged(exc: BaseException | None) -> bool:
    """Whether the traceback of an exception has been logged already."""
    return getattr(exc, _LOGGED, False)
