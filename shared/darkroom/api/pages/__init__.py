"""The HTML pages of the HTTP API."""
