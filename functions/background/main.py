"""Cuts out the subject. One StageRequested in, one answer out."""

from darkroom.runtime.functions import stage_function

background = stage_function("background")
