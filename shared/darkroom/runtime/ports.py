"""Defines the ports: what the system needs from outside.

Each port states its contract; `tests/contract` checks every adapter against it. All methods may raise TransientError if
the service behind them does not answer. The caller does not catch it, and the message is delivered again.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Literal, Protocol, runtime_checkable

from darkroom.domain.job import Job, QcStatus, Status
from darkroom.domain.messages import ObjectRef
from darkroom.domain.quota import Reservations


@dataclass(frozen=True, slots=True, kw_only=True)
class NewObject:
    """The content of an object that is to be written."""

    data: bytes
    content_type: str
    #: Custom metadata: at most 8 KiB of names and values.
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """The properties of one generation of an object."""

    ref: ObjectRef
    size_bytes: int
    content_type: str
    #: CRC-32C of the content, big-endian, in base64.
    crc32c: str
    metadata: Mapping[str, str]
    created_at: datetime


class ObjectStore(Protocol):
    """Buckets of objects."""

    def stat(self, bucket: str, name: str) -> ObjectInfo:
        """The live generation. Raises ObjectNotFound."""

    def read(self, ref: ObjectRef) -> bytes:
        """The content of exactly this generation. Raises ObjectNotFound if it was deleted or replaced."""

    def read_latest(self, bucket: str, name: str) -> bytes:
        """The content of the live generation. Raises ObjectNotFound."""

    def create(self, bucket: str, name: str, new: NewObject) -> ObjectInfo:
        """Write an object that does not exist yet, at once or not at all.

        Of several callers at the same moment exactly one succeeds. Raises ObjectExists, and then changes nothing.
        """

    def put(self, bucket: str, name: str, new: NewObject) -> ObjectInfo:
        """Write an object whether or not it exists; each call makes a new, greater generation."""

    def list(self, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        """The live objects whose names begin with `prefix` and come behind `after`, in order of their names.

        Keeps one page of them in memory at a time.
        """

    def delete(self, ref: ObjectRef) -> None:
        """Delete this generation. An object that is not there any more, or was replaced, is no error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Selects jobs; every given condition must be true."""

    status: Status | None = None
    qc_status: QcStatus | None = None
    owner: str | None = None
    #: One label as (key, value); not together with `batch`.
    label: tuple[str, str] | None = None
    #: Id of a batch to which the jobs belong.
    batch: str | None = None
    updated_before: datetime | None = None
    expires_before: datetime | None = None
    #: Order by `updated_at`. A condition on time answers oldest first, by its own field.
    order: Literal["newest_first", "oldest_first"] = "newest_first"
    #: Most jobs on one page, 1 to 1000.
    limit: int = 100
    #: `JobPage.next_cursor` of the page before.
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Jobs in the order of the query, and the cursor of the next page."""

    jobs: tuple[Job, ...]
    #: None on the last page.
    next_cursor: str | None = None


class JobStore(Protocol):
    """One document per job, changed by compare-and-set only.

    A store may mark the jobs that it returns with their `version`, so that `save` need not read them again.
    """

    def create(self, job: Job) -> Job:
        """Store a job that does not exist yet, with revision 1. Raises JobExists, and then changes nothing."""

    def get(self, job_id: str) -> Job:
        """The job as last saved. Raises JobNotFound."""

    def save(self, job: Job) -> Job:
        """Store `job`, made from one that this store returned, if nothing was saved since; return the next revision.

        Raises RevisionConflict if another process saved it, JobNotFound if the job was deleted; then changes nothing.
        """

    def query(self, query: JobQuery) -> JobPage:
        """One page of jobs. A cursor stays valid while jobs change; a job that changes may appear twice or not."""

    def count(self, query: JobQuery) -> int:
        """How many jobs meet the conditions, of which at most one may be on time; limit and cursor count for nothing.

        Costs a fraction of reading the jobs. Raises BadMessage for a query that cannot be counted.
        """

    def with_prefix(self, prefix: str, limit: int) -> tuple[Job, ...]:
        """The first `limit` jobs, in order of their ids, whose ids begin with `prefix`, which is not empty."""

    def absent(self, job_ids: Collection[str]) -> set[str]:
        """Those of `job_ids` that are not stored."""

    def tally(self, scope: str, key: str) -> None:
        """Count `key` under `scope`, once for any number of calls."""

    def tallied(self, scope: str) -> int:
        """How many keys were counted under `scope`, without reading them."""

    def delete(self, job_id: str) -> None:
        """Delete a job. One that is not there any more is no error."""


class ReservationStore(Protocol):
    """The reservations of each owner, changed by compare-and-set only."""

    def get(self, owner: str) -> Reservations:
        """The reservations as last saved; none, with an empty version, if there are none."""

    def save(self, reservations: Reservations) -> Reservations:
        """Store the reservations of an owner if the stored version is still theirs, and return them with the next.

        Of several callers with the same version exactly one succeeds. An owner without entries takes no storage.
        Raises RevisionConflict, and then changes nothing.
        """


class Publisher(Protocol):
    """Topics."""

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Hand a message to every subscription of `topic` and return its id; it is durable when this returns."""


class Backlog(Protocol):
    """The unacknowledged messages of the subscriptions."""

    def waiting_since(self) -> Mapping[str, datetime] | None:
        """When the oldest unacknowledged message of each subscription was published, for those that have any.

        May be some minutes old. None if that is unknown.
        """


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The current time, with time zone UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The time and memory that a piece of work took."""

    elapsed_ms: float
    #: Highest resident memory of the process during the work, in MB of 10^6 bytes.
    peak_memory_mb: float


class Meter(Protocol):
    """Measures one piece of work at a time."""

    def start(self) -> None:
        """Start the measurement."""

    def stop(self) -> Usage:
        """What it cost since `start`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadGrant:
    """The permission to upload one photograph directly into the bucket."""

    bucket: str
    name: str
    content_type: str
    #: What the object will carry; the client cannot change it.
    metadata: Mapping[str, str]
    max_bytes: int
    expires_at: datetime
    #: Whether the upload is sent in parts and can continue after an interruption.
    resumable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedUpload:
    """The request that a client must send: the photograph as its body, or nothing where a resumable upload begins."""

    method: str
    #: On a laptop a path of the API.
    url: str
    headers: Mapping[str, str]


class SignedUploads(Protocol):
    """Lets clients upload under a signature, past the API."""

    def sign(self, grant: UploadGrant) -> SignedUpload:
        """The request that the grant allows, until it expires; nothing but this request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Consecutive bytes of an upload."""

    first: int
    #: Size of the whole; None while it is unknown to the client.
    total: int | None
    #: True if the client requests the progress of the upload.
    is_question: bool = False


@runtime_checkable
class UploadReceiver(Protocol):
    """Receives signed uploads where there is no Cloud Storage."""

    def grant(self, token: str) -> UploadGrant:
        """What was signed. Raises ObjectNotFound for what was not, and for what has expired."""

    def begin(self) -> str:
        """A new session of a resumable upload; returns its id."""

    def add(self, session: str, piece: Piece, stream: IO[bytes], grant: UploadGrant) -> int:
        """Append a piece and return how many bytes are there. What is there already is not written again.

        Raises ObjectNotFound for an unknown session, BadMessage for a piece that does not follow, or that exceeds
        what was signed.
        """

    def complete(self, session: str, grant: UploadGrant) -> ObjectInfo:
        """Create the object of a session that has received all bytes. Raises ObjectExists."""
