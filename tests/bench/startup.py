"""How soon does a function that has just been started give its first answer?"""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.domain.envelope import encode
from darkroom.domain.job import job_id
from darkroom.domain.messages import ObjectRef, StageRequested, Step
from darkroom.domain.parameters import Stage
from darkroom.runtime.ports import NewObject
from darkroom.runtime.settings import PREFIX
from tests.bench.effort import Effort
from tests.bench.ours import default_step
from tests.bench.photograph import damaged_jpeg
from tests.bench.served import TIMEOUT_S, Function, serving, staged
from tests.bench.table import Table, median, ratio, seconds

HELLO = "a function that does nothing"
HELLO_SOURCE = """\
import functions_framework


@functions_framework.cloud_event
def hello(event):
    return None
"""
STAGES: tuple[Stage, ...] = ("assess", "denoise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A function, and what it is asked."""

    function: Function
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
        rounds = [[_start(asked) for asked in functions] for _ in range(effort.repetitions + 1)]
    # The first start of each writes the bytecode, which is done before a deployment.
    starts = {asked.function.told: [turn[place] for turn in rounds[1:]] for place, asked in enumerate(functions)}
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


def _functions(folder: Path, home: Path, data: bytes) -> list[Asked]:
    uploaded = LocalObjectStore(home).put("uploads", "a.jpg", NewObject(data=data, content_type="image/jpeg"))
    hello = folder / "hello"
    hello.mkdir()
    (hello / "main.py").write_text(HELLO_SOURCE)
    least = Function(told=HELLO, folder=hello, entry_point="hello")
    functions = [Asked(function=least, body=lambda: _push(b"{}", {}))]
    numbers = count()
    for stage in STAGES:
        step = default_step(stage)
        function = Function(
            told=f"{stage}, {step.method}",
            folder=staged(folder / stage, stage),
            entry_point=stage,
            environment={f"{PREFIX}HOME": str(home)},
        )
        functions.append(Asked(function=function, body=partial(_request, step, uploaded.ref, numbers)))
    return functions


def _request(step: Step, source: ObjectRef, numbers: "count[int]") -> bytes:
    named = step.model_copy(update={"output_name": f"{next(numbers)}.{step.output_name}"})
    request = StageRequested(job_id=job_id(source), run=1, index=0, step=named, input=source, source=source)
    return _push(*encode(request))


def _push(data: bytes, attributes: dict[str, str]) -> bytes:
    """The body of a Pub/Sub push."""
    message = {"data": base64.b64encode(data).decode(), "messageId": "1", "attributes": attributes}
    return json.dumps({"subscription": "projects/p/subscriptions/s", "message": message}).encode()


def _start(asked: Asked) -> Start:
    bodies = [asked.body(), asked.body()]
    begun = time.perf_counter()
    with serving(asked.function) as port:
        _ask(port, bodies[0])
        first = time.perf_counter()
        _ask(port, bodies[1])
        return Start(first_s=first - begun, next_s=time.perf_counter() - first)


def _ask(port: int, body: bytes) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("POST", "/", body=body, headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"the function answered {answer.status}")
