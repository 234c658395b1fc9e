"""Identifies callers by a Google ID token.

A token is a JWT that Google signed for this API (its audience) and for one account. Services and people can sign in
with it instead of a key: `curl -H "Authorization: Bearer $(gcloud auth print-identity-token)"`.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from darkroom.auth.roles import Role
from darkroom.domain.errors import TransientError
from darkroom.domain.http_errors import Forbidden, NotAuthenticated

#: Three parts of base64url separated by dots; no API key has this form.
TOKEN = re.compile(r"[\w-]{1,2000}\.[\w-]{1,6000}\.[\w-]{1,2000}")
CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"
ISSUERS = ("accounts.google.com", "https://accounts.google.com")
#: Tokens that one process remembers, so that not every request fetches Google's certificates.
_REMEMBERED = 1000
#: Clocks may differ by so many seconds.
_SKEW_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleSignIn:
    """Verifies ID tokens."""

    #: The audience that a token must name, such as the API's address.
    audience: str
    #: The role of an account, by its address or by the domain of its address.
    roles: Mapping[str, Role]
    #: Address of the certificates of Google's signatures.
    certificates: str = CERTIFICATES
    _known: OrderedDict[str, tuple[str, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def account(self, token: str) -> tuple[str, Role]:
        """Address and role of a token's account.

        Raises NotAuthenticated if Google did not sign the token for this API, or it has expired; Forbidden if the
        account has no role; TransientError if Google's certificates cannot be had.
        """
        address = self._remembered(token) or self._verified(token)
        domain = address.rpartition("@")[2]
        role = self.roles.get(address) or self.roles.get(domain)
        if role is None:
            raise Forbidden(f"{address} has no role here")
        return address, role

    def _remembered(self, token: str) -> str | None:
        with self._lock:
            address, until = self._known.get(token, ("", 0.0))
        return address if time.time() < until else None

    def _verified(self, token: str) -> str:
        claims = self._claims(token)
        if claims.get("iss") not in ISSUERS:
            raise NotAuthenticated(f"the token was issued by {str(claims.get('iss'))[:80]!r}, not by Google")
        address = claims.get("email")
        if not isinstance(address, str) or claims.get("email_verified") is not True:
            raise NotAuthenticated("the token names no verified address of mail")
        with self._lock:
            self._known[token] = address.lower(), float(claims["exp"])
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return address.lower()

    def _claims(self, token: str) -> Mapping[str, Any]:
        from google.auth.exceptions import GoogleAuthError, TransportError
        from google.auth.transport.requests import Request
        from google.oauth2.id_token import verify_token

        try:
            claims: Mapping[str, Any] = verify_token(
                token, Request(), audience=self.audience, certs_url=self.certificates, clock_skew_in_seconds=_SKEW_S
            )
        except TransportError as exc:
            raise TransientError(f"Google's certificates cannot be had: {exc}") from exc
        except (GoogleAuthError, ValueError) as exc:
            raise NotAuthenticated(f"the token is not valid: {str(exc)[:200]}") from exc
        return claims
