"""Measurements of picture quality, and the score."""
