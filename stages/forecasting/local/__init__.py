"""The local forecasters, a file each, with a function of its name that answers, as `local_backend` says."""
