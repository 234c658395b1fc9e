"""`python -m infra.staging [TARGET] [--gpu STAGE …] [--models NETWORK …]` stages all functions, and prints them.

With `--gpu` the named stages are staged a second time, for a machine with a GPU. With `--models` networks that are
installed on this machine become the defaults of their stages.
"""

import argparse
import os
import sys
from pathlib import Path

from darkroom.domain.errors import ConfigurationError
from darkroom.domain.topology import STAGES
from darkroom.runtime.bootstrap import user_models_folder
from darkroom.runtime.settings import read_settings
from infra.staging.gpu import GpuSource, NothingToAccelerate, stage_gpus
from infra.staging.networks import chosen
from infra.staging.stage import Staged, stage_all

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    arguments = _parser().parse_args()
    sys.stdout.write(f"{'function':<15}{'code kB':>9}{'models kB':>11}{'zip kB':>8}{'packages':>10}  archive\n")
    try:
        networks = chosen(user_models_folder(read_settings(os.environ)) or Path(), arguments.models)
    except ConfigurationError as error:
        sys.exit(str(error))
    staged = stage_all(ROOT, arguments.target, deployed=networks)
    for each in staged:
        sys.stdout.write(_line(each))
    try:
        sources = stage_gpus(ROOT, staged, arguments.target, arguments.gpu)
    except NothingToAccelerate as error:
        sys.exit(str(error))
    for source in sources:
        sys.stdout.write(_gpu_line(source))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.staging", description="Stage every function.")
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "build", help="folder of the archives")
    parser.add_argument("--gpu", nargs="*", default=[], choices=STAGES, metavar="STAGE", help="stages with a GPU")
    parser.add_argument("--models", nargs="*", default=[], metavar="NETWORK", help="installed networks to deploy")
    return parser


def _line(each: Staged) -> str:
    sizes = f"{each.code_bytes / 1e3:>9.0f}{each.model_bytes / 1e3:>11.0f}{each.archive_bytes / 1e3:>8.0f}"
    return f"{each.function:<15}{sizes}{len(each.requirements):>10}  {each.archive.name}{_named(each)}\n"


def _named(each: Staged) -> str:
    names = ", ".join(str(network.table["id"]) for network in each.deployed)
    return f" with {names}" if names else ""


def _gpu_line(source: GpuSource) -> str:
    return f"{source.function:<15}with a GPU, from the folder {source.folder.name}, image tag {source.digest}\n"


if __name__ == "__main__":
    main()
