"""Light, contrast and colour of a whole picture."""
