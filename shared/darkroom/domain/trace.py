"""Computes the trace and the span of the messages of a job.

The trace of a job is computed from its id, so nothing has to be stored; every message carries it. The span of a message
is computed from its content, so a redelivery has the same span.
"""

import hashlib


def trace_of(job_id: str) -> str:
    """The trace of a job: 32 hex digits."""
    return hashlib.sha256(job_id.encode()).hexdigest()[:32]


def traceparent(job_id: str, span_id: str) -> str:
    """The trace context of a message, sampled.

    `span_id` has 16 hex digits. The form is W3C Trace Context, level 1, https://www.w3.org/TR/trace-context/.

    >>> traceparent("3f2a91c0b7d2", "00f067aa0ba902b7")
    '00-f6ece4579fd0608b9bacb9c026413131-00f067aa0ba902b7-01'
    """
    return f"00-{trace_of(job_id)}-{span_id}-01"
