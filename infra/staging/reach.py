"""Finds the modules that a function imports, directly and indirectly.

Found by reading, not by running: imports inside functions count too, because they run later. What one kind of function
can never come to is listed in `LEFT_OUT`; the tests start every staged function without it.
"""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from darkroom.domain.topology import STAGES

#: Our own package, which is included in every function, and its parent folder.
OWN, SOURCES = "darkroom", "shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Modules that some functions import in a branch that they never take."""

    #: Beginnings of dotted names.
    modules: tuple[str, ...]
    #: Folders of `functions/`; None for every function.
    functions: frozenset[str] | None = None
    why: str


_EVENT_DRIVEN = frozenset({"dispatcher", "importer", *STAGES})

LEFT_OUT: tuple[LeftOut, ...] = (
    LeftOut(modules=("darkroom.adapters.local",), why="the backend is Google Cloud"),
    LeftOut(modules=("darkroom.library",), why="functions do not use the Python interface"),
    LeftOut(modules=("darkroom.execution.runner",), functions=_EVENT_DRIVEN, why="one step at a time"),
    LeftOut(
        modules=("darkroom.handlers.stages", "darkroom.inference.session", "darkroom.imaging"),
        functions=frozenset({"dispatcher", "importer"}),
        why="the dispatcher plans, the importer fetches, and neither reads pixels",
    ),
    LeftOut(
        modules=("darkroom.inference.session",),
        functions=frozenset({"finish"}),
        why="finishing runs no model",
    ),
    LeftOut(
        modules=("google.cloud.firestore",),
        functions=frozenset(STAGES),
        why="a stage is a function from objects to objects",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a function needs."""

    #: Our own modules, by their path from the root, sorted.
    files: tuple[Path, ...]
    #: Dotted names imported from elsewhere, the standard library among them.
    foreign: frozenset[str]


def reach(root: Path, function: str) -> Reach:
    """Everything that `functions/<function>/main.py` may import."""
    left_out = _left_out(function)
    files, foreign = set(_by_name(root, function)), set[str]()
    waiting = [Path("functions") / function / "main.py", *sorted(files)]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        for name in _names((root / path).read_text(encoding="utf-8")):
            if name.startswith(left_out):
                continue
            if name.partition(".")[0] != OWN:
                foreign.add(name)
                continue
            found = set(_files(root, name)) - seen
            seen |= found
            waiting += sorted(found)
            files |= found
    return Reach(files=tuple(sorted(files)), foreign=frozenset(foreign))


def _by_name(root: Path, function: str) -> Iterator[Path]:
    """The modules that `darkroom.stages.restore` imports by name: one stage, or all of them for whole pipelines."""
    stages = {"dispatcher": (), "importer": ()}.get(function, (function,) if function in STAGES else STAGES)
    for stage in stages:
        yield from _files(root, f"darkroom.stages.{stage}")


def _left_out(function: str) -> tuple[str, ...]:
    rules = (rule for rule in LEFT_OUT if rule.functions is None or function in rule.functions)
    return tuple(module for rule in rules for module in rule.modules)


@cache
def _names(source: str) -> tuple[str, ...]:
    return tuple(imported(ast.parse(source)))


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names that a module imports when it runs; of `from a import b` both `a` and `a.b`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imported(node)


def _files(root: Path, name: str) -> Iterator[Path]:
    """The files of a module and of its packages; nothing for a name that is not a module."""
    parts = name.split(".")
    folder = Path(SOURCES, *parts)
    module = folder.with_suffix(".py")
    if not ((root / folder).is_dir() or (root / module).is_file()):
        return
    packages = [Path(SOURCES, *parts[: end + 1]) / "__init__.py" for end in range(len(parts))]
    yield from (path for path in (*packages, module) if (root / path).is_file())


def functions(root: Path) -> Collection[str]:
    """The folders of `functions/` that can be deployed, sorted."""
    return sorted(path.parent.name for path in (root / "functions").glob("*/main.py"))
