"""Property tests draw the same examples everywhere, and a busy machine fails none of them; servers are started once."""

from functools import cache

import exchange_calendars
import yaml
from hypothesis import settings

settings.register_profile("reproducible", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("reproducible")
exchange_calendars.get_calendar = cache(exchange_calendars.get_calendar)  # between the same bounds: once in a process
yaml.SafeLoader = yaml.CSafeLoader  # libyaml's parser reads the same ten times faster, also for Hydra

pytest_plugins = ["tests.support.fixtures", "tests.support.runs"]
