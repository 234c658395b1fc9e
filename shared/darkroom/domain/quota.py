"""Reserved places of an owner for photographs that are not jobs yet.

A photograph counts against the limit of its owner as soon as its place is reserved. When its job is stored, the job
itself counts in its stead.
"""

from datetime import datetime

from pydantic import Field

from darkroom.domain.messages import Record


class Reservation(Record):
    """Places for one photograph, or for all rows of an import."""

    #: Name of the object in the uploads bucket; empty for an import.
    object: str = ""
    #: Id of the import; empty for a single photograph.
    batch: str = ""
    #: Number of places.
    count: int = Field(1, ge=1)
    #: When the places are free again if nothing came of them.
    expires_at: datetime
    #: Whether clients have a signature for the object, with which they can upload without the API.
    signed: bool = False
    #: Whether the job of a signed upload was deleted: the signature may not be used a second time.
    spent: bool = False
    #: Ids of jobs of the import that were deleted.
    deleted: tuple[str, ...] = ()


class Reservations(Record):
    """All reservations of one owner."""

    owner: str
    #: By random ids.
    entries: dict[str, Reservation] = {}
    #: Names the stored state that was read; empty if nothing was stored. Only stores make versions.
    version: str = ""
