"""The exact question asked for one symbol at one snapshot, and its key."""
