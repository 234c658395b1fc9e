"""Composites, adjusts, sizes and writes the result. One StageRequested in, one answer out."""

from darkroom.runtime.functions import stage_function

finish = stage_function("finish")
