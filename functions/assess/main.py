"""Measures and scores a picture, first and last of all. One StageRequested in, one answer out."""

from darkroom.runtime.functions import stage_function

assess = stage_function("assess")
