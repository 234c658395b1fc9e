"""Stage networks that are installed on this machine: each into the function of its stage alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from darkroom.domain.errors import ConfigurationError
from darkroom.inference.figures import Cost
from darkroom.inference.registry import Registry
from darkroom.inference.user_models import AddedModels, Table

#: What an instance may be given in GiB; the least is the default of a stage (infra/functions.tf).
MEMORY_GIB = (2, 4, 8, 16, 32)
#: Room beside the measured peak: pictures of other sizes, and the growth of a process that lives long.
HEADROOM = 1.25
#: Processor seconds of one use up to which so many processors are enough.
CPU_SECONDS = ((1, 4.0), (2, 12.0))
#: Processors of a function whose network needs more time.
MOST_CPUS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An installed network that is to be deployed."""

    #: Its `[[model]]` table, as the default of its stage.
    table: Table
    #: Its ONNX file on this machine.
    path: Path
    cost: Cost | None

    @property
    def stage(self) -> str:
        """The stage, and so the function, that uses it."""
        return str(self.table["stage"])

    @property
    def file(self) -> str:
        """Path of the ONNX file below `models/` of the function."""
        return str(self.table["file"])


def chosen(folder: Path, names: Sequence[str]) -> tuple[Deployed, ...]:
    """Return the installed networks of these names.

    Raises ConfigurationError for a name that is not installed, or for two networks of one stage and scale.
    """
    installed = AddedModels(folder=folder)
    tables = {str(table["id"]): table for table in installed.tables()}
    if unknown := sorted(set(names) - tables.keys()):
        known = ", ".join(sorted(tables)) or "none"
        raise ConfigurationError(
            f"{', '.join(unknown)} is not installed here, only {known}; darkroom models get fetches it"
        )
    entries = {entry.ref.id: entry for entry in Registry.load(installed.registry).entries} if tables else {}
    slots = [(entries[name].stage, entries[name].contract.scale) for name in names]
    if len(set(slots)) < len(slots):
        raise ConfigurationError(f"two of {', '.join(names)} would be the default of one stage")
    return tuple(
        Deployed(table={**tables[name], "preferred": True}, path=entries[name].path, cost=entries[name].cost)
        for name in names
    )


def size_for(costs: Sequence[Cost]) -> dict[str, int | str]:
    """Return the `cpu` and `memory` of an instance that uses models of these costs; nothing without any."""
    if not costs:
        return {}
    needed_gib = max(cost.memory_mb for cost in costs) * HEADROOM * 1e6 / 2**30
    memory = next((gib for gib in MEMORY_GIB if gib >= needed_gib), MEMORY_GIB[-1])
    slowest_s = max(cost.cpu_s for cost in costs)
    cpu = next((count for count, limit_s in CPU_SECONDS if slowest_s <= limit_s), MOST_CPUS)
    return {"cpu": cpu, "memory": f"{memory}Gi"}
