"""Section "The sweep": the map of variants with the plateau, the ranking, and how much of it is luck."""

from collections.abc import Sequence
from math import comb

import altair as alt
import polars as pl

from stages.errors import count
from stages.reporting.charts import INK, Chart, Figure, judged, rows, sized, tip
from stages.reporting.elements import MISSING, Grid, Section, grid, number, probability, sharpe
from stages.reporting.record import Record
from stages.trading.grid import SCALES, SWITCHES

DATA = ("sweep/ranking.csv", "sweep/proposal.json")
ACROSS = {"k_sigma": ("k", "k {}"), "s_stop": ("stop", "stop {}"), "s_take": ("take", "take {}")}
DOWN = {
    "history_days": ("history, days", "{} days of history"),
    "horizon_min": ("horizon, min", "{} min ahead"),
    "max_hold_min": ("hold, min", "hold {} min"),
    "method": ("calibration", "{}"),
    "cost_mult": ("costs, times", "{} times the costs"),
}
AXES = {**ACROSS, **DOWN}
PLACE = {"combo": "variant", "down": "forecast", "across": "rule"}
HOVER = {"sharpe": "Sharpe", "sharpe_se": "standard error", "plateau_sharpe": "Sharpe with its neighbours"}
TILE_HEIGHT = 30
LEAST_HEIGHT = 120
FULL_COLOUR_SHARPE = 4.0
READABLE = "bandwidth('x') < 24 && isValid(datum.sharpe) ? 0 : 1"  # narrower tiles have no room for a number


def sweep(record: Record) -> Section:
    """Every variant, on the search span only; the proposal changes nothing by itself."""
    sentences = (
        f"{count(record.ranking.height, 'variant')} on the search span, {count(record.trials, 'trial')} in all with "
        f"those logged before. {_proposed(record)}",
        *_compared(record),
        "The best of many tries looks good by luck alone. The deflated Sharpe ratio (DSR) is the probability that "
        "the true ratio is above what luck gives the best of so many. PBO is how often the best on one half of the "
        "days is at or below the median on the other half. SPA p is how often luck alone gives a best mean day, in "
        "daily standard deviations, as high as this grid's.",
    )
    if not (record.ranking["trades"] > 0).any():
        return Section("sweep", "The sweep", (*sentences, "No variant traded: there is nothing to rank or to draw."))
    return Section("sweep", "The sweep", sentences, (_map(record),), (_luck(record), _ranking(record)))


def _proposed(record: Record) -> str:
    proposal = record.proposal
    return f"Proposed: {proposal['why']}." if proposal["combo"] else f"Nothing is proposed: {proposal['why']}."


def _compared(record: Record) -> tuple[str, ...]:
    """A note if not every history and method of the grid could trade from the first session on."""
    compared, searched = record.ranking["sessions"][0], record.book["sessions"]
    if compared == searched:
        return ()
    return (
        f"Variants are compared on the last {compared} of {count(searched, 'session')}: before, not every history and "
        "calibration of the grid had a forecast to trade.",
    )


def varying(ranking: pl.DataFrame, axes: Sequence[str]) -> list[str]:
    """The axes on which this grid has more than one value."""
    return [axis for axis in axes if ranking[axis].n_unique() > 1]


def plateau(ranking: pl.DataFrame, combo: str | None) -> list[str]:
    """The combos one step away from this one along one scale of the grid, with which it was averaged."""
    scales = [pl.col(axis).rank("dense").cast(pl.Int64).alias(axis) for axis in SCALES]
    steps = ranking.select("combo", *scales, *SWITCHES)
    one = steps.filter(pl.col("combo") == pl.lit(combo, pl.String))
    if one.is_empty():
        return []
    away = pl.sum_horizontal((pl.col(axis) - one[axis].item()).abs() for axis in SCALES)
    same = [pl.col(axis).eq_missing(pl.lit(one[axis].item())) for axis in SWITCHES]
    return steps.filter(away == 1, *same)["combo"].to_list()


