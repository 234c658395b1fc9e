"""Undoes slight blur and missed focus. One StageRequested in, one answer out."""

from darkroom.runtime.functions import stage_function

deblur = stage_function("deblur")
