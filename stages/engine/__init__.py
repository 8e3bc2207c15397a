"""Per-symbol work in a loop, a process pool or on a Dask cluster."""
