"""What does a piece of work cost, in a process of its own?"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.photograph import damaged_jpeg
from tests.bench.table import Raw, median

ROOT = Path(__file__).resolve().parents[2]
#: A slow piece of work is repeated only until it has taken so long in all.
ENOUGH_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Every single measurement of one piece of work."""

    #: What was measured, and with how large a picture.
    work: str
    megapixels: float
    #: Wall-clock seconds of the first call, which loads what is loaded once. It counts only if there is no other.
    first_s: float
    walls_s: tuple[float, ...]
    #: Processor seconds of all threads.
    cpus_s: tuple[float, ...]
    #: Highest resident memory of the whole process, interpreter and libraries included; and what it was before.
    peak_mb: float
    before_mb: float
    #: What the work tells of its parts, if it does: of each, one number for each call.
    parts: dict[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def wall_s(self) -> float:
        return median(self.walls_s)

    @property
    def cpu_s(self) -> float:
        return median(self.cpus_s)

    def raw(self) -> Raw:
        """For `--json`."""
        return asdict(self)


def measured(works: Sequence[str], megapixels: float, repetitions: int) -> list[Cost]:
    """Do each work once and then `repetitions` times, all by turns, each in a fresh process of its own.

    A work is `module:name`: the module's function `prepare(name, data)` is given the photograph's file and returns
    what is to be timed. By turns, so that whatever else the machine does meets all of them.
    """
    print(f"… {megapixels:g} MP: {', '.join(work.partition(':')[2] for work in works)}", file=sys.stderr)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        photograph = Path(folder) / "photograph.jpg"
        photograph.write_bytes(damaged_jpeg(megapixels))
        children = [stack.enter_context(_started(work, photograph)) for work in works]
        for _ in range(repetitions + 1):
            for child in children:
                child.act()
        return [child.cost(megapixels) for child in children]


class _Child:
    def __init__(self, work: str, process: "subprocess.Popen[str]") -> None:
        self._work = work
        self._process = process
        self._before_mb: float = self._answer()["before_mb"]
        self._runs: list[dict[str, Any]] = []

    def act(self) -> None:
        """Have the work done once more, unless it has taken long enough."""
        if sum(run["wall_s"] for run in self._runs) > ENOUGH_S:
            return
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        self._runs.append(self._answer())

    def cost(self, megapixels: float) -> Cost:
        counted = self._runs[1:] or self._runs
        return Cost(
            work=self._work.partition(":")[2],
            megapixels=megapixels,
            first_s=self._runs[0]["wall_s"],
            walls_s=tuple(run["wall_s"] for run in counted),
            cpus_s=tuple(run["cpu_s"] for run in counted),
            peak_mb=self._runs[-1]["peak_mb"],
            before_mb=self._before_mb,
            parts={name: tuple(run["parts"][name] for run in counted) for name in counted[0]["parts"]},
        )

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._work} ended with status {self._process.wait()}")
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def _started(work: str, photograph: Path) -> Iterator[_Child]:
    command = [sys.executable, "-m", "tests.bench.child", work, str(photograph)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield _Child(work, process)
