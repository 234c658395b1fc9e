"""Removes a colour cast. One StageRequested in, one answer out."""

from shared.entrypoints import stage_function

white_balance = stage_function("white_balance")
