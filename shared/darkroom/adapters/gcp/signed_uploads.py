"""Uploads that go straight to Cloud Storage, past the limits of the API, under a V4 signature."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from darkroom.adapters.gcp.errors import translated
from darkroom.runtime.ports import SignedUpload, UploadGrant

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud.storage import Client


@dataclass(frozen=True)
class GcsUploads:
    """Signs with the key of the credentials, or, where they have none, as on Cloud Run, through IAM's signBlob.

    For that the service account needs the role of token creator on itself:
    https://cloud.google.com/storage/docs/access-control/signing-urls-with-helpers
    """

    project: str
    client: "Client | None" = field(default=None, kw_only=True)

    def sign(self, grant: UploadGrant) -> SignedUpload:
        headers = upload_headers(grant)
        blob = self._client.bucket(grant.bucket).blob(grant.name)
        with translated(f"sign an upload to {grant.bucket}/{grant.name}"):
            url: str = blob.generate_signed_url(
                version="v4",
                method="RESUMABLE" if grant.resumable else "PUT",
                expiration=grant.expires_at,
                content_type=grant.content_type,
                headers=dict(headers),
                **self._signer(),
            )
        sent = {"Content-Type": grant.content_type, **headers}
        if grant.resumable:
            return SignedUpload(method="POST", url=url, headers={**sent, "x-goog-resumable": "start"})
        return SignedUpload(method="PUT", url=url, headers=sent)

    def _signer(self) -> dict[str, Any]:
        from google.auth.credentials import Signing
        from google.auth.transport.requests import Request

        credentials = self._credentials
        if isinstance(credentials, Signing):
            return {}
        if not credentials.valid:
            credentials.refresh(Request())  # type: ignore[no-untyped-call]
        account = credentials.service_account_email  # type: ignore[attr-defined]
        return {"service_account_email": account, "access_token": credentials.token}

    @property
    def _credentials(self) -> "Credentials":
        found: Credentials = self._client._credentials
        return found

    @cached_property
    def _client(self) -> "Client":
        from google.cloud.storage import Client

        with translated(f"reach Cloud Storage in project {self.project}"):
            return self.client or Client(project=self.project)


def upload_headers(grant: UploadGrant) -> Mapping[str, str]:
    """What the signature binds the upload to: a new object, at most so many bytes, this metadata.

    https://cloud.google.com/storage/docs/xml-api/reference-headers
    """
    metadata = {f"x-goog-meta-{name}": value for name, value in grant.metadata.items()}
    return {
        "x-goog-if-generation-match": "0",
        "x-goog-content-length-range": f"0,{grant.max_bytes}",
        **metadata,
    }
