"""Figures of a book's days: equity and drawdown of one span, and the same without the symbol gate, in grey.

A curve starts at 0 the day before its first session, has one step per session, and ends a day after its last session,
so that the last step is visible.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import altair as alt
import polars as pl

from stages.errors import count
from stages.reporting.charts import BAD, QUIET, Chart, Figure, framed, rows, series, session_axis, sized, sliding, tip
from stages.reporting.elements import number
from stages.reporting.record import Record
from stages.tables.trades import HOLDING, PORTFOLIO
from stages.trading.daily import with_curves

UNGATED = "without the symbol gate: not a result"
TITLES = {"equity": "net, bp of capital", "drawdown": "below the peak, bp"}


@dataclass(frozen=True)
class _Span:
    """A book over a span: the prefix of its figures' names, their title, its curves, and the caption."""

    name: str
    title: str
    book: pl.DataFrame
    words: str

    def figure(self, what: str, drawn: Chart, data: tuple[str, ...]) -> Figure:
        """Equity or drawdown, with the book's numbers on hover."""
        return Figure(
            f"{self.name}-{what}",
            f"{what.capitalize()}, {self.title}",
            f"{what.capitalize()}, {self.title}: {self.words}.",
            f"{self.words.capitalize()}.",
            data,
            sized(alt.layer(drawn, _hover(self.book)).add_params(sliding())),
        )


def span_figures(record: Record, span: str, daily: pl.DataFrame, data: tuple[str, ...]) -> tuple[Figure, ...]:
    """Equity and drawdown of one span. Spans are never joined to one line; without a trade there is no picture."""
    if not (daily["trades"] > 0).any():
        return ()
    held = held_curve(record, span.split()[0])
    lines = pl.concat([with_curves(daily).select("symbol", "session", "equity_bp"), held], how="vertical_relaxed")
    traded = set(daily.filter(pl.col("trades") > 0)["symbol"])
    names = [symbol for symbol in record.shown_traders if symbol in traded]
    shown = lines.filter(pl.col("symbol").is_in([PORTFOLIO, *names, HOLDING]))
    book, words = _book(daily)
    beside = f", {HOLDING} {number(held['equity_bp'][-1], 1)} bp" if held.height else ""
    one = _Span(span.split()[0], span, book, words)
    equity = replace(one, words=words + beside).figure(
        "equity", _lines(shown, names, [HOLDING] if held.height else []), data if held.height else data[:1]
    )
    return equity, one.figure("drawdown", _area(book, BAD), data[:1])


def ungated_figures(record: Record, data: tuple[str, ...]) -> tuple[Figure, ...]:
    """The book if every symbol had passed its forecast gates, for a run in which nothing traded."""
    daily = record.ungated
    if daily is None or not (daily["trades"] > 0).any():
        return ()
    book, words = _book(daily)
    one = _Span("ungated", UNGATED, book, words)
    lines = alt.Chart(rows(stepped(book, "equity_bp").select("session", "equity_bp")))
    line = lines.mark_line(interpolate="step-after", color=QUIET, strokeDash=[6, 3])
    equity = line.encode(session_axis(), framed("equity_bp", TITLES["equity"], book["equity_bp"]))
    return one.figure("equity", equity, data), one.figure("drawdown", _area(book, QUIET), data)


def held_curve(record: Record, span: str) -> pl.DataFrame:
    """Buying and holding over a span, as a line of the equity picture; no row for a run older than the benchmark."""
    table = {"symbol": pl.String, "session": pl.Date, "equity_bp": pl.Float64}
    if record.benchmark is None:
        return pl.DataFrame(schema=table)
    held = record.benchmark.filter(span=span, name=HOLDING).sort("session")
    return held.select(pl.lit(HOLDING).alias("symbol"), "session", equity_bp=pl.col("net_bp").cum_sum().round(6))


def stepped(curves: pl.DataFrame, value: str, by: str | None = None) -> pl.DataFrame:
    """The curves with a zero on the day before their first session and their last value on the day after their last."""
    day = timedelta(days=1)
    parts = curves.partition_by(by, maintain_order=True) if by else [curves]
    edged = []
    for part in parts:
        ordered = part.sort("session")
        first = ordered.head(1).with_columns(pl.col("session") - day, pl.lit(0.0).alias(value))
        edged += [first, ordered, ordered.tail(1).with_columns(pl.col("session") + day)]
    return pl.concat(edged) if edged else curves


def _book(daily: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """The book's curve, and its main numbers in words."""
    book = with_curves(daily).filter(pl.col("symbol") == PORTFOLIO)
    book = book.with_columns(day=pl.col("session").dt.to_string("%Y-%m-%d"))
    total, worst = sum(book["net_bp"]), min(book["drawdown_bp"], default=0.0)
    words = f"{count(book.height, 'session')}, {number(total, 1)} bp net, deepest drawdown {number(abs(worst), 1)} bp"
    return book, words


def _lines(curves: pl.DataFrame, names: list[str], quiet: list[str]) -> Chart:
    """The book, the shown symbols that traded, and buy and hold as a grey dashed line."""
    thick = alt.condition(f"datum.symbol === '{PORTFOLIO}'", alt.value(3), alt.value(1.2))
    broken = alt.condition(f"datum.symbol === '{HOLDING}'", alt.value([6, 3]), alt.value([1, 0]))
    return (
        alt.Chart(rows(stepped(curves, "equity_bp", "symbol")))
        .mark_line(interpolate="step-after")
        .encode(
            session_axis(),
            framed("equity_bp", TITLES["equity"], curves["equity_bp"]),
            series("symbol", names, first=PORTFOLIO, quiet=quiet),
            strokeWidth=thick,
            strokeDash=broken,
        )
    )


def _area(book: pl.DataFrame, colour: str) -> Chart:
    areas = alt.Chart(rows(stepped(book, "drawdown_bp").select("session", "drawdown_bp")))
    marked = areas.mark_area(color=colour, opacity=0.35, line={"color": colour}, interpolate="step-after")
    return marked.encode(session_axis(), framed("drawdown_bp", TITLES["drawdown"], book["drawdown_bp"]))


def _hover(book: pl.DataFrame) -> Chart:
    """The book's numbers at every session."""
    titles = {"net_bp": "net of the day, bp", "equity_bp": TITLES["equity"], "drawdown_bp": TITLES["drawdown"]}
    fields = [tip(field, title, ".1f") for field, title in titles.items()]
    shown = rows(book.select("session", "day", *titles))
    return (
        alt.Chart(shown)
        .mark_rule(opacity=0, strokeWidth=8)
        .encode(session_axis(), tooltip=[tip("day", "session"), *fields])
    )
