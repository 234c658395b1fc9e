"""Gives colour to a greyscale picture. One StageRequested in, one answer out."""

from darkroom.runtime.functions import stage_function

colorize = stage_function("colorize")
