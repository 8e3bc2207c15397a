"""Params section `portfolio`: the book and its cost curve."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from stages.params.section import Section


class PortfolioParams(Section):
    """The cost multiples of the cost curve, and the entry delay of the delay table."""

    section = "portfolio"

    cost_multiples: Annotated[tuple[Annotated[float, Field(ge=0, le=1_000)], ...], Field(min_length=1)]
    delay_sensitivity_bars: Annotated[int, Field(ge=1, le=390)]

    @model_validator(mode="after")
    def _names_each_multiple_once(self) -> Self:
        if len(set(self.cost_multiples)) < len(self.cost_multiples):
            raise ValueError(f"portfolio.cost_multiples repeats a value: {list(self.cost_multiples)}")
        return self
