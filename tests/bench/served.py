"""A function in a process of its own, served by the console script of functions-framework."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.cost import ROOT

TIMEOUT_S = 60.0
#: Between two attempts to connect to a process that does not listen yet, in seconds.
PATIENCE_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function as it is deployed, in a folder of its own."""

    told: str
    folder: Path
    entry_point: str
    #: Its settings; the process knows nothing else of the environment but where programs are.
    environment: Mapping[str, str] = field(default_factory=dict)


def staged(folder: Path, name: str) -> Path:
    """What a deployment of the function packs, in that folder."""
    unwanted = shutil.ignore_patterns("__pycache__", "training", "evaluation")
    for source, place in (("shared/darkroom", "darkroom"), ("models", "darkroom/models")):
        shutil.copytree(ROOT / source, folder / place, ignore=unwanted)
    shutil.copy(ROOT / "functions" / name / "main.py", folder)
    return folder


@contextmanager
def serving(function: Function) -> Iterator[int]:
    """The port on which the function listens."""
    port = _free_port()
    script = str(Path(sys.executable).parent / "functions-framework")
    told = ["--target", function.entry_point, "--source", "main.py", "--host", "127.0.0.1", "--port", str(port)]
    environment = {"PATH": os.environ["PATH"], **function.environment}
    process = subprocess.Popen([script, *told], cwd=function.folder, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(PATIENCE_S)
    raise TimeoutError(f"nobody listens on port {port} after {TIMEOUT_S:g} s")
