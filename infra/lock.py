"""Writes the hashes of every pinned package into the requirements, so that pip installs no other file.

`make lock` after a pin has changed. Comments and order are kept. Every pin gets the hashes of all files of its version,
for every Python and machine. `uv` reads them from the package index.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.staging.requirements import PIN, canonical

ROOT = Path(__file__).resolve().parents[1]
#: Files whose packages are installed with hashes.
FILES = ("requirements.txt", "requirements-build.txt", "requirements-dev.txt", "requirements-gpu.txt")
_COMMAND = ("pip", "compile", "--quiet", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate", "-")


def locked(text: str, hashes: Mapping[str, str]) -> str:
    """`text` with `hashes`: the lines of hashes of each package, by its canonical name, replaced."""
    return PIN.sub(lambda found: f"{found['pin']}{hashes[canonical(found['name'])]}", text)


def hashes_of(text: str, uv: str) -> dict[str, str]:
    """The lines of hashes of every package that `text` pins, as the index lists them now."""
    names = "\n".join(found["pin"] for found in PIN.finditer(text))
    done = subprocess.run([uv, *_COMMAND], input=names, capture_output=True, text=True, check=True)
    return {canonical(found["name"]): found["hashes"] for found in PIN.finditer(done.stdout)}


def main() -> None:
    uv = sys.argv[1]
    for name in FILES:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        path.write_text(locked(text, hashes_of(text, uv)), encoding="utf-8")


if __name__ == "__main__":
    main()
