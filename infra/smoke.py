"""Checks that the deployed system processes a photograph.

`python -m infra.smoke CLIENT_JSON NAME PRESET` sends a generated picture under NAME, waits for its job, and exits with
the status of `darkroom submit --wait`: 0 only if the job is completed. CLIENT_JSON is Terraform's output
`client_environment`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

TIMEOUT_S = 600


def command(photograph: Path, name: str, preset: str) -> list[str]:
    """The arguments of `darkroom`."""
    return ["submit", str(photograph), "--preset", preset, "--as", name, "--wait", "--timeout", str(TIMEOUT_S)]


def write_photograph(path: Path) -> None:
    """A picture with structure in it: a gradient under noise."""
    size = (640, 480)
    gradient = Image.linear_gradient("L").resize(size)
    Image.blend(gradient, Image.effect_noise(size, 60), 0.2).convert("RGB").save(path, "JPEG", quality=90)


def client_environment(client_json: Path) -> dict[str, str]:
    """The environment of a client: this process's, with the variables from Terraform's output."""
    variables: dict[str, str] = json.loads(client_json.read_text(encoding="utf-8"))
    return os.environ | variables


def main(arguments: Sequence[str]) -> int:
    client_json, name, preset = arguments
    with TemporaryDirectory() as folder:
        photograph = Path(folder) / "smoke.jpg"
        write_photograph(photograph)
        run = [sys.executable, "-m", "darkroom", *command(photograph, name, preset)]
        return subprocess.run(run, env=client_environment(Path(client_json)), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
