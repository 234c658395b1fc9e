"""Measures the registered models; see `python -m models.evaluation --help`."""
