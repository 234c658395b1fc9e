"""Composites, adjusts, sizes and writes the result. One StageRequested in, one answer out."""

from shared.entrypoints import stage_function

finish = stage_function("finish")
