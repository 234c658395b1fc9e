"""Removes noise and grain. One StageRequested in, one answer out."""

from darkroom.runtime.functions import stage_function

denoise = stage_function("denoise")
