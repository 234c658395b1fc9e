"""Accounts of Google come in with ID tokens, by roles that the settings give."""

import datetime
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt

from darkroom.api.core.application import Api
from darkroom.auth.google_sign_in import GoogleSignIn
from darkroom.runtime.settings import Settings
from tests.api_client import Service, flask_app, service

AUDIENCE = "https://darkroom.example"


class Issuer:
    """Signs tokens as Google does, and hands out its certificate on loopback."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.signer = crypt.RSASigner.from_string(key.private_bytes(*form), key_id="1")
        self.certificates = json.dumps({"1": certificate.public_bytes(serialization.Encoding.PEM).decode()}).encode()
        self.asked = 0

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        usual = {"iss": "https://accounts.google.com", "aud": AUDIENCE, "iat": now, "exp": now + 600, "sub": "7"}
        told = usual | {"email": "Ada@Example.com", "email_verified": True} | claims
        return str(jwt.encode(self.signer, told).decode())


@pytest.fixture(scope="module")
def issuer() -> Iterator[tuple[Issuer, str]]:
    made = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(made.certificates)

        def log_message(self, *_args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made, f"http://127.0.0.1:{server.server_port}/certs"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def house(issuer: tuple[Issuer, str], tmp_path: Path) -> Service:
    """A service that lets one account in as admin and a whole domain as submitters."""
    roles = "ada@example.com=admin, shop.example=submitter"
    made = service(Settings(home=tmp_path / "home", google_audience=AUDIENCE, google_roles=roles))
    made.key("somebody", "admin")
    google = GoogleSignIn(audience=AUDIENCE, roles=made.world.system.settings.accounts, certificates=issuer[1])
    parts = replace(made.api.app, authenticator=replace(made.api.app.authenticator, google=google))
    made.client = flask_app(Api(app=parts, rate_limiter=made.api.rate_limiter, router=made.api.router)).test_client()
    return made


def ask(house: Service, token: str, path: str = "/v1/jobs") -> Any:
    return house.client.get(path, headers={"Authorization": f"Bearer {token}"})


def test_an_account_comes_in_with_its_role_and_owns_what_it_posts(house: Service, issuer: tuple[Issuer, str]) -> None:
    token = issuer[0].token()
    assert house.post_job(headers={"Authorization": f"Bearer {token}"}).get_json()["owner"] == "ada@example.com"
    assert ask(house, token, "/v1/qc/pending").status_code == 200


def test_a_domain_has_a_role_and_other_accounts_have_none(house: Service, issuer: tuple[Issuer, str]) -> None:
    clerk = issuer[0].token(email="clerk@shop.example")
    assert ask(house, clerk).status_code == 200
    assert ask(house, clerk, "/v1/qc/pending").status_code == 403
    stranger = ask(house, issuer[0].token(email="eve@elsewhere.example"))
    assert (stranger.status_code, stranger.get_json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://another.example"},
        {"iss": "https://evil.example"},
        {"exp": int(time.time()) - 600, "iat": int(time.time()) - 1200},
        {"email_verified": False},
        {"email": None},
    ],
    ids=["for another service", "from another issuer", "expired", "address not verified", "no address"],
)
def test_a_token_that_is_not_for_here_is_401(house: Service, issuer: tuple[Issuer, str], claims: Any) -> None:
    answer = ask(house, issuer[0].token(**claims))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "not_authenticated")


def test_a_token_that_another_key_signed_is_401(house: Service) -> None:
    assert ask(house, Issuer().token()).status_code == 401


def test_the_certificates_are_not_asked_for_again_with_the_same_token(house: Service, issuer: Any) -> None:
    token = issuer[0].token(sub="again")
    before = issuer[0].asked
    assert {ask(house, token).status_code for _ in range(3)} == {200}
    assert issuer[0].asked == before + 1


def test_keys_still_come_in_beside(house: Service) -> None:
    assert house.client.get("/v1/jobs", headers=house.key("bob", "submitter")).status_code == 200


def test_roles_that_nobody_knows_are_refused_with_the_settings() -> None:
    with pytest.raises(ValueError, match=r"'ada@example\.com=king' is no role"):
        Settings(google_roles="ada@example.com=king")
