"""The evidence of a study, symbol by symbol: what one adds, with only its rows in memory, and the sum of all.

*Tables*: `Scored` asked forecasts by one method, and free ones; `Prices`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import polars as pl

from stages.params.study import StageStudy
from stages.params.worth import WorthParams
from stages.tables.forecasts import FREE, MIX, is_local, is_untrained, makers
from stages.trading.performance import book_of
from stages.trading.simulate import trade_each
from stages.trading.strategy import Strategy
from stages.worth.day_values import compare, symbol_days
from stages.worth.money import ASKED, Swing, money_days, planned_swing_bp, rules_of_sides, swing_of
from stages.worth.series import Comparison, LeftOut, Sides, cells_of


@dataclass(frozen=True, eq=False)
class SymbolEvidence:
    """One symbol's evidence: its days by comparison, the questions left out, and its P&L by side.

    *Tables*: `calibrated` holds the sessions with calibrated asked forecasts; the others are as in `Sides` and
    `money_days`. `makers` made its asked forecasts; `swing` is None if it may not trade.
    """

    days: Mapping[Comparison, pl.DataFrame]
    left_out: LeftOut
    net_bp: Mapping[str, pl.DataFrame]
    swing: Swing | None
    calibrated: pl.Series
    makers: Sequence[str]


@dataclass(frozen=True)
class CompareSymbol:
    """Compares the asked forecasts of a symbol, of one model and history, with the free ones.

    `rules` are the strategies of the sides that trade.
    """

    asked: tuple[str, int]
    compared: Sequence[Comparison]
    rules: Mapping[str, Strategy]
    calendar: pl.DataFrame

    @classmethod
    def of(cls, study: StageStudy, strategy: Strategy, models: pl.DataFrame, calendar: pl.DataFrame) -> Self:
        """Compare with the free forecasts whose `model` and `history_days` are the rows of `models`."""
        free = {model.removeprefix(FREE): (model, days) for model, days in models.iter_rows()}
        asked = study.forecaster.model, study.rules.history_days
        compared = dict.fromkeys(cell.compared for cell in cells_of(study, free))
        return cls(asked, list(compared), rules_of_sides(strategy, {ASKED: asked, MIX: free[MIX]}), calendar)

    def __call__(self, symbol: str, asked: pl.DataFrame, free: pl.DataFrame, bars: pl.DataFrame) -> SymbolEvidence:
        """From its forecasts and bars."""
        model, history_days = self.asked
        judged = asked.filter(model=model, history_days=history_days)
        sides = {name: free.filter(model=f"{FREE}{name}") for name in {one.free for one in self.compared}}
        results = {name: compare(judged, forecasts) for name, forecasts in sides.items()}
        mix, rule = results[MIX], self.rules.get(ASKED)
        return SymbolEvidence(
            days={one: symbol_days(results[one.free].questions, one.column, one.horizon_min) for one in self.compared},
            left_out=LeftOut(mix.void, mix.uncalibrated, mix.no_scale),
            net_bp=self._net_bp(symbol, pl.concat([judged, sides[MIX]]), bars),
            swing=swing_of(judged, rule, symbol) if rule and symbol in rule.whitelist else None,
            calibrated=judged.filter("calibrated")["session"].unique(),
            makers=makers(judged),
        )

    def _net_bp(self, symbol: str, forecasts: pl.DataFrame, bars: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """The P&L of each side by session; empty for a symbol that is not on the whitelist."""
        rules = {side: rule for side, rule in self.rules.items() if symbol in rule.whitelist}
        traded = trade_each({symbol: bars}, forecasts, self.calendar, list(rules.values()))
        books = {side: book_of(trades, self.calendar) for side, trades in zip(rules, traded, strict=True)}
        sessions = self.calendar.select(pl.col("session").sort())
        return {side: sessions.with_columns(net_bp=pl.Series(book.net_bp(1))) for side, book in books.items()}

    def together(
        self,
        symbols: Iterable[tuple[str, SymbolEvidence]],
        weights: Mapping[str, float],
        calls: pl.DataFrame,
        params: WorthParams,
    ) -> Sides:
        """Both sides of the study, from all symbols and `Calls`; `weights` are the mix's last ones, by name."""
        by_symbol = dict(symbols)
        parts = by_symbol.values()
        sources = [source for part in parts for source in part.makers]
        net_bp = {side: pl.concat([part.net_bp[side] for part in parts if side in part.net_bp]) for side in self.rules}
        calibrated = {day for part in parts for day in part.calibrated}
        swings = [part.swing for part in parts if part.swing is not None]
        trading = self.rules[ASKED].whitelist if self.rules else ()
        traded = (day for symbol in trading for day in by_symbol[symbol].calibrated)
        begins = min(traded, default=date.max) if trading else date.min
        earning = [day for day in calibrated if day >= begins]
        planned_bp = planned_swing_bp(swings, len(trading), begins)
        return Sides(
            days={comparison: pl.concat(part.days[comparison] for part in parts) for comparison in self.compared},
            left_out=LeftOut(*(sum(counts) for counts in zip(*(part.left_out for part in parts), strict=True))),
            weights=weights,
            calls=calls,
            money=money_days(net_bp, planned_bp, calls.filter(pl.col("session").is_in(earning)), params),
            learns_here=is_local(sources),
            untrained=is_untrained(sources),
        )
