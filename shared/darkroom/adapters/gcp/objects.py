"""Objects in Cloud Storage.

Calls that carry a precondition, or change nothing, are retried here; `put` is not, because it would be unknown whether
the first try had succeeded.
"""

import os
from collections.abc import Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from darkroom.adapters.gcp.errors import translated
from darkroom.adapters.object_rules import already_there, check_object, generation_gone, not_found, valid_name
from darkroom.domain.errors import ObjectNotFound
from darkroom.domain.messages import ObjectRef
from darkroom.runtime.ports import NewObject, ObjectInfo

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.storage import Blob, Client

#: For one request, in seconds.
TIMEOUT_S = 60.0
#: For all retries of a request, in seconds.
PATIENCE_S = 120.0


class GcsObjectStore:
    """Buckets of Cloud Storage; the client is built on first use.

    `patience_s` is how long a call is retried while the service does not answer, in seconds.
    """

    def __init__(self, project: str, *, client: "Client | None" = None, patience_s: float = PATIENCE_S) -> None:
        self._project = project
        self._given = client
        self._patience_s = patience_s

    def stat(self, bucket: str, name: str) -> ObjectInfo:
        missing = not_found(bucket, name)
        if not valid_name(name):
            raise missing
        blob = self._blob(bucket, name)
        with translated(f"look up {bucket}/{name}", {"NotFound": missing}):
            blob.reload(timeout=TIMEOUT_S, retry=self._retry)
        return _info(blob)

    def read(self, ref: ObjectRef) -> bytes:
        blob = self._blob(ref.bucket, ref.name, generation=ref.generation)
        with translated(f"read {ref}", {"NotFound": generation_gone(ref)}):
            return self._download(blob)

    def read_latest(self, bucket: str, name: str) -> bytes:
        missing = not_found(bucket, name)
        if not valid_name(name):
            raise missing
        with translated(f"read {bucket}/{name}", {"NotFound": missing}):
            return self._download(self._blob(bucket, name))

    def _download(self, blob: "Blob") -> bytes:
        """The content; read a second time if it does not fit its checksum, which costs less than a delivery."""
        from google.cloud.storage.exceptions import DataCorruption

        # Raw: an object stored with gzip encoding is returned as it is stored. Otherwise its checksum would not match.
        download = partial(
            blob.download_as_bytes, raw_download=True, checksum="crc32c", timeout=TIMEOUT_S, retry=self._retry
        )
        try:
            data: bytes = download()
        except DataCorruption:
            data = download()
        return data

    def create(self, bucket: str, name: str, new: NewObject) -> ObjectInfo:
        return self._upload(bucket, name, new, if_generation_match=0, retry=self._retry)

    def put(self, bucket: str, name: str, new: NewObject) -> ObjectInfo:
        return self._upload(bucket, name, new, if_generation_match=None, retry=None)

    def list(self, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        with translated(f"list {bucket}/{prefix}*", {"NotFound": ObjectNotFound(f"there is no bucket {bucket}")}):
            blobs = self._client.list_blobs(
                bucket, prefix=prefix, start_offset=after or None, timeout=TIMEOUT_S, retry=self._retry
            )
            # The service returns the data from the offset on.
            yield from (_info(blob) for blob in blobs if blob.name > after)

    def delete(self, ref: ObjectRef) -> None:
        blob = self._blob(ref.bucket, ref.name)
        missing = generation_gone(ref)
        try:
            with translated(f"delete {ref}", {"NotFound": missing, "PreconditionFailed": missing}):
                blob.delete(if_generation_match=ref.generation, timeout=TIMEOUT_S, retry=self._retry)
        except ObjectNotFound:
            # What the port promises: there is nothing left to delete.
            return

    def _upload(
        self, bucket: str, name: str, new: NewObject, *, if_generation_match: int | None, retry: "Retry | None"
    ) -> ObjectInfo:
        check_object(name, new)
        blob = self._blob(bucket, name)
        blob.metadata = dict(new.metadata)
        outcomes = {
            "PreconditionFailed": already_there(bucket, name),
            "NotFound": ObjectNotFound(f"there is no bucket {bucket}"),
        }
        with translated(f"write {bucket}/{name}", outcomes):
            blob.upload_from_string(
                new.data,
                content_type=new.content_type,
                if_generation_match=if_generation_match,
                checksum="crc32c",
                timeout=TIMEOUT_S,
                retry=retry,
            )
        return _info(blob)

    @cached_property
    def _client(self) -> "Client":
        from google.cloud.storage import Client

        # The client would read every bucket in another thread, for traces that are not recorded: a request
        # that our role does not allow. It reads this switch at every call.
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        with translated(f"reach Cloud Storage in project {self._project}"):
            return self._given or Client(project=self._project)

    @cached_property
    def _retry(self) -> "Retry":
        from google.cloud.storage.retry import DEFAULT_RETRY

        retry: Retry = DEFAULT_RETRY.with_timeout(self._patience_s)
        return retry

    def _blob(self, bucket: str, name: str, *, generation: int | None = None) -> "Blob":
        return self._client.bucket(bucket).blob(name, generation=generation)


def _info(blob: Any) -> ObjectInfo:
    return ObjectInfo(
        ref=ObjectRef(bucket=blob.bucket.name, name=blob.name, generation=int(blob.generation)),
        size_bytes=int(blob.size),
        content_type=blob.content_type or "application/octet-stream",
        crc32c=blob.crc32c,
        metadata=dict(blob.metadata or {}),
        created_at=blob.time_created,
    )
