"""Puts the models and the functions' entry points inside the package when a wheel is built.

They are top-level folders of the repository, and in a wheel only `darkroom` may reach site-packages.
"""

import shutil
import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def data_files() -> list[Path]:
    """The registry, the list of known networks, every file that the registry names, and the entry points."""
    models = ROOT / "models"
    registered = tomllib.loads((models / "registry.toml").read_text(encoding="utf-8"))["model"]
    named = [each["file"] for model in registered for each in (model, model.get("int8")) if each]
    files = [*models.glob("*.toml"), *(models / name for name in named)]
    return [path.relative_to(ROOT) for path in (*files, *ROOT.glob("functions/*/main.py"))]


class BuildWithData(build_py):
    """The usual build, then the files above below `darkroom/`."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for path in data_files():
            target = Path(self.build_lib) / "darkroom" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, target)


setup(cmdclass={"build_py": BuildWithData})
