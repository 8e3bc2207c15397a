"""Params section `portfolio`: the book and its cost curve."""

from typing import Annotated

from pydantic import Field

from stages.params.section import EachOnce, Section


class PortfolioParams(Section, section="portfolio"):
    """The cost multiples of the cost curve, and the entry delay of the delay table."""

    cost_multiples: Annotated[tuple[Annotated[float, Field(ge=0, le=1_000)], ...], Field(min_length=1), EachOnce]
    delay_sensitivity_bars: Annotated[int, Field(ge=1, le=390)]
