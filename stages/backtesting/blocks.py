"""A grid in blocks: pieces of work that know nothing of each other, for as many processes or machines as there are.

*Tables*: the books of a grid are those of its blocks, one block after the other, to the last unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import polars as pl

from stages.backtesting.engine import trade_grid
from stages.backtesting.market import markets_of
from stages.backtesting.strategy import Strategy
from stages.backtesting.summary import Book
from stages.splitting.cut import Span, within


@dataclass(frozen=True)
class Market:
    """What a grid is traded on; `bars` may read a symbol when it is asked for."""

    bars: Mapping[str, pl.DataFrame]
    forecasts: pl.DataFrame
    calendar: pl.DataFrame

    def on(self, span: Span) -> Self:
        """The same market as if there had been forecasts on these sessions alone."""
        return replace(self, forecasts=within(span, self.forecasts), calendar=within(span, self.calendar))


class Block(NamedTuple):
    """The strategies of a grid from `first` up to, not including, `end`."""

    first: int
    end: int


def blocks_of(strategies: int, at_once: int) -> list[Block]:
    """So many strategies in blocks; neighbours on a grid share most of their work, so let blocks be large."""
    return [Block(first, min(first + at_once, strategies)) for first in range(0, strategies, at_once)]


def trade_block(block: Block, strategies: Sequence[Strategy], market: Market) -> list[Book]:
    """The books of one block of the grid `strategies`; depends on nothing but its arguments."""
    chosen = strategies[slice(*block)]
    if not chosen:
        return []
    symbols = markets_of(market.bars, market.forecasts, market.calendar, chosen[0])
    return trade_grid(symbols, market.calendar.height, chosen)


def trade(strategies: Sequence[Strategy], market: Market) -> list[Book]:
    """The books of a whole grid as one block."""
    return trade_block(Block(0, len(strategies)), strategies, market)
