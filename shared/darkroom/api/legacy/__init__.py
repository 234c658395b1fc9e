"""The paths of five older picture services."""
