"""Section "Returns": the book's months and ratios as in a fund's fact sheet, with buy and hold for comparison."""

from collections.abc import Iterator

import altair as alt
import numpy as np
import polars as pl

from stages.errors import count
from stages.reporting.charts import SERIES, Figure, framed, level, rows, session_axis, sized, sliding, tip
from stages.reporting.elements import MISSING, Grid, Section, grid, number, sharpe
from stages.reporting.record import Record
from stages.tables.trades import HOLDING, MARKET, PORTFOLIO
from stages.trading.performance import (
    MONTH,
    lo_standard_error,
    max_drawdown,
    monthly,
    rolling_sharpe,
    rolling_window,
    sortino,
    volatility,
)
from stages.trading.performance import beta as beta_to
from stages.trading.performance import sharpe as sharpe_ratio

BOOK, RATIO = "the book", "Sharpe, annual"
DAYS = {"search": "backtest/daily.parquet", "holdout": "evaluate/oos_daily.parquet"}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def returns(record: Record) -> Section:
    """Each span separately; a span in which nothing was traded has no row."""
    title, spans = "Returns", dict(_traded(record))
    if not spans:
        return Section("returns", title, ("Nothing was traded, so there are no returns.",))
    sentences = (
        "All figures are of daily net P&L in bp of the capital, which is invested anew at every entry: days and "
        "months add up, nothing is compounded, and a year has 252 sessions. Sortino is the mean over the root mean "
        "square of all days, with days that earn counted as 0. Beta is the book's covariance with the market over "
        "the market's variance.",
        f"“{HOLDING.capitalize()}” pays no costs and stays invested overnight, which the book never is.",
        *_no_rolling(record, spans),
    )
    figures = tuple(figure for span, book in spans.items() for figure in _rolling(record, span, book))
    return Section("returns", title, sentences, figures, (_months(record, spans), _key_figures(record, spans)))


def _traded(record: Record) -> Iterator[tuple[str, pl.DataFrame]]:
    """The book's days by span."""
    for span, daily in {"search": record.daily, "holdout": record.oos_daily}.items():
        book = daily.filter(pl.col("symbol") == PORTFOLIO).sort("session")
        if (book["trades"] > 0).any():
            yield span, book


def _named(record: Record, span: str) -> str:
    """The span, with the open months if only some of the holdout are open."""
    return f"{span}{record.open_part * (span == 'holdout')}"


def _no_rolling(record: Record, spans: dict[str, pl.DataFrame]) -> Iterator[str]:
    short = [_named(record, span) for span, book in spans.items() if rolling_window(book.height) is None]
    if short:
        yield f"A rolling ratio is drawn from {2 * MONTH} sessions on, so there is none for: {', '.join(short)}."


def _rolling(record: Record, span: str, book: pl.DataFrame) -> Iterator[Figure]:
    window = rolling_window(book.height)
    rolled = None if window is None else rolling_sharpe(book, window)
    if rolled is None or rolled.is_empty():
        return
    table = rolled.with_columns(low=pl.col("sharpe") - pl.col("se"), high=pl.col("sharpe") + pl.col("se"))
    ends = pl.concat([table["low"], table["high"]])
    words = [tip("session", "session"), tip("sharpe", RATIO, ".2f"), tip("se", "standard error", ".2f")]
    base = alt.Chart(rows(table)).encode(session_axis(), tooltip=words)
    band = base.mark_area(color=SERIES[0], opacity=0.18).encode(framed("high", RATIO, ends), alt.Y2("low:Q"))
    line = base.mark_line(color=SERIES[0]).encode(framed("sharpe", RATIO, ends))
    last = table.row(-1, named=True)
    found = (
        f"Of the last {window} sessions each; from {number(table['sharpe'].min(), 1)} to "
        f"{number(table['sharpe'].max(), 1)}, at the end {sharpe(last['sharpe'], last['se'])}. The band is one "
        f"standard error, after {count(record.trials, 'trial')}."
    )
    chart = alt.layer(band, line, level(0.0, "")).add_params(sliding())
    title = f"Rolling Sharpe, {span} span{record.open_part * (span == 'holdout')}"
    yield Figure(f"{span}-rolling", title, f"{title}. {found}", found, (DAYS[span],), sized(chart), wide=True)


def _months(record: Record, spans: dict[str, pl.DataFrame]) -> Grid:
    """One row per year, one column per month."""
    lines = []
    for span, book in spans.items():
        earned = {(year, month): net for year, month, net in monthly(book).iter_rows()}
        for year in sorted({year for year, _ in earned}):
            of_year = [earned.get((year, month)) for month in range(1, 13)]
            lines.append(
                (
                    _named(record, span),
                    str(year),
                    *map(_bp, of_year),
                    _bp(sum(net for net in of_year if net is not None)),
                )
            )
    return grid("Net of each month, bp of capital", ("span", "year", *MONTHS, "whole year"), lines)


def _bp(value: float | None) -> str:
    return number(value, 1)


def _key_figures(record: Record, spans: dict[str, pl.DataFrame]) -> Grid:
    known = [] if record.benchmark is None else record.benchmark["name"].unique().to_list()
    markets = [name for name in (HOLDING, MARKET) if name in known]
    titles = (
        "span", "what", "net, bp", record.sharpe_title, "Sortino", "volatility a year, bp", "deepest drawdown, bp",
        "best day, bp", "worst day, bp", "days won", "days with a position", "minutes in a position",
        *(f"beta to {name}" for name in markets),
    )  # fmt: skip
    lines = []
    for span, book in spans.items():
        held = {name: _days(record, span, name) for name in markets}
        figures = record.portfolio.filter(span=span, symbol=PORTFOLIO)
        exposure = figures["exposure"][0] if figures.height else None
        daily = book["net_bp"].to_numpy()
        days = (_percent(float(np.mean(book["trades"].to_numpy() > 0))), _percent(exposure))
        betas = (None if market is None else beta_to(daily, market) for market in held.values())
        lines.append((_named(record, span), BOOK, *_figures(daily), *days, *map(_ratio, betas)))
        for name, market in held.items():
            if market is not None:
                rest = ("always", "always", *(_ratio(_against(market, one)) for one in held.values()))
                lines.append((span, name, *_figures(market), *rest))
    return grid("The book against buy and hold", titles, lines)


def _days(record: Record, span: str, name: str) -> np.ndarray | None:
    """A benchmark's daily P&L; None where it was not recorded."""
    if record.benchmark is None:
        return None
    days = record.benchmark.filter(span=span, name=name).sort("session")["net_bp"].to_numpy()
    return days if len(days) else None


def _against(market: np.ndarray, other: np.ndarray | None) -> float | None:
    return None if other is None else beta_to(market, other)


def _figures(daily: np.ndarray) -> tuple[str, ...]:
    ratio, moved = sharpe_ratio(daily), daily[daily != 0.0]
    won = float((moved > 0).mean()) if len(moved) else None
    sizes = (float(daily.sum()), volatility(daily), max_drawdown(daily), float(daily.max()), float(daily.min()))
    net, spread, deepest, best, worst = map(_bp, sizes)
    error = sharpe(ratio, lo_standard_error(ratio, len(daily)))
    return net, error, _ratio(sortino(daily)), spread, deepest, best, worst, _percent(won)


def _ratio(value: float | None) -> str:
    return number(value, 2)


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{100 * share:.0f} %"
