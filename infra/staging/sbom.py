"""Writes the software bill of materials of a staged function, in CycloneDX's JSON.

It lists the packages with the hashes that pip accepts, and the models that travel in the archive. There is neither a
time nor a random number in it: the same archive has the same bill. Format: https://cyclonedx.org/docs/1.6/json/
"""

import hashlib
import json
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infra.staging.requirements import PIN, canonical

#: Ending of the file's name, as CycloneDX recommends it.
ENDING = ".cdx.json"


def bill_of_materials(folder: Path, requirements: Iterable[str], archive: Path) -> str:
    """The bill of `archive`, as text.

    Parameters
    ----------
    folder : Path
        The staged folder, named like the function; it contains the models.
    requirements : Iterable[str]
        Pins with their hashes, as in the staged `requirements.txt`.
    archive : Path
        The archive, whose digest is in the bill.
    """
    models = sorted(folder.rglob("*.onnx"))
    packages = [_package(found) for text in requirements for found in PIN.finditer(text)]
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _function(folder.name, archive)},
        "components": [*packages, *(_model(folder, path) for path in models)],
    }
    return json.dumps(bill, indent=2) + "\n"


def _function(name: str, archive: Path) -> dict[str, Any]:
    return {
        "type": "application",
        "bom-ref": f"darkroom/{name}",
        "name": f"darkroom-{name}",
        "version": version("darkroom"),
        "hashes": [_sha256(archive)],
    }


def _package(pin: re.Match[str]) -> dict[str, Any]:
    purl = f"pkg:pypi/{canonical(pin['name'])}@{pin['version']}"
    # A package is one of several files, so the hashes belong to where it can be had from, not to the component.
    files = [{"alg": "SHA-256", "content": each} for each in re.findall(r"sha256:([0-9a-f]{64})", pin["hashes"])]
    reference = {"type": "distribution", "url": purl, "hashes": files}
    return {
        "type": "library",
        "bom-ref": purl,
        "name": pin["name"],
        "version": pin["version"],
        "purl": purl,
        **({"externalReferences": [reference]} if files else {}),
    }


def _model(folder: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    return {
        "type": "machine-learning-model",
        "bom-ref": name,
        "name": name,
        "hashes": [_sha256(path)],
    }


def _sha256(path: Path) -> dict[str, str]:
    return {"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}
