"""A message of the catalogue was given up: what does the batch say about it?

Every picture that the message would have brought on is written down as refused, so that a batch always comes to its
end, and tells what is missing.
"""

from darkroom.domain.products.batches import Page, Refusal, Rows, page_name, rows_name
from darkroom.domain.products.messages import (
    BatchCancelled,
    CatalogueMessage,
    JobsChosen,
    PageRequested,
    RowRequested,
    RowsListed,
)
from darkroom.handlers.batches import refuse
from darkroom.handlers.imports import give_up_row
from darkroom.handlers.records import find_record, write_once
from darkroom.runtime.logs import log
from darkroom.runtime.system import System


def give_up_catalogue(system: System, message: CatalogueMessage, deliveries: int) -> None:
    """Write down what will not happen."""
    text = f"{type(message).__name__} of batch {message.batch_id} was given up after {deliveries} deliveries"
    log("ERROR", "dead_letter", f"{text}.", event_id=message.batch_id)
    if isinstance(message, RowRequested):
        give_up_row(system, message, deliveries)
    elif isinstance(message, RowsListed):
        _give_up_rows(system, message, deliveries)
    elif isinstance(message, JobsChosen):
        for member in message.members:
            _refuse_unless_taken(system, message, member.name, deliveries)
    elif isinstance(message, PageRequested):
        _give_up_page(system, message, deliveries)
    else:
        assert isinstance(message, BatchCancelled)


def _give_up_rows(system: System, message: RowsListed, deliveries: int) -> None:
    part = find_record(system, rows_name(message.batch_id, message.shard), Rows)
    for each in part.rows if part else ():
        give_up_row(system, RowRequested(batch_id=message.batch_id, row=each.row, picture=each.picture), deliveries)


def _give_up_page(system: System, message: PageRequested, deliveries: int) -> None:
    """The batch ends with this page, which counts as one picture that was refused."""
    name, told = page_name(message.batch_id, message.page), {"last": "true", "count": "1"}
    if write_once(system, name, Page(members=()), metadata=told):
        reason = f"the pictures from page {message.page} on were never chosen: given up after {deliveries} attempts"
        what = f"page {message.page}"
        refuse(system, message.batch_id, Refusal(what=what, code="delivery_exhausted", message=reason))


def _refuse_unless_taken(system: System, message: JobsChosen, what: str, deliveries: int) -> None:
    taken = not system.jobs.absent([what]) and message.batch_id in system.jobs.get(what).batches
    if not taken:
        reason = f"given up after {deliveries} attempts"
        refuse(system, message.batch_id, Refusal(what=what, code="delivery_exhausted", message=reason))
