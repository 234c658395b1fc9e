"""How long does a client wait for a picture that is worked on at once?

Over HTTP on loopback: the API as it is deployed, and beside it a function of bare Flask and OpenCV behind the same
server, one process each, asked by turns, one request at a time on a connection of its own.
"""

import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from darkroom.runtime.settings import PREFIX
from tests.bench.effort import Effort
from tests.bench.photograph import damaged_jpeg
from tests.bench.served import TIMEOUT_S, Function, serving, staged
from tests.bench.table import Table, ratio

#: A slow request is repeated only until both sides have taken so long in all, in seconds.
ENOUGH_S = 20.0
ALL_ADJUSTMENTS = "brightness=0.2&contrast=0.1&saturation=0.2&temperature=0.1&smoothing=1&sharpness=0.5"
#: Nobody else asks: the limit must not be met.
RATE_PER_MINUTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the API, and the path of the same kind of work in bare OpenCV."""

    told: str
    path: str
    bare: str
    megapixels: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """The milliseconds of every counted answer, from the request to the last byte."""

    request: Request
    ours_ms: tuple[float, ...]
    theirs_ms: tuple[float, ...]


def run(effort: Effort) -> Table:
    """Ask both functions for the same things by turns."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        ports = [stack.enter_context(serving(function)) for function in _functions(Path(name))]
        waited = [_waited(request, ports, effort.requests) for request in _requests(effort)]
    return Table(
        title="API: from a request to the last byte of its answer, over HTTP on loopback",
        columns=("request", "MP", "p50 ms", "p95 ms", "bare p50 ms", "bare p95 ms", "p50", "p95", "answers"),
        rows=tuple(_row(each) for each in waited),
        notes=(
            "Bare: Flask and OpenCV alone behind the same server; see `tests/bench/bare_function.py` for what it does. "
            "It measures, decides and checks nothing, and has no networks. "
            f"A kind of request ends after {ENOUGH_S:g} s; of few answers, p95 is nearly the slowest.",
        ),
        raw=tuple(asdict(each) for each in waited),
    )


def _requests(effort: Effort) -> list[Request]:
    megapixels = effort.api_mp[-1]
    return [
        Request(told="adjust, brightness", path="/v1/adjust?brightness=0.2", bare="/brighten", megapixels=megapixels),
        Request(told="adjust, everything", path=f"/v1/adjust?{ALL_ADJUSTMENTS}", bare="/adjust", megapixels=megapixels),
        Request(
            told="stages/white_balance",
            path="/v1/stages/white_balance",
            bare="/white_balance",
            megapixels=megapixels,
        ),
        *(
            Request(told=f"enhance, {preset}", path=f"/v1/enhance?pipeline={preset}", bare=f"/{preset}", megapixels=mp)
            for preset in effort.presets
            for mp in effort.api_mp
        ),
    ]


def _functions(folder: Path) -> tuple[Function, Function]:
    settings = {f"{PREFIX}HOME": str(folder / "home"), f"{PREFIX}API_RATE_PER_MINUTE": str(RATE_PER_MINUTE)}
    bare = folder / "bare"
    bare.mkdir()
    shutil.copy(Path(__file__).with_name("bare_function.py"), bare / "main.py")
    api = staged(folder / "api", "api")
    return (
        Function(told="api", folder=api, entry_point="api", environment=settings),
        Function(told="bare", folder=bare, entry_point="bare"),
    )


def _waited(request: Request, ports: Sequence[int], count: int) -> Waited:
    """One answer of each that does not count, then the counted ones by turns."""
    print(f"… {request.told}, {request.megapixels:g} MP", file=sys.stderr)
    data = damaged_jpeg(request.megapixels)
    paths = (request.path, request.bare)
    found: list[list[float]] = []
    begun = time.perf_counter()
    while len(found) <= count and (len(found) < 2 or time.perf_counter() - begun < ENOUGH_S):
        found.append([_answer_ms(*each, data) for each in zip(ports, paths, strict=True)])
    ours_ms, theirs_ms = zip(*found[1:], strict=True)
    return Waited(request=request, ours_ms=ours_ms, theirs_ms=theirs_ms)


def _answer_ms(port: int, path: str, data: bytes) -> float:
    begun = time.perf_counter()
    with closing(HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)) as connection:
        connection.request("POST", path, body=data, headers={"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        body = answer.read()
    elapsed_s = time.perf_counter() - begun
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}: {body[:400].decode(errors='replace')}")
    return 1000.0 * elapsed_s


def _row(waited: Waited) -> tuple[str, ...]:
    ours, theirs = _quantiles(waited.ours_ms), _quantiles(waited.theirs_ms)
    request = waited.request
    times = (ratio(mine, other) for mine, other in zip(ours, theirs, strict=True))
    figures = (f"{value:.0f}" if value >= 100.0 else f"{value:.1f}" for value in (*ours, *theirs))
    return (request.told, f"{request.megapixels:g}", *figures, *times, str(len(waited.ours_ms)))


def _quantiles(values_ms: Sequence[float]) -> tuple[float, float]:
    """The middle value and the 95th percentile."""
    if len(values_ms) == 1:
        return values_ms[0], values_ms[0]
    return statistics.median(values_ms), statistics.quantiles(values_ms, n=20, method="inclusive")[-1]
