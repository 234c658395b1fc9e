"""Absolute URLs of this service."""

from flask import Request


def base_url(request: Request) -> str:
    """Scheme and host under which the client reaches the service, without a slash at the end.

    Google's front end ends the encrypted connection, and names the client's scheme in `X-Forwarded-Proto`.
    """
    is_https = request.headers.get("X-Forwarded-Proto") == "https"
    return f"{'https' if is_https else request.scheme}://{request.host}"
