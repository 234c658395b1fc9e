"""Lifts underexposed pictures. One StageRequested in, one answer out."""

from darkroom.runtime.functions import stage_function

low_light = stage_function("low_light")
