"""The exact question asked for one symbol at one snapshot, and the key that names it."""
