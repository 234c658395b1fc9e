"""What travels while rows are fetched and jobs are taken into a batch?

    imports   RowsListed ──▶ one RowRequested for each row ──▶ a picture in the uploads bucket, or a refusal
    batches   PageRequested ──▶ JobsChosen, several a page ──▶ jobs at work again; and the next PageRequested
              BatchCancelled ──▶ jobs cancelled, and the next BatchCancelled until none is left

The form is that of `darkroom.domain.messages`, with the attributes `type` and `batch_id`.
"""

import json
from typing import Literal

from pydantic import Field

from darkroom.domain.messages import VERSION, Record, opened
from darkroom.domain.products.rows import Row

#: The topic of rows to fetch, and that of jobs to take.
IMPORTS_TOPIC = "imports"
BATCHES_TOPIC = "batches"


class Member(Record):
    """A job by its id, or an object of the uploads bucket that has one, or gets one."""

    kind: Literal["job", "object"]
    name: str = Field(min_length=1)


class RowsListed(Record):
    """A part of an import's rows lies ready."""

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
    """Take these into the batch."""

    batch_id: str = Field(min_length=1)
    members: tuple[Member, ...]


class BatchCancelled(Record):
    """Cancel what the batch has not finished."""

    batch_id: str = Field(min_length=1)


CatalogueMessage = RowsListed | RowRequested | PageRequested | JobsChosen | BatchCancelled
_TYPES: dict[str, type[CatalogueMessage]] = {
    "RowsListed": RowsListed,
    "RowRequested": RowRequested,
    "PageRequested": PageRequested,
    "JobsChosen": JobsChosen,
    "BatchCancelled": BatchCancelled,
}


def topic_of(message: CatalogueMessage) -> str:
    """Where a message belongs."""
    return IMPORTS_TOPIC if isinstance(message, (RowsListed, RowRequested)) else BATCHES_TOPIC


def encode_catalogue(message: CatalogueMessage) -> tuple[bytes, dict[str, str]]:
    """The data and the attributes under which a message travels."""
    kind = type(message).__name__
    body = {"version": VERSION, "type": kind, "body": message.model_dump(mode="json")}
    return json.dumps(body, separators=(",", ":")).encode(), {"type": kind, "batch_id": message.batch_id}


def decode_catalogue(data: bytes) -> CatalogueMessage:
    """The message in `data`. Raises BadMessage, naming what is wrong."""
    return opened(data, _TYPES)


def is_catalogue(type_name: str | None) -> bool:
    """Whether the attribute `type` names a message of this module."""
    return type_name in _TYPES
