"""The leakage audit: run everything again with another future, and require the same past."""
