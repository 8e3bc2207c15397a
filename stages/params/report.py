"""Params section `report`: what the page calls the study and how much of it is drawn."""

from typing import Annotated

from pydantic import Field

from stages.params.section import Section, Text


class ReportParams(Section, section="report"):
    """The study's name and the size of its tables."""

    study: Text
    grid_top_k: Annotated[int, Field(ge=1, le=10_000)]
    fan_days: Annotated[int, Field(ge=1, le=10_000)]
    shown_symbols: Annotated[int, Field(ge=2, le=10_000)]
