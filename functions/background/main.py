"""Cuts out the subject. One StageRequested in, one answer out."""

from shared.entrypoints import stage_function

background = stage_function("background")
