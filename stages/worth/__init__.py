"""Is paying worth it."""