def _map(record: Record) -> Figure:
    combo = record.proposal["combo"]
    beside = plateau(record.ranking, combo) if record.config["sweep"]["choose_by"]["plateau"] else []
    places = {"across": list(ACROSS), "down": list(DOWN)}
    label = {name: _label(varying(record.ranking, axes) or axes[:1]) for name, axes in places.items()}
    tiles = record.ranking.sort(*DOWN, *ACROSS).with_columns(
        **label, proposed=pl.col("combo") == (combo or ""), plateau=pl.col("combo").is_in(beside)
    )
    shown = tiles.select(
        "combo", "across", "down", "sharpe", "sharpe_se", "plateau_sharpe", "net_bp", "trades", "proposed", "plateau"
    )
    base = alt.Chart(rows(shown)).encode(
        alt.X("across:N", title=None, sort=None, axis=alt.Axis(labelAngle=-40, labelLimit=240)),
        alt.Y("down:N", title=None, sort=None, axis=alt.Axis(labelLimit=240)),
        tooltip=[
            *(tip(field, title) for field, title in PLACE.items()),
            *(tip(field, title, ".2f") for field, title in HOVER.items()),
            tip("net_bp", "net, bp of capital", ".1f"),
            tip("trades", "trades", ",d"),
        ],
    )
    tone = judged("datum.sharpe > 0")
    strongest = max((abs(value) for value in tiles["sharpe"].drop_nulls()), default=0.0)
    scale = alt.Scale(domain=[0, max(FULL_COLOUR_SHARPE, strongest)], range=[0.04, 0.7])
    colours = base.transform_filter("isValid(datum.sharpe)").transform_calculate(depth="abs(datum.sharpe)").mark_rect()
    written = base.transform_calculate(word="isValid(datum.sharpe) ? format(datum.sharpe, '.1f') : '-'")
    layers: list[Chart] = [
        colours.encode(color=tone, opacity=alt.Opacity("depth:Q", legend=None, scale=scale)),
        base.transform_filter("datum.plateau").mark_rect(filled=False, stroke=INK, strokeWidth=1.5, strokeDash=[5, 3]),
        base.transform_filter("datum.proposed").mark_rect(filled=False, stroke=INK, strokeWidth=3),
        written.mark_text(color=INK, fontSize=11, opacity=alt.expr(READABLE)).encode(alt.Text("word:N")),
    ]
    return Figure(
        "sweep-map",
        "Search Sharpe ratio of every variant",
        f"Sharpe ratio on the search span of {count(tiles.height, 'rule variant')}. {_proposed(record)}",
        "Green earns, red loses, a dash has no ratio. The frame marks the proposal, broken frames its plateau: the "
        "neighbours it was averaged with. "
        f"{count(record.trials, 'trial')}; standard errors on hover and in the table.",
        DATA,
        sized(alt.layer(*layers), max(LEAST_HEIGHT, TILE_HEIGHT * tiles["down"].n_unique())),
        wide=True,
    )


def _label(axes: Sequence[str]) -> pl.Expr:
    words = [pl.format(AXES[axis][1], pl.col(axis).cast(pl.String).fill_null("any")) for axis in axes]
    return pl.concat_str(words, separator=" · ")


def _luck(record: Record) -> Grid:
    found = record.ranking.row(0, named=True)
    variants = record.ranking.filter(cost_mult=record.config["costs"]["cost_mult"]).height
    lines = [
        (
            "trials in all: this grid, and those logged before it; DSR is deflated by them",
            found["trials"],
            found["trials"],
        ),
        ("equivalent independent trials", number(found["effective_trials"], 1), variants),
        ("probability of overfitting (PBO; up to 0.2 is reassuring)", _of_halves(found["pbo"], record), variants),
        ("no variant beats not trading (SPA p; up to 0.1 is reassuring)", probability(found["spa_p"]), variants),
    ]
    return grid("How much of the best is luck", ("figure", "value", "variants it accounts for"), lines)


def _of_halves(pbo: float | None, record: Record) -> str:
    """PBO with its count, since 0 of seventy is not the same as never."""
    blocks = record.config["sweep"]["pbo_blocks"]
    halves = comb(blocks, blocks // 2)
    return MISSING if pbo is None else f"{number(pbo)} ({round(pbo * halves)} of {halves:,} ways to halve the days)"


def _ranking(record: Record) -> Grid:
    traded = record.ranking.filter(pl.col("trades") > 0)
    top = traded.head(record.config["report"]["grid_top_k"])
    shown = varying(record.ranking, list(AXES))
    fields = ("combo", *shown, "trades", "net_bp", "turnover")
    lines = [
        (
            *(row[field] for field in fields),
            sharpe(row["sharpe"], row["sharpe_se"]),
            row["plateau_sharpe"],
            probability(row["dsr"]),
        )
        for row in top.iter_rows(named=True)
    ]
    proposed = [place for place, combo in enumerate(top["combo"]) if combo == record.proposal["combo"]]
    titles = (
        *("variant", *(AXES[axis][0] for axis in shown), "trades", "net, bp", "turnover a day"),
        *(record.sharpe_title, "with its neighbours", "DSR"),
    )
    caption = f"The best {top.height} of {count(record.ranking.height, 'variant')} on the search span"
    return grid(caption, titles, lines, proposed)
