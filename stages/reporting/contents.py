"""What stands in which report, in reading order."""

from collections.abc import Callable

from stages.reporting.content import Section
from stages.reporting.record import Record
from stages.reporting.sections.data import data
from stages.reporting.sections.equity import equity
from stages.reporting.sections.fans import fans
from stages.reporting.sections.inputs import inputs

Describe = Callable[[Record], Section]

PAGE: tuple[Describe, ...] = (data, fans, equity, inputs)
ROBUSTNESS: tuple[Describe, ...] = (equity, inputs)
