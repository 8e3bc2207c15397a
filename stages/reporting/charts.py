"""Figures: Vega-Lite charts with the text that every reader, sighted or not, needs.

Colours are CSS variables (`var(--c1)`), so one picture works in light, dark and print. Sessions are shown as UTC dates
and clock times as minutes of the exchange's day, so the reader's time zone never moves a point.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

VEGA_LITE = "6.4"
Chart = Any  # altair builds its classes at run time, so most of its calls have no known type
SERIES = tuple(f"var(--c{number})" for number in range(1, 9))
GOOD, BAD, QUIET, INK, PAPER = "var(--good)", "var(--bad)", "var(--quiet)", "var(--ink)", "var(--paper)"
CLOCK = "pad(floor(datum.value / 60), 2, '0') + ':' + pad(datum.value % 60, 2, '0')"
HEIGHT = 240
PADDING = 0.05  # of the range, on both sides of a framed axis
LEGEND_COLUMNS = 5  # of a picture; on a page, `draw.js` makes them as many as fit

THEME: dict[str, Any] = {
    "background": "transparent",
    "aria": False,
    "font": "system-ui, sans-serif",
    "view": {"stroke": "transparent"},
    "axis": {
        "labelColor": "var(--ink-2)",
        "titleColor": "var(--ink-2)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelOverlap": True,
    },
    "legend": {
        "labelColor": INK,
        "titleColor": "var(--ink-2)",
        "orient": "top",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "symbolOpacity": 1,
    },
    "header": {"labelColor": INK, "titleColor": "var(--ink-2)"},
    "text": {"color": INK, "fontSize": 12},
    "rule": {"color": QUIET},
    "range": {"category": list(SERIES)},
}


@dataclass(frozen=True)
class Figure:
    """One picture. `alt` describes it as text with its main numbers; `data` names the files behind it."""

    name: str
    title: str
    alt: str
    note: str
    data: tuple[str, ...]
    chart: Chart
    wide: bool = False

    @property
    def spec(self) -> dict[str, Any]:
        """The chart as Vega-Lite, not validated here (tests do); the same figure always gives the same document."""
        with alt.data_transformers.enable("default", max_rows=None):
            document: dict[str, Any] = self.chart.to_dict(validate=False)
        document.pop("config", None)
        return document | {"description": self.alt}


def listed(entries: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Plain values as a frame for a figure."""
    return pl.DataFrame(entries, infer_schema_length=None)


def rows(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame for a figure: dates become ISO text, which no time zone can move."""
    days = [name for name, dtype in frame.schema.items() if dtype == pl.Date]
    return frame.with_columns(pl.col(days).dt.to_string("%Y-%m-%d"))


def sized(chart: Chart, height: int = HEIGHT) -> Chart:
    """The chart, made as wide as the page; it is changed in place, since a copy would copy every layer."""
    chart.width, chart.height = "container", height
    return chart


def session_axis(field: str = "session") -> alt.X:
    """Sessions on a time axis, as UTC dates."""
    axis = alt.Axis(format="%d %b %y", grid=False, labelSeparation=8)
    return alt.X(field, type="temporal", title=None, scale=alt.Scale(type="utc"), axis=axis)


def clock_axis() -> alt.X:
    """Minutes of the exchange's day as HH:MM."""
    return alt.X(
        "minute_et",
        type="quantitative",
        title="exchange time",
        scale=alt.Scale(zero=False, nice=False),
        axis=alt.Axis(labelExpr=CLOCK, values=list(range(570, 961, 30)), grid=False),
    )


def framed(field: str, title: str, values: pl.Series) -> alt.Y:
    """A y axis that holds 0 and every value, with a margin."""
    low, high = min(0.0, *values), max(0.0, *values)
    margin = PADDING * (high - low or 1.0)
    scale = alt.Scale(domain=[round(low - margin, 6), round(high + margin, 6)], nice=False, zero=False)
    return alt.Y(f"{field}:Q", title=title, scale=scale)


def series(field: str, names: Sequence[str], *, first: str | None = None, quiet: Sequence[str] = ()) -> alt.Color:
    """One colour per name, in the given order, so that a name has the same colour in every figure.

    `first` has the colour of text, names in `quiet` are grey like a background.
    """
    colours, legend = [SERIES[place % len(SERIES)] for place in range(len(names))], alt.Legend(columns=LEGEND_COLUMNS)
    if first is not None:
        names, colours = [first, *names], [INK, *colours]
    names, colours = [*names, *quiet], [*colours, *[QUIET] * len(quiet)]
    scale = alt.Scale(domain=list(names), range=colours)
    return alt.Color(field, type="nominal", title=None, scale=scale, legend=legend)


def paired(field: str, names: Sequence[str], colours: Sequence[str]) -> alt.Color:
    """Names with these colours, and a legend without a title."""
    return alt.Color(f"{field}:N", title=None, scale=alt.Scale(domain=list(names), range=list(colours)))


def judged(good: str) -> alt.ColorValue:
    """Green where this test of a row holds, red elsewhere."""
    return alt.ColorValue(**alt.condition(good, alt.value(GOOD), alt.value(BAD)))


def tip(field: str, title: str, form: str | None = None) -> alt.Tooltip:
    """A line of a tooltip in the words of the labels; without `form`, which formats a number, it is text."""
    if form is None:
        return alt.Tooltip(f"{field}:N", title=title)
    return alt.Tooltip(f"{field}:Q", title=title, format=form)


def bounds_tips(value: str, form: str) -> list[alt.Tooltip]:
    """`value` and its two bounds."""
    titles = {"value": value, "low": "bound below", "high": "bound above"}
    return [tip(field, title, form) for field, title in titles.items()]


def sliding() -> alt.Parameter:
    """Dragging pans, shift and wheel zoom x, a double click resets; a plain wheel or a finger scrolls the page."""
    return alt.selection_interval(
        name="slide",
        bind="scales",
        encodings=["x"],
        zoom="wheel![event.shiftKey]",
        translate="[pointerdown[event.pointerType === 'mouse'], window:pointerup] > window:pointermove!",
    )


def level(value: float, text: str, *, axis: str = "y", row: int = 0) -> Chart:
    """A labelled threshold line; on x the label is on the side with more room, in line `row` from the top."""
    base: Chart = alt.Chart(listed([{"at": value, "text": text}]))
    at: Chart = alt.Y("at:Q") if axis == "y" else alt.X("at:Q")
    label: dict[str, Any] = {"align": "right", "dx": -4, "dy": -6, "x": "width"}
    if axis == "x":
        far = f"scale('x', {value}) > width / 2"
        label = {"align": alt.expr(f"{far} ? 'right' : 'left'"), "dx": alt.expr(f"{far} ? -4 : 4"), "y": 8 + 13 * row}
    halo = base.mark_text(stroke=PAPER, strokeWidth=3, strokeJoin="round", fontSize=11, **label)
    words = base.mark_text(color="var(--ink-2)", fontSize=11, **label)
    rule = base.mark_rule(strokeDash=[4, 4])
    layers: Chart = alt.layer(rule.encode(at), *(text.encode(at, alt.Text("text:N")) for text in (halo, words)))
    return layers
