"""Mounts the functions of this repository as one WSGI application.

Each is built by functions-framework from its own `main.py`, as on Google Cloud, on its first request:

    POST /denoise/denoise       functions/denoise/main.py, entry point denoise
    POST /dispatcher/on_upload  functions/dispatcher/main.py, entry point on_upload
"""

import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import NotFound

from darkroom.runtime.installed import FUNCTIONS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PATH = re.compile(r"/([a-z][a-z0-9_]*)/([a-z][a-z0-9_]*)/?")


class MountedFunctions:
    """All functions of a folder as one WSGI application."""

    def __init__(self, folder: Path = FUNCTIONS) -> None:
        self._folder = folder
        self._applications: dict[tuple[str, str], WSGIApplication] = {}
        # Building changes the process: sys.path, sys.modules["main"], the environment.
        self._building = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        found = _PATH.fullmatch(environ["PATH_INFO"])
        if found is None or not self._source(found[1]).is_file():
            return NotFound()(environ, start_response)
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = f"/{found[1]}/{found[2]}", "/"
        return self.application(found[1], found[2])(environ, start_response)

    def application(self, folder: str, entry_point: str) -> "WSGIApplication":
        """The application of one function, built if it is not yet."""
        with self._building:
            if (folder, entry_point) not in self._applications:
                self._applications[folder, entry_point] = _build(self._source(folder), entry_point)
            return self._applications[folder, entry_point]

    def _source(self, folder: str) -> Path:
        return self._folder / folder / "main.py"


def _build(source: Path, entry_point: str) -> "WSGIApplication":
    from functions_framework import create_app

    build: Callable[..., WSGIApplication] = create_app
    return build(target=entry_point, source=str(source))
