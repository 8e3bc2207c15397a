"""The comparison of two runs: params that differ, verdicts, worth, key figures, and curves on one axis."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from stages.errors import count
from stages.reporting.charts import (
    THEME,
    Chart,
    Figure,
    clock_axis,
    framed,
    level,
    rows,
    series,
    session_axis,
    sized,
    sliding,
    tip,
)
from stages.reporting.curves import TITLES, stepped
from stages.reporting.elements import Section, grid, in_order, number, probability, sharpe
from stages.reporting.page import rendered, vega
from stages.reporting.record import Record
from stages.reporting.verdict import GATES, headline
from stages.reporting.worth import both_worth
from stages.tables.trades import PORTFOLIO
from stages.trading.daily import with_curves

Runs = Mapping[str, Record]
Differing = Sequence[tuple[str, Any, Any]]
FIGURES = {
    "gross_bp": "gross, bp", "cost_bp": "costs, bp", "trades": "trades", "sessions": "sessions",
    "mean_trade_bp": "mean trade, bp", "hit_rate": "share won", "max_drawdown_bp": "deepest drawdown, bp",
    "turnover": "turnover a day", "exposure": "exposure",
}  # fmt: skip


def render_pair(runs: Runs, differing: Differing) -> str:
    """One self-contained page; `differing` are the keys of params whose values differ, with both values."""
    sections = [params(runs, differing), verdicts(runs), both_worth(runs), figures(runs), curves(runs), inputs(runs)]
    heads = {name: headline(record) for name, record in runs.items()}
    label = ", ".join(dict.fromkeys(record.label for record in runs.values()))
    return rendered("compare.html.j2", runs=heads, label=label, sections=sections, vega=vega(), theme=THEME)


def params(runs: Runs, differing: Differing) -> Section:
    """The params that differ between the runs."""
    if not differing:
        return Section("params", "Params that differ", ("None: both runs have the same params.",))
    lines = [(key, *(_text(value) for value in values)) for key, *values in differing]
    table = grid("Every key whose values differ", ("key", *runs), lines)
    return Section("params", "Params that differ", (f"{count(len(lines), 'key')} of params.yaml.",), grids=(table,))


def verdicts(runs: Runs) -> Section:
    """The gates of both runs, and the measurements of each symbol's forecasts."""
    judged = [record.gates["gates"] for record in runs.values()]
    deciding = [
        (GATES[name], *(gates[name]["verdict"] if name in gates else None for gates in judged))
        for name in in_order({name for gates in judged for name in gates}, GATES)
    ]
    both = [record.gates["cells"] for record in runs.values()]
    shown = {symbol for record in runs.values() for symbol in record.shown_traders}
    symbols = dict.fromkeys(symbol for cells in both for symbol in sorted(cells) if symbol in shown)
    names = dict.fromkeys(name for cells in both for cell in cells.values() for name in sorted(cell["gates"]))
    measured = [
        (symbol, name, *(_of_cell(cells, symbol, name, field) for field in ("verdict", "value") for cells in both))
        for symbol in symbols
        for name in names
    ]
    titles = ("symbol", "measure", *runs, *(f"{name}, value" for name in runs))
    tables = [grid("The gates that decide the verdict", ("gate", *runs), deciding)]
    if measured:
        tables.append(grid("Forecast gates of what each strategy would trade", titles, measured))
    left_out = dict.fromkeys(sentence for record in runs.values() for sentence in record.selection_of_traders)
    return Section("verdicts", "Verdicts", tuple(left_out), grids=tuple(tables))


def figures(runs: Runs) -> Section:
    """Key figures of both books, each span separately."""
    spans = {"search span": [record.book for record in runs.values()]}
    released = [record.oos["kpis"] for record in runs.values()]
    if any(released):
        spans["holdout"] = [kpis or {} for kpis in released]
    titles = ("run", "net, bp", "Sharpe ± standard error", *FIGURES.values())
    tables = [
        grid(f"The book on the {span}", titles, [_figures(name, book) for name, book in zip(runs, books, strict=True)])
        for span, books in spans.items()
    ]
    trials = ", ".join(f"{count(record.trials, 'trial')} in {name}" for name, record in runs.items())
    sentence = f"The more variants are tried, the more a Sharpe ratio flatters: {trials}."
    return Section("figures", "Key figures", (sentence,), grids=tuple(tables))


def curves(runs: Runs) -> Section:
    """Equity, drawdown and coverage of both runs, each on one axis."""
    pictures = _of_days(runs, "search span", lambda record: record.daily, "backtest/daily.parquet")
    if any(record.oos_daily.height for record in runs.values()):
        pictures += _of_days(runs, "holdout", lambda record: record.oos_daily, "evaluate/oos_daily.parquet")
    return Section("curves", "Curves on one axis", (), figures=(*pictures, *_coverage(runs)))


