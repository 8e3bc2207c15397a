"""Property tests draw the same examples everywhere, and a busy machine fails none of them."""

from hypothesis import settings

settings.register_profile("reproducible", deadline=None, derandomize=True)
settings.load_profile("reproducible")
