"""The time machine: run everything again with another future, and demand the same past."""
