"""A grid in blocks: pieces of work that know nothing of each other, for as many processes or machines as there are.

*Tables*: the books of a grid are those of its blocks, one block after the other, to the last unit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import polars as pl

from stages.backtesting.engine import trade_grid
from stages.backtesting.market import markets_of
from stages.backtesting.strategy import Strategy
from stages.backtesting.summary import Book
from stages.splitting.cut import Span, within

# Neighbours on a grid share most of their work, and each block reads the market anew.
COMBOS_AT_ONCE = 5_000


@dataclass(frozen=True)
class Market:
    """What a grid is traded on; `bars` may read a symbol when it is asked for."""

    bars: Mapping[str, pl.DataFrame]
    forecasts: pl.DataFrame
    calendar: pl.DataFrame

    def on(self, span: Span) -> Self:
        """The same market as if there had been forecasts on these sessions alone."""
        return replace(self, forecasts=within(span, self.forecasts), calendar=within(span, self.calendar))


Trade = Callable[[Sequence[Strategy], Market], list[Book]]


def blocks_of(strategies: Sequence[Strategy], at_once: int = COMBOS_AT_ONCE) -> dict[str, Sequence[Strategy]]:
    """So many strategies a block, in their order; sorted by name, the blocks are in order too."""
    digits = len(str(len(strategies)))
    return {
        f"combos {first + 1:0{digits}}-{min(first + at_once, len(strategies)):0{digits}}": strategies[
            first : first + at_once
        ]
        for first in range(0, len(strategies), at_once)
    }


def trade_block(_: str, strategies: Sequence[Strategy], market: Market) -> list[Book]:
    """The books of one block; depends on nothing but its arguments."""
    symbols = markets_of(market.bars, market.forecasts, market.calendar, strategies[0])
    return trade_grid(symbols, market.calendar.height, strategies)
