"""The rule of choice asked again and again on the search span: chosen on what came before, traded on what came next."""

from datetime import date

import altair as alt
import polars as pl

from stages.reporting.charts import BAD, GOOD, INK, Figure, rows, session_axis, sized
from stages.reporting.content import Grid, Section, grid
from stages.reporting.record import Document, Record
from stages.reporting.words import count, number, sharpe
from stages.tables.trades import PORTFOLIO

DATA = ("sweep/walk_forward.csv",)


def walk_forward(record: Record) -> Section:
    """Folds and their sum, if `split.walk_forward` asked for them; beside them the stated rule on the same sessions."""
    title = "Walk-forward"
    if record.walk_forward.is_empty():
        return Section("walk-forward", title, ("Not asked for: `dvc exp run -S split=walk_forward` walks this study.",))
    folds, walked = record.walk_forward[:-1], record.walk_forward.row(-1, named=True)
    sentences = (
        "What choosing by the sweep's rule would have earned: in each fold the variant that the sessions before it "
        "proposed is traded. Who may trade was judged on the whole search span, which flatters every fold.",
        _result(record, folds.height, walked),
    )
    figures = (_folds(folds, walked),) if walked["trades"] else ()
    return Section("walk-forward", title, sentences, figures, (_table(record),))


def _result(record: Record, folds: int, walked: Document) -> str:
    first, last = (date.fromisoformat(walked[end]) for end in ("first_session", "last_session"))
    stated = record.daily.filter(pl.col("symbol") == PORTFOLIO, pl.col("session").is_between(first, last))
    return (
        f"{count(folds, 'fold')} over {count(walked['sessions'], 'session')}: {_earned(walked)}, Sharpe ratio "
        f"{sharpe(walked['sharpe'], walked['sharpe_se'])} ({count(record.trials, 'trial')}). The rule that params "
        f"state, chosen with all of them in view, made {number(stated['net_bp'].sum(), 1)} bp on the same sessions."
    )


def _earned(walked: Document) -> str:
    return f"{number(walked['net_bp'], 1)} bp net in {count(walked['trades'], 'trade')}"


def _folds(folds: pl.DataFrame, walked: Document) -> Figure:
    ends = pl.col("last_session").str.to_date().dt.offset_by("1d").alias("end")
    bars = (
        alt.Chart(rows(folds.with_columns(ends)))
        .mark_bar(opacity=0.6, stroke=INK, strokeWidth=0.5)
        .encode(
            session_axis("first_session"),
            alt.X2("end"),
            alt.Y("net_bp:Q", title="net, bp of capital"),
            alt.Y2(datum=0),
            color=alt.condition("datum.net_bp > 0", alt.value(GOOD), alt.value(BAD)),
            tooltip=[
                *(alt.Tooltip(f"{field}:N") for field in ("fold", "first_session", "last_session", "combo")),
                alt.Tooltip("net_bp:Q", format=".1f"),
                alt.Tooltip("trades:Q"),
            ],
        )
    )
    return Figure(
        "walk-forward-folds",
        "Net result of each fold",
        f"Net result of {count(folds.height, 'fold')} walked forward over the search span: {_earned(walked)} in all.",
        "Each bar is as wide as its fold; the variant it traded is on hover.",
        DATA,
        sized(bars),
    )


def _table(record: Record) -> Grid:
    titles = ("fold", "chosen on", "sessions", "variant", "traded on", "sessions", "trades", "net, bp", "share won")
    lines = [
        (
            row["fold"],
            _span(row["train_first"], row["train_last"]),
            *(row[field] for field in ("train_sessions", "combo")),
            _span(row["first_session"], row["last_session"]),
            *(row[field] for field in ("sessions", "trades", "net_bp", "hit_rate")),
        )
        for row in record.walk_forward.iter_rows(named=True)
    ]
    return grid("The walk, fold by fold", titles, lines, chosen=[len(lines) - 1])


def _span(first: str | None, last: str | None) -> str | None:
    return first and f"{first} to {last}"
