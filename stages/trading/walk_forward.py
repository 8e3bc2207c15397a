"""Walk-forward: what the stated rule of choice would have earned if it chose again on the days known so far.

*Tables*: one row a fold: what the choice was based on, what was traded, the chosen `combo` (null where nothing
qualified and nothing is traded), its `train_sharpe`, then the key figures of the traded sessions. The last row, `all`,
holds those of all folds together. All rows are in bp of the same capital, a unit for each symbol that may trade in
some fold.
*Time*: a choice knows only the books of its training sessions. Who may trade was judged on the whole search span, so
the walk is optimistic to that extent; the holdout is not.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from stages.params.sweep import SweepParams
from stages.sessions.spans import Fold, Span, within
from stages.trading.grid import Combo
from stages.trading.performance import Book, kpis
from stages.trading.ranking import Swept, proposal, ranking
from stages.trading.trade_grid import Market, Trade

CHOICE = {
    "fold": pl.String,
    "train_first": pl.Date,
    "train_last": pl.Date,
    "train_sessions": pl.Int64,
    "first_session": pl.Date,
    "last_session": pl.Date,
    "combo": pl.String,
    "train_sharpe": pl.Float64,
}


def walk_forward(
    swept: Swept, folds: Sequence[Fold], market: Market, params: SweepParams, trade: Trade
) -> pl.DataFrame:
    """The grid of `swept`, chosen from and traded fold by fold with `trade`."""
    rows: list[dict[str, Any]] = []
    books: list[Book] = []
    choices = [_choose(swept, market.on(fold.train), params, trade) for fold in folds]
    symbols = len({symbol for chosen, _ in choices if chosen for symbol in chosen.strategy.trading})
    for number, (fold, (chosen, train_sharpe)) in enumerate(zip(folds, choices, strict=True), start=1):
        book = trade([chosen.strategy], market.on(fold.trade))[0] if chosen else _idle(len(fold.trade))
        books.append(book)
        rows.append(
            _span(str(number), fold)
            | {"combo": chosen.strategy.combo if chosen else None, "train_sharpe": train_sharpe}
            | kpis(book, within(fold.trade, swept.calendar), symbols)
        )
    walked = Span("all", tuple(session for fold in folds for session in fold.trade.sessions))
    if folds:
        ends = {"fold": "all", "first_session": walked.sessions[0], "last_session": walked.sessions[-1]}
        rows.append(ends | kpis(_together(books), within(walked, swept.calendar), symbols))
    figures = kpis(_idle(0), swept.calendar.clear(), symbols)
    types = {name: pl.Int64 if isinstance(value, int) else pl.Float64 for name, value in figures.items()}
    return pl.DataFrame(rows, {**CHOICE, **types})


def _choose(swept: Swept, train: Market, params: SweepParams, trade: Trade) -> tuple[Combo | None, float | None]:
    """What the stated rule proposes on these sessions."""
    books = trade([combo.strategy for combo in swept.combos], train)
    trained = Swept(swept.base, swept.combos, books, train.calendar)
    ranked = ranking(trained, params)
    name = proposal(trained, ranked, params.choose_by)["combo"]
    if name is None:
        return None, None
    chosen = next(combo for combo in swept.combos if combo.strategy.combo == name)
    return chosen, ranked.filter(combo=name)["sharpe"][0]


def _span(number: str, fold: Fold) -> dict[str, Any]:
    return {
        "fold": number,
        "train_first": fold.train.sessions[0],
        "train_last": fold.train.sessions[-1],
        "train_sessions": len(fold.train),
        "first_session": fold.trade.sessions[0],
        "last_session": fold.trade.sessions[-1],
    }


def _idle(sessions: int) -> Book:
    return Book(np.zeros(sessions, np.int64), *[0] * 6)


def _together(books: Sequence[Book]) -> Book:
    totals = np.array([book.totals for book in books]).sum(axis=0).tolist()
    return Book(np.concatenate([book.net_units for book in books]), *totals)
