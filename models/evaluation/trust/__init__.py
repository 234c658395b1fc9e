"""Judges the verdict of the service by results whose truth is known."""
