"""The contract of every table that lies between two stages."""
