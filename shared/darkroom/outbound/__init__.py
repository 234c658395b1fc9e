"""Requests to other people's servers and their limits."""