def inputs(runs: Runs) -> Section:
    """Which files behind the two pages have the same content."""
    one, other = (record.hashes for record in runs.values())
    every = {**one, **other}
    paths = sorted(path for path in every if one.get(path) != other.get(path))
    sentence = (
        f"Of {count(len(every), 'file')} behind the two runs, {len(every) - len(paths)} have the same content in both."
    )
    table = grid(
        "Files that differ, by md5", ("file under artifacts/", *runs), [(p, one.get(p), other.get(p)) for p in paths]
    )
    return Section("inputs", "Inputs", (sentence,), grids=(table,) if paths else ())


def _of_days(runs: Runs, span: str, days: Callable[[Record], pl.DataFrame], path: str) -> list[Figure]:
    books = {name: with_curves(days(record)).filter(pl.col("symbol") == PORTFOLIO) for name, record in runs.items()}
    shown = ("session", "net_bp", "equity_bp", "drawdown_bp")
    table = pl.concat([book.select(pl.lit(name).alias("run"), *shown) for name, book in books.items()])
    part = {name: record.open_part * (span == "holdout") for name, record in runs.items()}
    text = ", ".join(f"{name} {_earned(book)}{part[name]}" for name, book in books.items()) + _equal_note(table)
    return [
        Figure(
            f"{span.split()[0]}-{what}",
            f"{what.capitalize()}, {span}",
            f"{what.capitalize()} of both books over the {span}: {text}.",
            f"{text}.",
            (path,),
            sized(_days(table, what, runs).add_params(sliding())),
        )
        for what in TITLES
    ]


def _coverage(runs: Runs) -> Iterator[Figure]:
    entries = [
        {"run": name, "minute_et": _minute(row["snapshot_et"]), "coverage": row["calibrated"]}
        for name, record in runs.items()
        for row in _traded(record).iter_rows(named=True)
    ]
    table = pl.DataFrame(entries, schema={"run": pl.String, "minute_et": pl.Int64, "coverage": pl.Float64})
    if table["coverage"].drop_nulls().is_empty():
        return
    reached = alt.Y("coverage:Q", title="50 % interval covers", scale=alt.Scale(zero=False))
    dots = alt.Chart(table).mark_line(point=True)
    words = [tip("run", "run"), tip("minute_et", "minutes of the exchange's day", "d")]
    words += [tip("coverage", "50 % interval covers", ".1%")]
    chart = _line(dots, clock_axis(), reached, runs).encode(tooltip=words) + level(0.5, "as stated")
    note = f"Each at its own history, horizon and calibration, after calibration, all symbols{_equal_note(table)}."
    described = f"Coverage of the 50 % interval by time of day, both runs. {note}"
    yield Figure(
        "coverage", "Coverage by time of day", described, note, ("score_forecasts/coverage_by_time.csv",), sized(chart)
    )


def _traded(record: Record) -> pl.DataFrame:
    """Coverage for the calibration and horizon that the run's rule trades."""
    chosen = (record.config["calibration"]["method"], record.config["rules"]["horizon_min"])
    return record.coverage.filter(pl.col("method") == chosen[0], pl.col("horizon_min") == chosen[1])


def _equal_note(table: pl.DataFrame) -> str:
    """A note if both curves are equal, so that one hides the other; else empty."""
    parts = [part.drop("run") for part in table.partition_by("run", maintain_order=True)]
    return "; both curves are the same" if len(parts) == 2 and parts[0].equals(parts[1]) else ""


def _days(table: pl.DataFrame, what: str, runs: Runs) -> Chart:
    field, title = f"{what}_bp", TITLES[what]
    days = stepped(table.select("run", "session", field), field, "run")
    lines = alt.Chart(rows(days)).mark_line(interpolate="step-after")
    words = [tip("run", "run"), tip("session", "session"), tip(field, title, ".1f")]
    return _line(lines, session_axis(), framed(field, title, table[field]), runs).encode(tooltip=words)


def _line(lines: Chart, x: alt.X, y: alt.Y, runs: Runs) -> Chart:
    return lines.encode(x, y, series("run", list(runs)))


def _figures(name: str, book: Mapping[str, Any]) -> tuple[Any, ...]:
    ratio = sharpe(book.get("sharpe"), book.get("sharpe_se"))
    return (name, book.get("net_bp"), ratio, *(book.get(key) for key in FIGURES))


def _earned(book: pl.DataFrame) -> str:
    return f"{number(sum(book['net_bp']), 1)} bp net" if book.height else "sealed"


def _of_cell(cells: Mapping[str, Any], symbol: str, name: str, field: str) -> Any:
    found = cells[symbol]["gates"].get(name, {}).get(field) if symbol in cells else None
    return probability(found) if (name, field) == ("fdr", "value") else found


def _text(value: Any) -> str:
    """A value as YAML writes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _minute(clock: str) -> int:
    hour, minute = map(int, clock.split(":"))
    return 60 * hour + minute
