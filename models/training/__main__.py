"""`python -m models.training denoise --data DIR` trains a network and exports it as ONNX."""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from models.training.export import export
from models.training.loop import Budget, Training, train
from models.training.recipes import RECIPES


def main() -> None:
    """Train, or only export the last checkpoint."""
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    recipe = RECIPES[arguments.model]
    if arguments.learning_rate:
        recipe = replace(recipe, learning_rate=arguments.learning_rate)
    training = Training(recipe=recipe, device=choose_device(arguments.device))
    arguments.out.mkdir(parents=True, exist_ok=True)
    checkpoint = arguments.out / f"{recipe.id}.pt"
    if arguments.resume or arguments.export_only:
        training.restore(checkpoint)
    if not arguments.export_only:
        examples = recipe.load(arguments.data)
        print(f"{len(examples.training)} examples to train on, {len(examples.validation)} to validate on")
        for exported in () if arguments.resume else arguments.start_from:
            training.start_from(exported, examples)
        budget = Budget(steps=arguments.steps, minutes=arguments.minutes)
        train(training, examples, checkpoint, budget=budget, workers=arguments.workers)
    digest = export(recipe, training.average, arguments.out / f"{recipe.id}.onnx")
    print(f"{arguments.out / f'{recipe.id}.onnx'} after {training.step} steps, sha256 {digest}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.training", description=__doc__)
    parser.add_argument("model", choices=sorted(RECIPES))
    parser.add_argument(
        "--data", type=Path, help="folder that holds photos/ and mattes/, files named after their sources"
    )
    parser.add_argument("--out", type=Path, default=Path("build/training"), help="folder of checkpoint and export")
    parser.add_argument("--steps", type=int, help="steps to train for; the learning rate follows them")
    parser.add_argument("--minutes", type=float, default=90.0, help="time to train for, if no steps are given")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of one step")
    parser.add_argument("--workers", type=int, default=0, help="threads that prepare batches ahead (for a GPU)")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument(
        "--start-from", type=Path, nargs="+", default=[], help="begin with the weights of exported files of this model"
    )
    parser.add_argument("--learning-rate", type=float, help="highest one, instead of the recipe's")
    parser.add_argument("--export-only", action="store_true", help="write the ONNX file of the checkpoint in --out")
    arguments = parser.parse_args()
    if arguments.data is None and not arguments.export_only:
        parser.error("--data is needed to train")
    return arguments


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


if __name__ == "__main__":
    main()
