"""The book of one span: what its trades earned, by symbol and in total, also at other costs and with new decisions.

*Tables*: every row holds the key figures of `performance.kpis`. `symbol` is a symbol of the whitelist or `PORTFOLIO`;
`trades_are` is `held` (the same trades at other costs) or `redecided` (the rule decided at the other costs).
*Units*: a symbol's figures in bp of its unit of capital, the portfolio's in bp of the units of all that may trade;
`cost_multiple` in multiples of the stated costs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import polars as pl

from stages.tables.trades import PORTFOLIO, Trades
from stages.trading.performance import Book, book_of, kpis
from stages.trading.simulate import trade_each
from stages.trading.strategy import Strategy

Row = dict[str, Any]
HELD, REDECIDED = "held", "redecided"


@dataclass(frozen=True)
class SpanInputs:
    """The tables that `seal` wrote for a span of sessions."""

    bars: Mapping[str, pl.DataFrame]
    forecasts: pl.DataFrame
    calendar: pl.DataFrame

    def traded(self, strategy: Strategy) -> "Span":
        """These sessions, traded by a strategy that `require_tradable` has passed."""
        return Span(self.calendar, *trade_each(self.bars, self.forecasts, self.calendar, [strategy]))


@dataclass(frozen=True)
class Span:
    """A span of sessions with the trades of the stated strategy."""

    calendar: pl.DataFrame
    trades: pl.DataFrame

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Consecutive spans as one; no position is held overnight."""
        trades = pl.concat(one.trades for one in parts).sort(Trades.primary_key())
        return cls(pl.concat(one.calendar for one in parts), trades)

    @property
    def book(self) -> Book:
        """The totals of its trades."""
        return book_of(self.trades, self.calendar)

    def kpis(self, symbols: int) -> Row:
        """Key figures of its trades; capital is one unit for each of `symbols` symbols."""
        return kpis(self.book, self.calendar, symbols)

    def only(self, days: pl.Expr) -> Self:
        """Some of its sessions, with their trades."""
        return type(self)(self.calendar.filter(days), self.trades.filter(days))


def by_training(spans: Mapping[str, Span], until: date | None) -> dict[str, Span]:
    """Each span split at the end of the model's training; a side without a session is left out."""
    if until is None:
        return {}
    sides = {"before": pl.col("session") <= until, "after": pl.col("session") > until}
    found = {f"{name}_{side}_training": span.only(days) for name, span in spans.items() for side, days in sides.items()}
    return {name: span for name, span in found.items() if span.calendar.height}


def repriced(trades: pl.DataFrame, cost_multiple: float) -> pl.DataFrame:
    """The trades at a multiple of their costs."""
    cost = (pl.col("cost_bp") * cost_multiple).round(6)
    return trades.with_columns(cost_bp=cost, net_bp=pl.col("gross_bp") - cost)


def break_even(book: Book) -> float | None:
    """The cost multiple at which the trades earn nothing; None where they cost nothing."""
    return round(book.gross_units / book.cost_units, 6) + 0.0 if book.cost_units else None


def portfolio_table(spans: Mapping[str, Span], whitelist: Sequence[str], trading: Sequence[str]) -> pl.DataFrame:
    """`portfolio.csv`: one row a span and symbol, the whole book last in each span."""
    rows: list[Row] = []
    for name, span in spans.items():
        for symbol in sorted(whitelist):
            alone = Span(span.calendar, span.trades.filter(symbol=symbol))
            rows.append({"span": name, "symbol": symbol} | alone.kpis(1))
        rows.append({"span": name, "symbol": PORTFOLIO} | span.kpis(len(trading)))
    return pl.DataFrame(rows, infer_schema_length=None)


def variants(strategy: Strategy, multiples: Sequence[float], later_by: int) -> list[Strategy]:
    """The stated rule, to be decided anew: at multiples of its costs, and last with entries `later_by` bars later."""
    costs, delay = strategy.costs.cost_mult, strategy.rules.entry_delay_bars
    dearer = [strategy.with_costs(cost_mult=costs * multiple) for multiple in multiples]
    return [*dearer, strategy.with_rules(entry_delay_bars=delay + later_by)]


def cost_curve(
    spans: Mapping[str, Span], redecided: Mapping[str, Sequence[Book]], strategy: Strategy, multiples: Sequence[float]
) -> pl.DataFrame:
    """`cost_curve.csv`: the book at multiples of the stated costs, with its trades held and with new decisions.

    `redecided` are the books of the `variants`, by span.
    """
    rows: list[Row] = []
    for name, span in spans.items():
        for multiple, anew in zip(multiples, redecided[name][:-1], strict=True):
            held = book_of(repriced(span.trades, multiple), span.calendar)
            for label, book in ((HELD, held), (REDECIDED, anew)):
                key = {"span": name, "trades_are": label, "cost_multiple": multiple}
                rows.append(key | kpis(book, span.calendar, len(strategy.trading)))
    return pl.DataFrame(rows, infer_schema_length=None)


def delay_table(
    spans: Mapping[str, Span], redecided: Mapping[str, Sequence[Book]], strategy: Strategy, later_by: int
) -> pl.DataFrame:
    """`delay.csv`: the stated book, and the book with every entry `later_by` bars later, the last of the `variants`."""
    delay = strategy.rules.entry_delay_bars
    rows: list[Row] = []
    for name, span in spans.items():
        for bars, book in ((delay, span.book), (delay + later_by, redecided[name][-1])):
            rows.append({"span": name, "entry_delay_bars": bars} | kpis(book, span.calendar, len(strategy.trading)))
    return pl.DataFrame(rows, infer_schema_length=None)
