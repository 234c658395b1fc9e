"""Routing, validation, errors and responses of the HTTP API."""
