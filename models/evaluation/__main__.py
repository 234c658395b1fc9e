"""`python -m models.evaluation denoise --data DIR` prints the table of a model's card."""

import argparse
from pathlib import Path

from models.evaluation import denoise, upscale
from models.evaluation.cost import Workload, measure
from models.training.photographs import Photographs
from shared.inference.registry import Registry
from shared.inference.session import ModelStore

REGISTRY = Path(__file__).parents[1] / "registry.toml"
TABLES = {"denoise": denoise.table, "upscale": upscale.table}


def main() -> None:
    """Print quality on the photographs kept for validation, then cost."""
    arguments = parse()
    registry = Registry.load(REGISTRY)
    entry = registry.default(arguments.stage)
    model_id = arguments.model or (entry.ref.id if entry else "")
    model = ModelStore(registry, threads=arguments.threads).open(arguments.stage, model_id)
    print(f"{model_id}, version {model.ref.version}, sha256 {model.ref.sha256}")
    if arguments.data:
        photographs = Photographs.load(arguments.data).validation
        print(f"mean PSNR in dB / SSIM over {len(photographs)} photographs\n")
        print(TABLES[arguments.stage](photographs, model), end="\n\n")
    workload = Workload(threads=arguments.threads)
    cost = measure(REGISTRY, arguments.stage, model_id, workload)
    print(
        f"{workload.size[0]}x{workload.size[1]} pixels, {workload.threads} threads: "
        f"{cost.elapsed_s:.2f} s, {cost.cpu_s:.2f} s of CPU, "
        f"peak memory of the process {cost.peak_mb:.0f} MB ({cost.before_mb:.0f} MB before the model was opened)"
    )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation", description=__doc__)
    parser.add_argument("stage", choices=sorted(TABLES))
    parser.add_argument(
        "--data", type=Path, help="folder of photographs named after their sources; only cost if absent"
    )
    parser.add_argument("--model", help="id of a registered model instead of the stage's default one")
    parser.add_argument("--threads", type=int, default=2, help="threads of onnxruntime")
    return parser.parse_args()


if __name__ == "__main__":
    main()
