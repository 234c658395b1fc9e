"""Defines the messages of imports and batches.

    imports   RowsListed ──▶ one RowRequested for each row ──▶ a picture in the uploads bucket, or a refusal
    batches   PageRequested ──▶ JobsChosen, several a page ──▶ jobs at work again; and the next PageRequested
              BatchCancelled ──▶ jobs cancelled, and the next BatchCancelled until none is left

`darkroom.domain.envelope` encodes and decodes them.
"""

from typing import Literal

from pydantic import Field

from darkroom.domain.messages import Record
from darkroom.domain.products.rows import Row

#: The topic of rows to fetch.
IMPORTS_TOPIC = "imports"
#: The topic of jobs to add to a batch.
BATCHES_TOPIC = "batches"


class Member(Record):
    """A job by its id, or an object of the uploads bucket, whose job is created if it does not exist."""

    kind: Literal["job", "object"]
    name: str = Field(min_length=1)


class RowsListed(Record):
    """A part of the rows of an import is stored."""

    batch_id: str = Field(min_length=1)
    shard: int = Field(ge=0)


class RowRequested(Record):
    """Fetch the picture of one row."""

    batch_id: str = Field(min_length=1)
    row: int = Field(ge=1)
    picture: Row


class PageRequested(Record):
    """Choose the next jobs of a batch."""

    batch_id: str = Field(min_length=1)
    page: int = Field(ge=0)
    cursor: str | None = None
    #: How many more pictures the batch may take.
    room: int = Field(ge=0)


class JobsChosen(Record):
    """Add these jobs to the batch and process them."""

    batch_id: str = Field(min_length=1)
    members: tuple[Member, ...]


class BatchCancelled(Record):
    """Cancel what the batch has not finished."""

    batch_id: str = Field(min_length=1)


ProductMessage = RowsListed | RowRequested | PageRequested | JobsChosen | BatchCancelled
