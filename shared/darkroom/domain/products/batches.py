"""Defines batches of jobs and their progress.

A batch is written once and never changed. Its jobs carry its id, and the job store counts them. So thousands of jobs
never write to one document. An import is also a batch; its jobs begin when their pictures have been fetched.

    batches/ID/batch.json        the batch
    batches/ID/rows/00000.json   a part of the rows of an import
    batches/ID/pages/00000.json  a part of the chosen jobs; chosen once, and read by every redelivery
    batches/ID/chosen.json       the number of chosen jobs, written when the last page was chosen
    batches/ID/refused/NAME.json a picture that was refused, and the reason
    batches/ID/cancelled.json    present if the batch was cancelled
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from pydantic import Field

from darkroom.domain.job import FINAL, Status
from darkroom.domain.messages import Record
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.products.messages import Member
from darkroom.domain.products.rows import Duplicate, Numbered, RowProblem

Kind = Literal["import", "rework"]
State = Literal["choosing", "processing", "completed", "cancelled"]
STATUSES: tuple[Status, ...] = get_args(Status)
#: Pictures of one batch.
MAX_PICTURES = 100_000
_ID = re.compile(r"[0-9a-f]{24}")


class Selection(Record):
    """Which jobs: those with a label, or those that are named."""

    label: tuple[str, str] | None = None
    members: tuple[Member, ...] = ()
    #: Owner of the jobs; None selects the jobs of all owners.
    owner: str | None


class RowTotals(Record):
    """What became of the rows of an import."""

    accepted: int
    duplicates: int
    rejected: int
    #: The first of each.
    first_duplicates: tuple[Duplicate, ...] = ()
    first_problems: tuple[RowProblem, ...] = ()


class Batch(Record):
    """Jobs that belong together."""

    id: str = Field(pattern=_ID.pattern)
    kind: Kind
    owner: str
    created_at: datetime
    #: None leaves each picture its own.
    pipeline: Pipeline | None = None
    #: At most so many pictures.
    budget: int = Field(MAX_PICTURES, ge=1, le=MAX_PICTURES)
    selection: Selection | None = None
    rows: RowTotals | None = None


class Rows(Record):
    """A part of the rows of an import."""

    rows: tuple[Numbered, ...]


class Page(Record):
    """A part of the jobs that were chosen."""

    members: tuple[Member, ...]
    #: Where the next page begins; None on the last one.
    cursor: str | None = None
    #: How many more pictures the batch may take.
    room: int = 0


class Chosen(Record):
    """How many jobs were chosen for a batch."""

    total: int


class Cancelled(Record):
    """That a batch was cancelled."""

    by: str
    at: datetime


class Refusal(Record):
    """What could not be taken into a batch."""

    #: A row by its number, a job by its id, or an object by its name.
    what: str
    code: str
    message: str
    image_url: str | None = None


def is_id(text: str) -> bool:
    """Whether a batch can have this id."""
    return _ID.fullmatch(text) is not None


def folder(batch_id: str) -> str:
    """The folder of the objects of a batch."""
    return f"batches/{batch_id}/"


def batch_name(batch_id: str) -> str:
    """The object of the batch itself."""
    return f"{folder(batch_id)}batch.json"


def rows_name(batch_id: str, shard: int) -> str:
    """The object of a part of an import's rows."""
    return f"{folder(batch_id)}rows/{shard:05d}.json"


def page_name(batch_id: str, page: int) -> str:
    """The object of a page of chosen jobs."""
    return f"{folder(batch_id)}pages/{page:05d}.json"


def chosen_name(batch_id: str) -> str:
    """The object with the number of chosen jobs; it exists once all are chosen."""
    return f"{folder(batch_id)}chosen.json"


def refusals_of(batch_id: str) -> str:
    """The scope under which the refusals of a batch are counted."""
    return f"refused {batch_id}"


def refused_name(batch_id: str, what: str) -> str:
    """The object with the reason of a refusal; one for each refused item, for any characters in its name."""
    number = f"{int(what):06d}" if what.isascii() and what.isdigit() and len(what) < 7 else None
    return f"{folder(batch_id)}refused/{number or hashlib.sha256(what.encode()).hexdigest()[:32]}.json"


def attempt_name(batch_id: str, row: int) -> str:
    """The object with the reason why the first attempt at a row failed."""
    return f"{folder(batch_id)}attempts/{row:06d}.json"


def cancelled_name(batch_id: str) -> str:
    """The object that is there when the batch was cancelled."""
    return f"{folder(batch_id)}cancelled.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How far a batch is."""

    #: Pictures of the batch; None while they are being chosen.
    total: int | None
    #: Jobs that carry the batch's id, by their status now.
    jobs: Mapping[Status, int]
    refused: int
    is_cancelled: bool
    started_at: datetime

    @property
    def done(self) -> int:
        """Pictures from which nothing happens by itself any more."""
        return self.refused + sum(count for status, count in self.jobs.items() if status in FINAL)

    @property
    def percent(self) -> float | None:
        """The share that is done; None while the pictures are being chosen."""
        if self.total is None:
            return None
        return round(100.0 * min(self.done, self.total) / self.total, 1) if self.total else 100.0

    @property
    def state(self) -> State:
        """The whole in a word."""
        if self.is_cancelled:
            return "cancelled"
        if self.total is None:
            return "choosing"
        return "completed" if self.done >= self.total else "processing"

    def remaining_s(self, now: datetime) -> float | None:
        """Estimated remaining seconds at the present rate; None while the rate is unknown."""
        if self.state != "processing" or self.total is None or not self.done:
            return None
        elapsed = (now - self.started_at).total_seconds()
        return round(elapsed * (self.total - self.done) / self.done, 1)
