"""Signs values with the key of the system, and verifies them."""

import os
import secrets
from pathlib import Path

from darkroom.runtime.settings import Settings

KEY_FILE = "signing-key"


def signing_key(settings: Settings) -> str:
    """The key of all signatures; empty if the deployment has none.

    The local backend creates one on first use; only its user can read it.
    """
    if settings.signing_key or settings.backend != "local":
        return settings.signing_key
    return _own_key(settings.home / KEY_FILE)


def _own_key(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{KEY_FILE}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    try:
        os.link(draft, path)  # the first process wins, and no process reads a part of a key
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii")
