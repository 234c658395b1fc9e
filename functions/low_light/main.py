"""Lifts underexposed pictures. One StageRequested in, one answer out."""

from shared.entrypoints import stage_function

low_light = stage_function("low_light")
