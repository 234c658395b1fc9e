"""Who calls the API and what the caller may do."""
