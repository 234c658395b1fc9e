"""Identifies the caller of the API and checks the caller's rights."""
