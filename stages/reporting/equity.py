"""Sections on results: equity and drawdown for search span and holdout separately, and the walk-forward."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import altair as alt
import polars as pl

from stages.errors import count, shorten
from stages.reporting.charts import INK, Figure, judged, rows, session_axis, sized, tip
from stages.reporting.curves import UNGATED, span_figures, ungated_figures
from stages.reporting.elements import Grid, Section, grid, measure, number, sharpe
from stages.reporting.record import Document, Record
from stages.tables.trades import HOLDING, PORTFOLIO

BENCHMARK = "evaluate/benchmark.parquet"
SEARCH, HOLDOUT = ("backtest/daily.parquet", BENCHMARK), ("evaluate/oos_daily.parquet", BENCHMARK)
OPENED = ("evaluate/ungated_daily.parquet",)
GREY = (
    f"The grey curves are the rule {UNGATED}. They show what the forecast gates kept from trading: symbols that did "
    "not pass. Nothing is judged on these curves, and no table includes them."
)
NEITHER = "Without the symbol gate the rule would not have traded either, so there is no curve of it."


def equity(record: Record) -> Section:
    """The search span, and the parts of the holdout that are open for this strategy."""
    chosen = (
        "The rule was chosen on the search span, so its result there flatters. The holdout begins after an embargo, "
        "and no choice was made on it."
    )
    sentences = [chosen, _capital(record), *record.selection_of_traders]
    if not (record.daily["trades"] > 0).any():
        sentences.append("Nothing was traded on the search span, so there is no result to draw.")
    figures = span_figures(record, "search span", record.daily, SEARCH)
    if not figures and record.ungated is not None and record.ungated.height:
        figures = ungated_figures(record, OPENED)
        sentences.append(GREY if figures else NEITHER)
    if record.oos["status"] == "SEALED":
        shown = "nothing of it is shown" if record.oos_daily.is_empty() else "only the months that are open are shown"
        sentences.append(f"The holdout is sealed: {shown}. {record.oos.get('words') or ''}".strip())
    figures += span_figures(record, f"holdout{record.open_part}", record.oos_daily, HOLDOUT)
    for name, part in {"the holdout": record.oos, **record.oos.get("months", {})}.items():
        sentences += (_forecasts(name, figures) for figures in part.get("forecasts") or ())
    return Section("equity", "Equity and drawdown", tuple(sentences), figures, (_key_figures(record),))


def _capital(record: Record) -> str:
    """The capital by which the book's result is divided."""
    trading = record.oos["trading"]
    if not trading:
        return "PORTFOLIO is the whole book: its capital is one unit for each symbol that may trade, and none may."
    return (
        f"PORTFOLIO is the whole book: the sum of its symbols divided by the {count(len(trading), 'symbol')} that "
        f"may trade ({shorten(trading)}). “{HOLDING.capitalize()}” holds one unit of each of these symbols from the "
        "first open to the last close, without costs."
    )


def _forecasts(name: str, figures: Mapping[str, Any]) -> str:
    """The quality of the forecasts that were traded on a part of the holdout."""
    rmae, coverage, skill = (measure(figures[one]["value"]) for one in ("rmae", "coverage_50", "crps_skill"))
    bounds = "" if figures["rmae"]["ci"] is None else f" ({' to '.join(map(measure, figures['rmae']['ci']))})"
    return (
        f"Forecasts traded on {name}, {figures['horizon_min']} min: rMAE {rmae}{bounds}, 50 % coverage {coverage}, "
        f"CRPS skill {skill}, from {count(figures['n'], 'outcome')} on {count(figures['n_days'], 'day')}."
    )


def _key_figures(record: Record) -> Grid:
    titles = (
        "span", "symbol", "sessions", "trades", "net, bp", record.sharpe_title, "gross, bp", "costs, bp",
        "mean trade, bp", "share won", "deepest drawdown, bp", "turnover a day", "exposure",
    )  # fmt: skip
    key = ("span", "symbol", "sessions", "trades", "net_bp")
    rest = ("gross_bp", "cost_bp", "mean_trade_bp", "hit_rate", "max_drawdown_bp", "turnover", "exposure")
    lines = [
        (*(row[field] for field in key), sharpe(row["sharpe"], row["sharpe_se"]), *(row[field] for field in rest))
        for row in record.portfolio.iter_rows(named=True)
        if row["symbol"] in (PORTFOLIO, *record.shown_traders)
    ]
    return grid("Key figures by span and symbol", titles, lines)


DATA = ("sweep/walk_forward.csv",)
FOLD = {"fold": "fold", "first_session": "traded from", "last_session": "to", "combo": "variant"}


def walk_forward(record: Record) -> Section:
    """Folds and their sum, if `split.walk_forward` asked for them, with the stated rule on the same sessions."""
    title = "Walk-forward"
    if record.walk_forward.is_empty():
        return Section("walk-forward", title, (_not_walked(record),))
    folds, walked = record.walk_forward[:-1], record.walk_forward.row(-1, named=True)
    sentences = (
        "The result of choosing by the sweep's rule again and again: each fold trades the variant that the sessions "
        "before it proposed. Which symbols may trade was judged on the whole search span, which flatters every fold.",
        _result(record, folds.height, walked),
    )
    figures = (_folds(folds, walked),) if walked["trades"] else ()
    return Section("walk-forward", title, sentences, figures, (_table(record),))


def _not_walked(record: Record) -> str:
    split = record.config["split"]
    if (walk := split["walk_forward"]) is None:
        return "Not run: `dvc exp run -S split=walk_forward` walks this study forward."
    first, between = (count(many, "session") for many in (walk["first_train_sessions"], split["embargo_sessions"]))
    return (
        f"No fold could be walked: the first choice needs {first}, then {between} of embargo and one to trade, and "
        f"the variants are compared on {count(record.ranking['sessions'][0], 'session')}."
    )


def _result(record: Record, folds: int, walked: Document) -> str:
    first, last = (date.fromisoformat(walked[end]) for end in ("first_session", "last_session"))
    stated = record.daily.filter(pl.col("symbol") == PORTFOLIO, pl.col("session").is_between(first, last))
    return (
        f"{count(folds, 'fold')} over {count(walked['sessions'], 'session')}: {_earned(walked)}, Sharpe ratio "
        f"{sharpe(walked['sharpe'], walked['sharpe_se'])} ({count(record.trials, 'trial')}). The rule that params "
        f"state, chosen with knowledge of all of them, made {number(stated['net_bp'].sum(), 1)} bp on the same "
        "sessions. Each is in bp of its own capital, a unit for each symbol that it may trade."
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
            color=judged("datum.net_bp > 0"),
            tooltip=[
                *(tip(field, title) for field, title in FOLD.items()),
                tip("net_bp", "net, bp of capital", ".1f"),
                tip("trades", "trades", ",d"),
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
