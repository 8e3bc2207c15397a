"""A vendor's files: found by template, listed, downloaded once, read as frames."""
