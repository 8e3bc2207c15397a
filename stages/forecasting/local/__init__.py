"""The local forecasters, a file each: its `forecaster()` makes the function that answers, as `local_backend` says."""
