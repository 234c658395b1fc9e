"""Trains the project's networks; see `python -m models.training --help`."""
