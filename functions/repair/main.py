"""Finds scratches, dust, creases and tears, and fills them. One StageRequested in, one answer out."""

from shared.entrypoints import stage_function

repair = stage_function("repair")
