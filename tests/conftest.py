"""Property tests draw the same examples everywhere, and a busy machine fails none of them; servers are started once."""

from hypothesis import settings

settings.register_profile("reproducible", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("reproducible")

pytest_plugins = ["tests.support.fixtures"]
