"""The contract of every table between two stages."""
