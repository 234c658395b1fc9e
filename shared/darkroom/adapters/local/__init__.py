"""The ports over folders and SQLite on one machine."""
