"""`python -m models.evaluation denoise --data DIR` prints the table of a model's card.

`python -m models.evaluation trust --data DIR` judges the verdict of the whole service.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path

from darkroom.imaging.picture import Pixels
from darkroom.inference.registry import ModelEntry, Registry
from darkroom.inference.session import Model, ModelStore
from darkroom.runtime.bootstrap import installed_models
from darkroom.runtime.settings import read_settings
from models.evaluation.card import write_figures
from models.evaluation.cost import Cost, Workload, measure, processor
from models.evaluation.trust import command as trust
from models.training.photographs import permissive, photographs

#: Cards of networks that are installed from elsewhere: their files are not here.
CARDS = Path(__file__).parents[1] / "networks"
#: Stages judged on the photographs kept for validation; the module of each has a `table(photographs, model)`.
ON_PHOTOGRAPHS = ("assess", "deblur", "denoise", "repair", "upscale")
#: Stages whose `table(folder, model)` chooses from the data folder itself: mattes, colourful photographs, sources of
#: the research class that were not trained on.
ON_FOLDER = ("background", "colorize", "low_light", "white_balance")


def main() -> None:
    """Print quality on the photographs kept for validation, then cost; write both into the card if requested."""
    if sys.argv[1:2] == ["trust"]:
        trust.main(sys.argv[2:])
        return
    arguments = parse()
    registry = installed_models(read_settings(os.environ))
    entry = chosen_entry(arguments, registry)
    store = ModelStore(registry, threads=arguments.threads)
    model = store.open(arguments.stage, entry.ref.id)
    print(f"{entry.ref.id}, version {entry.ref.version}, sha256 {entry.ref.sha256}")
    figures = [table(arguments, model, rival(entry, registry, store))] if arguments.data else []
    figures.append(described(measure(registry, arguments.stage, entry.ref.id, Workload(threads=arguments.threads))))
    print("\n\n".join(figures))
    if arguments.card:
        write_figures(card(entry), "\n\n".join(figures))


def chosen_entry(arguments: argparse.Namespace, registry: Registry) -> ModelEntry:
    """The model that is named, built-in or installed, or the built-in default."""
    if arguments.model:
        return registry.get(arguments.stage, arguments.model)
    entry = registry.default(arguments.stage, quality="fast")
    if entry is None:
        raise SystemExit(f"{arguments.stage} has no model by default; name one with --model")
    return entry


def rival(entry: ModelEntry, registry: Registry, store: ModelStore) -> Model | None:
    """The built-in model that an installed one is judged beside."""
    scale = float(entry.contract.scale)
    other = registry.default(entry.stage, scale, quality="fast") if entry.installed else None
    return store.open(other.stage, other.ref.id) if other else None


def card(entry: ModelEntry) -> Path:
    """The card of a model: beside its file, or among those of the networks that are installed from elsewhere."""
    return CARDS / f"{entry.ref.id}.md" if entry.installed else entry.path.parent / "README.md"


def described(cost: Cost) -> str:
    """Seconds and memory in a sentence."""
    height, width = cost.workload.size
    return (
        f"{height}x{width} pixels, {cost.workload.threads} threads: {cost.elapsed_s:.2f} s, {cost.cpu_s:.2f} s of CPU, "
        f"peak memory of the process {cost.peak_mb:.0f} MB ({cost.before_mb:.0f} MB before the model was opened), "
        f"on {processor(Path('/proc/cpuinfo').read_text(encoding='utf-8'))}"
    )


def table(arguments: argparse.Namespace, model: Model, built_in: Model | None) -> str:
    """The stage's own table, with the number of photographs where this module chose them."""
    judged = import_module(f"models.evaluation.{arguments.stage}").table
    beside = {"built_in": built_in} if "built_in" in signature(judged).parameters else {}
    if arguments.stage in ON_FOLDER:
        return str(judged(arguments.data, model, **beside))
    shown = chosen(arguments.data, arguments.source)[: arguments.limit]
    return f"{len(shown)} photographs\n\n{judged(shown, model, **beside)}"


def chosen(folder: Path, source: str | None) -> Sequence[Pixels]:
    """The photographs kept for validation, or all of a source that was not trained on."""
    if source is None:
        return permissive(folder).validation
    split = photographs(folder, lambda path: path.name.startswith(f"{source}_"))
    return (*split.training, *split.validation)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation", description=__doc__)
    parser.add_argument("stage", choices=sorted((*ON_PHOTOGRAPHS, *ON_FOLDER)))
    parser.add_argument("--data", type=Path, help="folder with photos/ named after their sources; only cost if absent")
    parser.add_argument("--source", help="prefix of the files of a source that the model was not trained on")
    parser.add_argument(
        "--limit", type=int, help="use only the first photographs, this many, where they are not chosen"
    )
    parser.add_argument("--model", help="id of a built-in or installed model instead of the built-in default")
    parser.add_argument("--card", action="store_true", help="write the figures into the model's card as well")
    parser.add_argument("--threads", type=int, default=2, help="threads of onnxruntime")
    return parser.parse_args()


if __name__ == "__main__":
    main()
