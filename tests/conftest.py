"""Property tests draw the same examples everywhere, and a busy machine fails none of them; servers are started once."""

from functools import cache

import exchange_calendars
from hypothesis import settings

settings.register_profile("reproducible", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("reproducible")
exchange_calendars.get_calendar = cache(exchange_calendars.get_calendar)  # between the same bounds: once in a process

pytest_plugins = ["tests.support.fixtures"]
