"""Stages the source of a stage that runs on a GPU.

The same code and the same models as the stage on a processor, in a separate folder with other packages and a
`project.toml`, which gives the buildpack the values that Cloud Run functions would give it. Its image is made by
`gcloud builds submit --pack`, since no resource of Terraform builds one for a service with a GPU.
"""

import json
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from infra.staging.archive import write_archive
from infra.staging.requirements import pins
from infra.staging.stage import MANIFEST, Staged

REQUIREMENTS = "requirements-gpu.txt"
_REPLACED = "onnxruntime"


class NothingToAccelerate(Exception):
    """The function runs no model, so it would not use a GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSource:
    """The source of an image that the buildpack builds."""

    function: str
    folder: Path
    #: Of the folder's content: the image's tag.
    digest: str


def stage_gpus(root: Path, staged: Iterable[Staged], target: Path, chosen: Iterable[str]) -> list[GpuSource]:
    """Create `target/<function>-gpu/` for the chosen functions, delete all others, and update Terraform's manifest."""
    for old in target.glob("*-gpu"):
        shutil.rmtree(old)
    by_name = {each.function: each for each in staged}
    sources = [stage_gpu(root, by_name[name], target) for name in sorted(set(chosen))]
    manifest = target / MANIFEST
    staged_json = json.loads(manifest.read_text(encoding="utf-8"))
    staged_json["gpu"] = {each.function: {"folder": each.folder.name, "digest": each.digest} for each in sources}
    manifest.write_text(json.dumps(staged_json, indent=2) + "\n", encoding="utf-8")
    return sources


def stage_gpu(root: Path, staged: Staged, target: Path) -> GpuSource:
    """Make `target/<function>-gpu/`. Raises NothingToAccelerate."""
    lines = gpu_requirements(staged, (root / REQUIREMENTS).read_text(encoding="utf-8"))
    folder = target / f"{staged.function}-gpu"
    shutil.copytree(staged.folder, folder)
    (folder / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "project.toml").write_text(project_descriptor(staged.function), encoding="utf-8")
    archive = write_archive(folder, target)
    archive.unlink()
    return GpuSource(function=staged.function, folder=folder, digest=archive.stem.rpartition("-")[2])


def gpu_requirements(staged: Staged, accelerated: str) -> list[str]:
    """The staged lines with `accelerated`, the content of `requirements-gpu.txt`, in place of onnxruntime."""
    kept = pins("\n".join(staged.requirements))
    if kept.pop(_REPLACED, None) is None:
        raise NothingToAccelerate(f"{staged.function} runs no model, so it would not use a GPU")
    return sorted([*kept.values(), *pins(accelerated).values()], key=str.lower)


def project_descriptor(function: str) -> str:
    """Variables of the build: which function of `main.py`, and the Python for which its bytecode was made."""
    variables = {
        "GOOGLE_FUNCTION_TARGET": function,
        "GOOGLE_FUNCTION_SIGNATURE_TYPE": "cloudevent",
        "GOOGLE_PYTHON_VERSION": f"{sys.version_info.major}.{sys.version_info.minor}.x",
    }
    return "\n".join(f'[[build.env]]\nname = "{name}"\nvalue = "{value}"\n' for name, value in variables.items())
