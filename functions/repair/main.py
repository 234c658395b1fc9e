"""Finds scratches, dust, creases and tears, and fills them. One StageRequested in, one answer out."""

from darkroom.runtime.functions import stage_function

repair = stage_function("repair")
