"""How soon does a function that has just been started give its first answer?"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.adapters.local_objects import LocalObjectStore
from shared.job import job_id
from shared.messages import ObjectRef, StageRequested, Step, encode
from shared.parameters import Stage
from shared.ports import NewObject
from shared.settings import PREFIX
from tests.bench.cost import ROOT
from tests.bench.effort import Effort
from tests.bench.ours import default_step
from tests.bench.photograph import damaged_jpeg
from tests.bench.table import Table, median, ratio, seconds

HELLO = "a function that does nothing"
HELLO_SOURCE = """\
import functions_framework


@functions_framework.cloud_event
def hello(event):
    return None
"""
STAGES: tuple[Stage, ...] = ("assess", "denoise")
TIMEOUT_S = 60.0
#: Between two attempts to connect to a process that does not listen yet, in seconds.
PATIENCE_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function as it is deployed, in a folder of its own, and what it is asked."""

    told: str
    folder: Path
    entry_point: str
    #: The body of the next request: each asks for another output, as one that is written would not be made again.
    body: Callable[[], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start of a function; seconds."""

    #: From the start of the process to the first answer.
    first_s: float
    #: From the next request to its answer: what the work alone takes.
    next_s: float


def run(effort: Effort) -> Table:
    """Start each function by the console script of functions-framework, in turn, and ask it twice."""
    with TemporaryDirectory() as name:
        home = Path(name) / "home"
        functions = _functions(Path(name), home, damaged_jpeg(effort.startup_mp))
        rounds = [[_start(function, home) for function in functions] for _ in range(effort.repetitions + 1)]
    # The first start of each writes the bytecode, which is done before a deployment.
    starts = {function.told: [turn[place] for turn in rounds[1:]] for place, function in enumerate(functions)}
    least = median(start.first_s for start in starts[HELLO])
    return Table(
        title=f"Start: from the start of the process to the first answer, a photograph of {effort.startup_mp:g} MP",
        columns=("function", "first answer s", "next answer s", "time"),
        rows=tuple(_row(told, found, least) for told, found in starts.items()),
        notes=("The bytecode is there already; the files are in the operating system's cache.",),
        raw=tuple({"function": told, "starts": [asdict(it) for it in found]} for told, found in starts.items()),
    )


def _row(told: str, starts: list[Start], least: float) -> tuple[str, ...]:
    first_s = median(start.first_s for start in starts)
    return told, seconds(first_s), seconds(median(start.next_s for start in starts)), ratio(first_s, least)


def _functions(folder: Path, home: Path, data: bytes) -> list[Function]:
    uploaded = LocalObjectStore(home).put("uploads", "a.jpg", NewObject(data=data, content_type="image/jpeg"))
    hello = folder / "hello"
    hello.mkdir()
    (hello / "main.py").write_text(HELLO_SOURCE)
    functions = [Function(told=HELLO, folder=hello, entry_point="hello", body=lambda: _push(b"{}", {}))]
    numbers = count()
    for stage in STAGES:
        step = default_step(stage)
        body = partial(_request, step, uploaded.ref, numbers)
        staged = _stage(folder / stage, stage)
        functions.append(Function(told=f"{stage}, {step.method}", folder=staged, entry_point=stage, body=body))
    return functions


def _stage(folder: Path, stage: Stage) -> Path:
    """What a deployment packs."""
    unwanted = shutil.ignore_patterns("__pycache__", "training", "evaluation")
    for package in ("shared", "models"):
        shutil.copytree(ROOT / package, folder / package, ignore=unwanted)
    shutil.copy(ROOT / "functions" / stage / "main.py", folder)
    return folder


def _request(step: Step, source: ObjectRef, numbers: "count[int]") -> bytes:
    named = step.model_copy(update={"output_name": f"{next(numbers)}.{step.output_name}"})
    request = StageRequested(job_id=job_id(source), run=1, index=0, step=named, input=source, source=source)
    return _push(*encode(request))


def _push(data: bytes, attributes: dict[str, str]) -> bytes:
    """The body of a Pub/Sub push."""
    message = {"data": base64.b64encode(data).decode(), "messageId": "1", "attributes": attributes}
    return json.dumps({"subscription": "projects/p/subscriptions/s", "message": message}).encode()


def _start(function: Function, home: Path) -> Start:
    port, bodies = _free_port(), [function.body(), function.body()]
    script = str(Path(sys.executable).parent / "functions-framework")
    told = ["--target", function.entry_point, "--source", "main.py", "--host", "127.0.0.1", "--port", str(port)]
    environment = {"PATH": os.environ["PATH"], f"{PREFIX}HOME": str(home)}
    begun = time.perf_counter()
    process = subprocess.Popen([script, *told], cwd=function.folder, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        _ask(port, bodies[0])
        first = time.perf_counter()
        _ask(port, bodies[1])
        return Start(first_s=first - begun, next_s=time.perf_counter() - first)
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


def _ask(port: int, body: bytes) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("POST", "/", body=body, headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"the function answered {answer.status}")
