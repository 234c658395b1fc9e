"""`python -m models.evaluation denoise --data DIR` prints the table of a model's card."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from models.evaluation.card import write_figures
from models.evaluation.cost import Cost, Workload, measure
from models.training.photographs import permissive, photographs
from shared.imaging.picture import Pixels
from shared.inference.registry import Registry
from shared.inference.session import Model, ModelStore

REGISTRY = Path(__file__).parents[1] / "registry.toml"
#: Stages judged on the photographs kept for validation; the module of each has a `table(photographs, model)`.
ON_PHOTOGRAPHS = ("assess", "deblur", "denoise", "repair", "upscale")
#: Stages whose `table(folder, model)` chooses from the data folder itself: mattes, colourful photographs, sources of
#: the research class that were not trained on.
ON_FOLDER = ("background", "colorize", "low_light", "white_balance")


def main() -> None:
    """Print quality on the photographs kept for validation, then cost; write both into the card if told to."""
    arguments = parse()
    registry = Registry.load(REGISTRY)
    entry = registry.default(arguments.stage) if not arguments.model else registry.get(arguments.stage, arguments.model)
    if entry is None:
        raise SystemExit(f"{arguments.stage} has no model by default; name one with --model")
    model = ModelStore(registry, threads=arguments.threads).open(arguments.stage, entry.ref.id)
    print(f"{entry.ref.id}, version {entry.ref.version}, sha256 {entry.ref.sha256}")
    figures = [table(arguments, model)] if arguments.data else []
    figures.append(told(measure(REGISTRY, arguments.stage, entry.ref.id, Workload(threads=arguments.threads))))
    print("\n\n".join(figures))
    if arguments.card:
        write_figures(entry.path.parent / "README.md", "\n\n".join(figures))


def told(cost: Cost) -> str:
    """Seconds and memory in a sentence."""
    height, width = cost.workload.size
    return (
        f"{height}x{width} pixels, {cost.workload.threads} threads: {cost.elapsed_s:.2f} s, {cost.cpu_s:.2f} s of CPU, "
        f"peak memory of the process {cost.peak_mb:.0f} MB ({cost.before_mb:.0f} MB before the model was opened)"
    )


def table(arguments: argparse.Namespace, model: Model) -> str:
    """The stage's own table, with the number of photographs where this module chose them."""
    judged = import_module(f"models.evaluation.{arguments.stage}").table
    if arguments.stage in ON_FOLDER:
        return str(judged(arguments.data, model))
    shown = chosen(arguments.data, arguments.source)[: arguments.limit]
    return f"{len(shown)} photographs\n\n{judged(shown, model)}"


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
    parser.add_argument("--limit", type=int, help="judge on the first so many photographs, where they are not chosen")
    parser.add_argument("--model", help="id of a registered model instead of the stage's default one")
    parser.add_argument("--card", action="store_true", help="write the figures into the model's card as well")
    parser.add_argument("--threads", type=int, default=2, help="threads of onnxruntime")
    return parser.parse_args()


if __name__ == "__main__":
    main()
