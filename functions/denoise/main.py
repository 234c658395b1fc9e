"""Removes noise and grain. One StageRequested in, one answer out."""

from shared.entrypoints import stage_function

denoise = stage_function("denoise")
