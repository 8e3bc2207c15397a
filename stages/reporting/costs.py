"""Section "Costs and delay": the cost curve, its break-even, and the same rule with later entries."""

from math import ceil
from typing import Any

import altair as alt
import polars as pl

from stages.reporting.charts import INK, SERIES, Chart, Figure, level, paired, rows, sized, tip
from stages.reporting.elements import Grid, Section, grid, number, sharpe
from stages.reporting.record import Document, Record
from stages.tables.trades import PORTFOLIO

CURVE, DELAY = ("evaluate/cost_curve.csv",), "evaluate/delay.csv"
HELD, REDECIDED = "held", "redecided"
FARTHEST_BREAK_EVEN = 6.0  # times the stated costs; beyond this only the sentence gives it
TRADES_ARE = {HELD: "same trades", REDECIDED: "rule decides anew"}


def costs(record: Record) -> Section:
    """One curve per span: a straight line with the same trades, possibly not with new decisions."""
    spans = record.cost_curve["span"].unique(maintain_order=True).to_list()
    sentences = (
        f"“{TRADES_ARE[HELD].capitalize()}” keeps every trade and only charges it more; “{TRADES_ARE[REDECIDED]}” "
        "lets the rule decide at those costs.",
        *(_break_even(record, span) for span in spans),
    )
    figures = tuple(_curve(record, span) for span in spans if _traded(record, span))
    grids = (_curve_grid(record), _delay_grid(record)) if figures else ()
    return Section("costs", "Costs and delay", sentences, figures, grids)


def break_even(record: Record, span: str) -> float | None:
    """The cost multiple at which the trades at the stated costs earn nothing; None if they cost nothing."""
    book = _book(record, span)
    return float(book["gross_bp"] / book["cost_bp"]) if book["cost_bp"] else None


def _book(record: Record, span: str) -> Document:
    """The key figures of the whole book at the stated costs."""
    return record.portfolio.filter(pl.col("symbol") == PORTFOLIO, pl.col("span") == span).row(0, named=True)


def _break_even(record: Record, span: str) -> str:
    multiple = break_even(record, span)
    if not _traded(record, span):
        return f"On the {span} span nothing was traded, so costs change nothing."
    if not _book(record, span)["trades"]:
        return f"On the {span} span nothing was traded at the stated costs, so there is no trade to charge more."
    if multiple is None:
        return f"On the {span} span the trades cost nothing, so no multiple of the stated costs changes the result."
    if multiple < 0:
        return f"On the {span} span the trades lose even before costs."
    return f"On the {span} span the same trades break even at {number(multiple, 2)} times the stated costs."


def _traded(record: Record, span: str) -> bool:
    return bool((record.cost_curve.filter(pl.col("span") == span)["trades"] > 0).any())


def _curve(record: Record, span: str) -> Figure:
    stated = record.cost_curve.filter(pl.col("span") == span)
    curve = stated.with_columns(trades_are=pl.col("trades_are").replace_strict(TRADES_ARE))
    multiples, beyond = curve["cost_multiple"].unique().sort().to_list(), _extended(stated, break_even(record, span))
    if beyond is not None:
        multiples += range(ceil(multiples[-1] + 0.5), ceil(beyond["cost_multiple"][-1]) + 1)
    names = list(TRADES_ARE.values())
    lines = (
        alt.Chart(rows(curve.select("trades_are", "cost_multiple", "net_bp", "trades", "sharpe", "sharpe_se")))
        .mark_line(point={"filled": True, "size": 60})
        .encode(
            alt.X(
                "cost_multiple:Q",
                title="times the stated costs",
                scale=alt.Scale(zero=False),
                axis=alt.Axis(values=multiples, grid=False),
            ),
            alt.Y("net_bp:Q", title="net, bp of capital"),
            paired("trades_are", names, SERIES[: len(names)]),
            strokeDash=alt.StrokeDash("trades_are:N", legend=None, sort=names),
            tooltip=[
                tip("trades_are", "trades are"),
                tip("cost_multiple", "times the stated costs", ".2f"),
                tip("net_bp", "net, bp of capital", ".1f"),
                tip("trades", "trades", ",d"),
            ],
        )
    )
    return Figure(
        f"costs-{span}",
        f"Cost curve, {span} span",
        f"Net result of the {span} span against the cost multiple. {_break_even(record, span)}",
        "",
        CURVE,
        sized(
            alt.layer(
                lines,
                level(0.0, "nothing earned" if beyond is None else ""),
                *([] if beyond is None else _to_break_even(beyond)),
            )
        ),
    )


def _extended(curve: pl.DataFrame, multiple: float | None) -> pl.DataFrame | None:
    """The straight line of the same trades from the end of the curve to its break-even, if that is near enough."""
    last = curve.filter(pl.col("trades_are") == HELD).sort("cost_multiple").tail(1)
    if multiple is None or not last["cost_multiple"].item() < multiple <= FARTHEST_BREAK_EVEN:
        return None
    end = pl.DataFrame({"cost_multiple": [multiple], "net_bp": [0.0]})
    return pl.concat([last.select("cost_multiple", "net_bp"), end])


def _to_break_even(beyond: pl.DataFrame) -> list[Chart]:
    base = alt.Chart(rows(beyond)).encode(alt.X("cost_multiple:Q"), alt.Y("net_bp:Q"))
    words = alt.TextValue(f"breaks even at {number(beyond['cost_multiple'][-1], 2)}")
    end = base.transform_filter("datum.net_bp === 0")
    return [
        base.mark_line(color=SERIES[0], strokeDash=[1, 4]),
        end.mark_point(color=SERIES[0], filled=False, size=60),
        end.mark_text(color=INK, fontSize=11, align="right", dx=-6, dy=-10).encode(text=words),
    ]


def _curve_grid(record: Record) -> Grid:
    titles = ("span", "times the costs", "trades are", "trades", "net, bp", record.sharpe_title)
    curve = record.cost_curve.with_columns(pl.col("trades_are").replace_strict(TRADES_ARE))
    return grid("Cost curve", titles, _lines(curve, "span", "cost_multiple", "trades_are", "trades", "net_bp"))


def _delay_grid(record: Record) -> Grid:
    titles = ("span", "entry delay, bars", "trades", "net, bp", "share won", record.sharpe_title)
    lines = _lines(record.delay, "span", "entry_delay_bars", "trades", "net_bp", "hit_rate")
    return grid(f"The same rule, entered later ({DELAY})", titles, lines)


def _lines(table: pl.DataFrame, *fields: str) -> list[tuple[Any, ...]]:
    """Some fields of each row, and its Sharpe ratio."""
    ratios = [sharpe(*both) for both in table.select("sharpe", "sharpe_se").iter_rows()]
    return [(*row, ratio) for row, ratio in zip(table.select(fields).iter_rows(), ratios, strict=True)]
