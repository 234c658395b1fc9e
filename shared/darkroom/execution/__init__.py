"""Runs pipeline steps: one at a time, or a whole pipeline in one process."""
