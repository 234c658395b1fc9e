"""Finds the models and functions that are installed with the package."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def _travelling(name: str) -> Path:
    """A folder inside the installed package; in a checkout, the folder of that name at its top."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent.parent / name


#: The registry, the list of known networks, and the ONNX files.
MODELS = _travelling("models")
#: One folder a function, with its main.py.
FUNCTIONS = _travelling("functions")
#: Folder that must be on the path of Python for `import darkroom`.
IMPORT_ROOT = _PACKAGE.parent
