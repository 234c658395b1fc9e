"""Finds the packages that imports need, and their pinned versions.

The distribution of each imported module is found in this environment; the versions come from `requirements.txt`, which
must pin every one of them and everything that they need.
"""

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: A pinned package with the lines of its hashes, if it has any.
PIN = re.compile(
    r"^(?P<pin>(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s\\]+))(?P<hashes>(?: \\\n +--hash=sha256:[0-9a-f]{64})*)$",
    re.MULTILINE,
)


class Unpinned(Exception):
    """A package is needed and `requirements.txt` does not pin it, or it is not installed here."""


def canonical(name: str) -> str:
    """The name of a package as indexes write it: `pi_heif` is `pi-heif`."""
    return canonicalize_name(name)


def pins(requirements: str) -> dict[str, str]:
    """Canonical name to the pin of `requirements.txt`, with its hashes."""
    return {canonical(found["name"]): found[0] for found in PIN.finditer(requirements)}


def needed(foreign: Collection[str], pinned: Mapping[str, str]) -> list[str]:
    """The pins, with hashes, for everything that `foreign` names and for what those packages need, sorted."""
    direct = {_provider(name) for name in foreign if name.partition(".")[0] not in sys.stdlib_module_names}
    names = _with_needs(name for name in direct if name is not None)
    missing = sorted(names - pinned.keys())
    if missing:
        raise Unpinned(f"requirements.txt does not pin {', '.join(missing)}")
    return sorted((pinned[name] for name in names), key=str.lower)


def _provider(module: str) -> str | None:
    """The distribution that contains a module; None for a name that is not a module but a member of one."""
    path = module.replace(".", "/")
    owners = _owners()
    return next((owners[found] for found in _spellings(path) if found in owners), None)


def _spellings(path: str) -> Iterator[str]:
    yield f"{path}/__init__.py"
    yield f"{path}.py"


@cache
def _owners() -> Mapping[str, str]:
    """Path of every Python file in this environment to the distribution that installed it."""
    installed = [(_name(each), each.files or ()) for each in distributions()]
    return {str(file): name for name, files in installed for file in files if file.suffix == ".py"}


def _name(each: Distribution) -> str:
    return canonicalize_name(each.metadata["Name"])


def _with_needs(names: Iterable[str]) -> set[str]:
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in sorted(names)]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        new = {(need, more) for need, more in _needs(name, extras)} - seen
        seen |= new
        waiting += sorted(new, key=lambda each: each[0])
    return {name for name, _ in seen}


@cache
def _needs(name: str, extras: frozenset[str]) -> tuple[tuple[str, frozenset[str]], ...]:
    """The packages, each with its extras, that a distribution needs when it is installed with `extras`."""
    requirements = map(Requirement, distribution(name).requires or ())
    return tuple(
        (canonicalize_name(each.name), frozenset(each.extras)) for each in requirements if _applies(each, extras)
    )


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def read_pins(root: Path) -> dict[str, str]:
    """The pins of the repository."""
    return pins((root / "requirements.txt").read_text(encoding="utf-8"))
