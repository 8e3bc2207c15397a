"""What stands in which report, in reading order."""

from collections.abc import Callable

from stages.reporting.content import Section
from stages.reporting.record import Record
from stages.reporting.sections.controls import controls
from stages.reporting.sections.costs import costs
from stages.reporting.sections.coverage import coverage
from stages.reporting.sections.data import data
from stages.reporting.sections.equity import equity
from stages.reporting.sections.fans import fans
from stages.reporting.sections.gates import gates
from stages.reporting.sections.inputs import inputs
from stages.reporting.sections.skill import skill
from stages.reporting.sections.sources import sources
from stages.reporting.sections.sweep import sweep
from stages.reporting.sections.walk_forward import walk_forward

Describe = Callable[[Record], Section]

SUMMARY: tuple[Describe, ...] = (gates, sources)
EVIDENCE: tuple[Describe, ...] = (data, skill, coverage, fans, equity, sweep, walk_forward, costs, controls, inputs)
PAGE: tuple[Describe, ...] = SUMMARY + EVIDENCE
ROBUSTNESS: tuple[Describe, ...] = (gates, equity, sweep, walk_forward, costs, controls, inputs)
