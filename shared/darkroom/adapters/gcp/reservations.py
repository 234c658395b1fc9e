"""Reservations in Firestore: one document per owner, changed only if its version is still the same.

The version of a document is the time of its last update, which Firestore checks itself. A call that was made twice
because its first answer was lost ends in a conflict, never in two changes.
"""

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from darkroom.adapters.gcp.errors import translated
from darkroom.adapters.gcp.firestore import PATIENCE_S
from darkroom.adapters.gcp.firestore_indexes import RESERVATIONS
from darkroom.domain.errors import RevisionConflict
from darkroom.domain.quota import Reservations

if TYPE_CHECKING:
    from google.cloud.firestore import Client, DocumentReference


class FirestoreReservationStore:
    """Reservations in the default database of a project; the client is built on first use.

    `patience_s` is how long a call is retried while the service does not answer, in seconds.
    """

    def __init__(self, project: str, *, client: "Client | None" = None, patience_s: float = PATIENCE_S) -> None:
        self._project = project
        self._given = client
        self._patience_s = patience_s

    def get(self, owner: str) -> Reservations:
        with translated("read reservations"):
            snapshot = self._document(owner).get(**self._calling)
        if not snapshot.exists:
            return Reservations(owner=owner)
        found = Reservations.model_validate_json(snapshot.get("body"))
        return found.model_copy(update={"version": snapshot.update_time.rfc3339()})

    def save(self, reservations: Reservations) -> Reservations:
        owner, document = reservations.owner, self._document(reservations.owner)
        conflict = RevisionConflict(f"the reservations of {owner!r} were saved by another process")
        fields = {"body": reservations.model_copy(update={"version": ""}).model_dump_json()}
        with translated(
            "save reservations", dict.fromkeys(("AlreadyExists", "FailedPrecondition", "NotFound"), conflict)
        ):
            if not reservations.version:
                return self._create(reservations, document, fields)
            if not reservations.entries:
                document.delete(option=self._unchanged(reservations), **self._calling)
                return Reservations(owner=owner)
            written = document.update(fields, option=self._unchanged(reservations), **self._calling)
        return reservations.model_copy(update={"version": written.update_time.rfc3339()})

    def _create(
        self, reservations: Reservations, document: "DocumentReference", fields: dict[str, Any]
    ) -> Reservations:
        if not reservations.entries:
            return reservations
        written = document.create(fields, **self._calling)
        return reservations.model_copy(update={"version": written.update_time.rfc3339()})

    def _unchanged(self, reservations: Reservations) -> Any:
        from google.api_core.datetime_helpers import DatetimeWithNanoseconds

        updated_at = DatetimeWithNanoseconds.from_rfc3339(reservations.version)  # type: ignore[no-untyped-call]
        return self._client.write_option(last_update_time=updated_at)

    def _document(self, owner: str) -> "DocumentReference":
        """The document id of an owner. Owners may contain any character; document ids may not."""
        return self._client.collection(RESERVATIONS).document(hashlib.sha256(owner.encode()).hexdigest())

    @cached_property
    def _client(self) -> "Client":
        from google.cloud.firestore import Client

        with translated(f"reach Firestore in project {self._project}"):
            return self._given or Client(project=self._project)

    @cached_property
    def _calling(self) -> dict[str, Any]:
        from google.api_core.exceptions import InternalServerError, ResourceExhausted, ServiceUnavailable
        from google.api_core.retry import Retry, if_exception_type

        passing = if_exception_type(InternalServerError, ResourceExhausted, ServiceUnavailable)
        retry = Retry(predicate=passing, initial=0.1, maximum=5.0, multiplier=2.0, timeout=self._patience_s)
        return {"retry": retry, "timeout": PATIENCE_S}
