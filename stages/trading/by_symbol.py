"""The outcome of a run, symbol by symbol: what one symbol adds, with only its rows in memory, and the sum of all.

A span consists of parts of the record. The search span and an open month are one part each; the open holdout is all of
its parts.

*Tables*: `Traded` forecasts and `Prices` of the search span, `Calibrated` forecasts and `Bars` of an open part.
*Time*: outcomes of an open part are computed here from its bars; they are stored nowhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from stages.calibration.past import with_outcomes
from stages.params.portfolio import PortfolioParams
from stages.tables.contract import packed, unpacked
from stages.tables.forecasts import Scored
from stages.tables.trades import Trades
from stages.trading.book import Span, variants
from stages.trading.daily import Floats, earned
from stages.trading.holdout import sealed_words, traded_scores
from stages.trading.performance import Book, book_of
from stages.trading.simulate import trade_each
from stages.trading.strategy import Strategy

if TYPE_CHECKING:
    from stages.scoring.metrics import PartScores, RunningScores

SEARCHED, HOLDOUT = "search", "holdout"


def parts_by_span(held: Mapping[str, int], opened: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The parts of each span: the search span, the open parts, and the holdout if every part of it is open."""
    holdout = {} if sealed_words(held, dict.fromkeys(opened)) else {HOLDOUT: tuple(opened)}
    return {part: (part,) for part in (SEARCHED, *opened)} | holdout


@dataclass(frozen=True, eq=False)
class SymbolSpan:
    """One symbol's part of a span: packed trades, books of the variants, P&L of holding, scores of forecasts."""

    trades: bytes
    books: Sequence[Book]
    earned: Floats | None
    scores: "PartScores | None"


@dataclass
class SpanFigures:
    """Figures of a span, summed over symbols so far: listed trades, books of the variants, P&L of holding, scores."""

    calendar: pl.DataFrame
    books: Sequence[Book]
    trades: list[pl.DataFrame] = field(default_factory=lambda: [Trades.create_empty()])
    earned: dict[str, Floats | None] = field(default_factory=dict)
    scores: "RunningScores | None" = None

    def add(self, symbol: str, part: SymbolSpan) -> None:
        """Add a symbol."""
        self.trades.append(unpacked(part.trades))
        self.books = [Book.combined(pair) for pair in zip(self.books, part.books, strict=True)]
        self.earned[symbol] = part.earned
        if part.scores is not None:
            from stages.scoring.metrics import RunningScores  # slow to load, and only an open holdout has scores

            self.scores = self.scores or RunningScores()
            self.scores.add(part.scores)

    @property
    def span(self) -> Span:
        """The span with the trades that are listed."""
        return Span(self.calendar, pl.concat(self.trades))


@dataclass(frozen=True)
class TradeSymbol:
    """Trades a symbol in every span; `calendars` are by part, in the order of the tables.

    Of the `variants` only books are kept. In the open parts the strategy's trades are listed. Those in the search span
    are known already; if `ungated`, the trades of the strategy without its symbol gate are listed there.
    """

    strategy: Strategy
    book: PortfolioParams
    calendars: Mapping[str, pl.DataFrame]
    spans: Mapping[str, tuple[str, ...]]
    ungated: bool

    @property
    def variants(self) -> list[Strategy]:
        """The rule decided anew at other costs, and later."""
        return variants(self.strategy, self.book.cost_multiples, self.book.delay_sensitivity_bars)

    def __call__(self, symbol: str, usable: tuple[date, ...], *tables: pl.DataFrame) -> dict[str, SymbolSpan]:
        """From the usable sessions of the symbol, and forecasts and bars of each part."""
        bars = dict(zip(self.calendars, tables[1::2], strict=True))
        forecasts = dict(zip(self.calendars, tables[::2], strict=True))
        for part in forecasts.keys() - {SEARCHED}:
            forecasts[part] = _scored(symbol, forecasts[part], bars[part], usable)

        def joined(tables: Mapping[str, pl.DataFrame], parts: Sequence[str]) -> pl.DataFrame:
            return pl.concat(tables[part] for part in parts)

        made = {
            parts: self._span(symbol, parts, *(joined(tables, parts) for tables in (forecasts, bars, self.calendars)))
            for parts in set(self.spans.values())
        }
        return {name: made[parts] for name, parts in self.spans.items()}

    def _span(
        self, symbol: str, parts: Sequence[str], forecasts: pl.DataFrame, bars: pl.DataFrame, calendar: pl.DataFrame
    ) -> SymbolSpan:
        searched = SEARCHED in parts
        listed = [] if searched else [self.strategy]
        listed += [self.strategy.ungated()] if searched and self.ungated else []
        traded = trade_each({symbol: bars}, forecasts, calendar, [*listed, *self.variants])
        return SymbolSpan(
            trades=packed(pl.concat([Trades.create_empty(), *traded[: len(listed)]])),
            books=[book_of(trades, calendar) for trades in traded[len(listed) :]],
            earned=earned(bars, calendar["session"]),
            scores=None if searched else traded_scores(forecasts, self.strategy),
        )

    def together(self, symbols: Iterable[tuple[str, Mapping[str, SymbolSpan]]]) -> dict[str, SpanFigures]:
        """The figures of every span, from the symbols in their order."""
        found = {}
        for name, parts in self.spans.items():
            calendar = pl.concat(self.calendars[part] for part in parts)
            nothing = book_of(Trades.create_empty(), calendar)
            found[name] = SpanFigures(calendar, [nothing] * len(self.variants))
        for symbol, spans in symbols:
            for name, part in spans.items():
                found[name].add(symbol, part)
        return found


def _scored(symbol: str, forecasts: pl.DataFrame, bars: pl.DataFrame, usable: tuple[date, ...]) -> pl.DataFrame:
    if forecasts.is_empty():
        return Scored.create_empty()
    return Scored.of(with_outcomes(forecasts, {symbol: bars}, {symbol: usable}))
