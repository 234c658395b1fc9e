"""Finds the folder of the networks that a user installed on this machine."""

from pathlib import Path

from platformdirs import user_data_path

from darkroom.runtime.settings import Settings


def installed_folder(settings: Settings) -> Path:
    """Return the folder that is set, or `models` in the data folder that the platform has for this program."""
    return Path(settings.models).expanduser() if settings.models else user_data_path("darkroom", False) / "models"
