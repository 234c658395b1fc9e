"""Where the credentials have no key of their own, as on Cloud Run, IAM signs: asked over TLS, as Google is."""

import base64
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.auth.credentials import Credentials
from google.cloud.storage import Client

from darkroom.adapters.gcp.signed_uploads import GcsUploads
from darkroom.domain.errors import TransientError
from darkroom.runtime.ports import UploadGrant

ACCOUNT = "fn-api@example.iam.gserviceaccount.com"
IAM = "iamcredentials.googleapis.com"


@dataclass
class Iam:
    """What was asked of it, and with which status it answers."""

    status: int = 200
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)


class Proxy(http.server.BaseHTTPRequestHandler):
    """Every connection through it leads to IAM, played by itself behind TLS."""

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        context: ssl.SSLContext = self.server.tls  # type: ignore[attr-defined]
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)  # type: ignore[assignment]
        self.close_connection = False

    def do_POST(self) -> None:
        iam: Iam = self.server.iam  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        iam.asked.append((self.headers["Host"] + self.path, self.headers["Authorization"], body))
        answer = json.dumps({"signedBlob": base64.b64encode(b"signed by IAM").decode()}).encode()
        self.send_response(iam.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def iam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Iam]:
    certificate = _certificate(tmp_path / "iam.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.iam, server.tls = Iam(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # type: ignore[attr-defined]
    server.tls.load_cert_chain(certificate)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield server.iam  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def _certificate(path: Path) -> Path:
    """A key and a certificate of its own for IAM's name."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, IAM)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(IAM)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return path


class Attached(Credentials):
    """Credentials of the account that Cloud Run runs as: a token, and no key."""

    service_account_email = ACCOUNT

    def refresh(self, request: Any) -> None:
        self.token, self.expiry = "token-of-the-account", None


def sign() -> Any:
    uploads = GcsUploads("project", client=Client("project", credentials=Attached()))
    grant = UploadGrant(
        bucket="uploads",
        name="api/1",
        content_type="image/jpeg",
        metadata={"owner": "ada"},
        max_bytes=100,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
        resumable=False,
    )
    return uploads.sign(grant)


def test_iam_signs_with_the_accounts_token(iam: Iam) -> None:
    signed = sign()
    ((path, authorization, body),) = iam.asked
    assert path == f"{IAM}/v1/projects/-/serviceAccounts/{ACCOUNT}:signBlob?alt=json"
    assert authorization == "Bearer token-of-the-account"
    assert base64.b64decode(json.loads(body)["payload"]).startswith(b"GOOG4-RSA-SHA256\n")
    query = parse_qs(urlsplit(signed.url).query)
    assert query["X-Goog-Signature"] == [b"signed by IAM".hex()]
    assert query["X-Goog-Credential"][0].startswith(f"{ACCOUNT}/")


def test_an_account_that_may_not_sign_is_told_as_what_may_pass(iam: Iam) -> None:
    iam.status = 403
    with pytest.raises(TransientError, match="sign an upload to uploads/api/1"):
        sign()
