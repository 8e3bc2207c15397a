"""Equity and drawdown, with the search span and the holdout clearly apart."""

import altair as alt
import polars as pl

from stages.reporting.charts import BAD, Figure, rows, series, session_axis, sized, sliding
from stages.reporting.content import Section, grid
from stages.reporting.record import Record
from stages.reporting.words import number
from stages.tables.trades import PORTFOLIO

SEARCH = ("backtest/daily.parquet",)


def with_curves(daily: pl.DataFrame) -> pl.DataFrame:
    """Daily rows with `equity_bp`, the running sum from 0, and `drawdown_bp`, its distance below the highest point."""
    by_symbol = daily.sort("symbol", "session").with_columns(
        equity_bp=pl.col("net_bp").cum_sum().over("symbol").round(6)
    )
    peak = pl.max_horizontal(pl.lit(0.0), pl.col("equity_bp").cum_max().over("symbol"))
    return by_symbol.with_columns(drawdown_bp=(pl.col("equity_bp") - peak).round(6))


def span_figures(name: str, title: str, daily: pl.DataFrame, data: tuple[str, ...]) -> tuple[Figure, Figure]:
    """Equity and drawdown of one span; two spans are two pairs of figures, never one line."""
    curves = with_curves(daily)
    book = curves.filter(pl.col("symbol") == PORTFOLIO)
    total, worst = (float(book["net_bp"].sum()), float(book["drawdown_bp"].min() or 0.0)) if book.height else (0.0, 0.0)
    words = f"{book.height} sessions: {number(total, 1)} bp net, deepest drawdown {number(-worst, 1)} bp"
    names = [PORTFOLIO, *sorted(set(curves["symbol"]) - {PORTFOLIO})]
    hover = [
        alt.Tooltip("symbol:N"),
        alt.Tooltip("day:N", title="session"),
        *(alt.Tooltip(f"{field}:Q", format=".1f") for field in ("net_bp", "equity_bp", "drawdown_bp")),
    ]
    shown = rows(curves.with_columns(day=pl.col("session").dt.to_string("%Y-%m-%d")))
    lines = (
        alt.Chart(shown, name=f"{name}_equity")
        .mark_line(interpolate="step-after")
        .encode(
            session_axis(),
            alt.Y("equity_bp:Q", title="net, bp of capital"),
            series("symbol", names),
            strokeWidth=alt.condition(f"datum.symbol === '{PORTFOLIO}'", alt.value(3), alt.value(1.2)),
            tooltip=hover,
        )
        .add_params(sliding())
    )
    under = (
        alt.Chart(rows(book.with_columns(day=pl.col("session").dt.to_string("%Y-%m-%d"))), name=f"{name}_drawdown")
        .mark_area(color=BAD, opacity=0.35, line={"color": BAD}, interpolate="step-after")
        .encode(session_axis(), alt.Y("drawdown_bp:Q", title="below the peak, bp"), tooltip=hover)
        .add_params(sliding())
    )
    return (
        Figure(f"{name}-equity", f"Equity, {title}", f"Equity, {title}, {words}.", f"{words}.", data, sized(lines)),
        Figure(f"{name}-drawdown", f"Drawdown, {title}", f"Drawdown, {title}, {words}.", "", data, sized(under)),
    )


def equity(record: Record) -> Section:
    """The search span, and the holdout if it was opened for this strategy."""
    return Section("equity", "Equity and drawdown", (), span_figures("search", "search span", record.daily, SEARCH))
