"""Mattes: which pixels belong to the subject."""
