"""What the tests of training need: the packages of requirements-train.txt, which are optional.

Without them these tests are skipped with the reason; with DARKROOM_REQUIRE_TRAINING set that is an error.
"""

import os
from importlib.util import find_spec

import pytest


def require_training_packages() -> None:
    """Skip the module that calls this if torch or onnxscript is absent. Raises RuntimeError if they are required."""
    absent = [name for name in ("torch", "onnxscript") if find_spec(name) is None]
    if not absent:
        return
    reason = f"{' and '.join(absent)} not installed: pip install -r requirements-train.txt"
    if os.environ.get("DARKROOM_REQUIRE_TRAINING"):
        raise RuntimeError(reason)
    pytest.skip(f"{reason} (DARKROOM_REQUIRE_TRAINING=1 makes this an error)", allow_module_level=True)
