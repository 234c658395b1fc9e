"""Removes a colour cast. One StageRequested in, one answer out."""

from darkroom.runtime.functions import stage_function

white_balance = stage_function("white_balance")
