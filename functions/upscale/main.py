"""Enlarges, or adds detail at the same size. One StageRequested in, one answer out."""

from darkroom.runtime.functions import stage_function

upscale = stage_function("upscale")
