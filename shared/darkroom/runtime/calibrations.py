"""Reads the file by which the verdict estimates whether a person would accept a result."""

from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from darkroom.domain.acceptance import Calibration, Calibrations
from darkroom.domain.errors import ConfigurationError
from darkroom.domain.messages import describe
from darkroom.domain.pipeline import Preset

#: The calibrations that travel with the code; models/verdict/README.md is their card.
BUILT_IN = Path(__file__).with_name("acceptance.json")

_FILE = TypeAdapter(dict[Preset, Calibration])


@cache
def read_calibrations(path: str) -> Calibrations:
    """The calibrations in the file at `path`, or the built-in ones if it is empty; read once in each process.

    Raises ConfigurationError if the file cannot be read.
    """
    file = Path(path) if path else BUILT_IN
    try:
        return _FILE.validate_json(file.read_bytes())
    except OSError as exc:
        raise ConfigurationError(f"DARKROOM_ACCEPTANCE: {file} cannot be read: {exc}") from exc
    except ValidationError as exc:
        raise ConfigurationError(f"DARKROOM_ACCEPTANCE: {file}: {describe(exc)}") from exc
