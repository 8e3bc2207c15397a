"""A grid of strategies traded on the engine that the environment names: a block of it is a partition."""

from collections.abc import Sequence
from functools import partial

from stages.engine import engine
from stages.trading.engine import Market, blocks_of, trade_block
from stages.trading.performance import Book
from stages.trading.strategy import Strategy


def trade_on_engine(strategies: Sequence[Strategy], market: Market) -> list[Book]:
    """The books of the grid, in order."""
    traded = engine.run(partial(trade_block, market=market), blocks_of(strategies), "trading")
    return [book for books in traded.values() for book in books]
