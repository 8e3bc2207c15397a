"""Section "From forecasts to trades": forecast fans on real days, with the price and the trades."""

from datetime import date

import altair as alt
import polars as pl

from stages.errors import count
from stages.reporting.charts import INK, SERIES, Chart, Figure, clock_axis, judged, rows, sized, sliding, tip
from stages.reporting.elements import Grid, Section, evenly, grid, number
from stages.reporting.record import Record
from stages.tables.market import NEW_YORK

DATA = ("seal/search/calibrated.parquet", "seal/search/bars", "backtest/bt_trades.csv")
LEVELS = {"q05": "5 % below", "q25": "25 % below", "q50": "median", "q75": "25 % above", "q95": "5 % above"}


def fans(record: Record) -> Section:
    """Days picked by a rule: evenly from the worst traded day to the best."""
    days = pick_days(record)
    sentences = (
        "Bands hold 50 % and 90 % of the forecast probability at each horizon; the line inside is the median. The thin "
        "line throughout the day is the actual price. Triangles mark entries (up: long, down: short), dots mark exits.",
        "The days are picked by rule: evenly from the worst traded symbol-day of the search span to the best."
        if record.trades.height
        else f"Nothing was traded on the search span; these are the last days of {days[0][0]}."
        if days
        else "Nothing was traded on the search span, which holds no forecast of the stated kind.",
        *record.selection_of_traders,
    )
    figures = tuple(_figure(record, *day) for day in days)
    grids = (_decisions(record),) if record.shown_traders else ()
    return Section("fans", "From forecasts to trades", sentences, figures, grids)


def pick_days(record: Record) -> list[tuple[str, date]]:
    """`report.fan_days` pairs of symbol and session; without trades, the last sessions of the first symbol asked."""
    wanted = record.config["report"]["fan_days"]
    by_result = (
        record.trades.group_by("symbol", "session").agg(pl.col("net_bp").sum()).sort("net_bp", "symbol", "session")
    )
    for symbol in record.symbols if by_result.is_empty() else ():
        if sessions := sorted(strategy_forecasts(record, symbol)["session"].unique()):
            return [(symbol, session) for session in sessions[-wanted:]]
    return evenly(by_result.select("symbol", "session").rows(), wanted)


def strategy_forecasts(record: Record, symbol: str) -> pl.DataFrame:
    """The forecasts of a symbol that the stated rule used: its model, history and calibration method, every horizon."""
    return record.forecasts[symbol].filter(
        pl.col("model") == record.config["forecaster"]["model"],
        pl.col("method") == record.config["calibration"]["method"],
        pl.col("history_days") == record.config["rules"]["history_days"],
    )


def _figure(record: Record, symbol: str, session: date) -> Figure:
    of_day = pl.col("session") == session
    trades = record.trades.filter(of_day, pl.col("symbol") == symbol)
    steps = fan_steps(strategy_forecasts(record, symbol).filter(of_day))
    path = record.bars[symbol].filter(of_day, pl.col("close").is_not_null())
    path = path.select(minute_et=_minute_et("known_at"), price="close")
    earned = f"{count(trades.height, 'trade')}, {number(float(trades['net_bp'].sum()), 1)} bp net"
    result = earned if trades.height else "no trade"
    layers = (*_bands(steps), _path(path), *(_trades(trades) if trades.height else ()))
    resolve = alt.Resolve(scale=alt.ScaleResolveMap(color="independent"))
    chart = alt.layer(*layers, name="fan", resolve=resolve).add_params(sliding())
    asked = count(steps["snapshot"].n_unique(), "snapshot")
    return Figure(
        name=f"fan-{symbol}-{session}",
        title=f"{symbol}, {session}: {result}",
        alt=f"Price of {symbol} on {session} with forecast fans at {asked}; {result}.",
        note="",
        data=DATA,
        chart=sized(chart, 300),
        wide=True,
    )


def fan_steps(forecasts: pl.DataFrame) -> pl.DataFrame:
    """The fans in prices: each starts at the snapshot's last price and widens over the asked horizons."""
    steps = forecasts.select(
        snapshot="snapshot_et",
        minute_et=_minute_et("snapshot_utc") + pl.col("horizon_min"),
        **{level: (pl.col("last") * (pl.col(level) / 1e4).exp()).round(4) for level in LEVELS},
    )
    start = forecasts.select(
        snapshot="snapshot_et", minute_et=_minute_et("snapshot_utc"), **dict.fromkeys(LEVELS, pl.col("last").round(4))
    )
    return pl.concat([start.unique(), steps]).sort("snapshot", "minute_et")


def _minute_et(instant: str) -> pl.Expr:
    local = pl.col(instant).dt.convert_time_zone(NEW_YORK)
    return (local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute().cast(pl.Int32)).alias("minute_et")


def _bands(steps: pl.DataFrame) -> list[Chart]:
    base = alt.Chart(rows(steps)).encode(clock_axis(), alt.Detail("snapshot:N"))
    price = alt.Scale(zero=False)
    words = [tip("snapshot", "asked at")]
    words += [tip(level, title, ".3f") for level, title in LEVELS.items()]
    shades = [(("q05", "q95"), 0.18), (("q25", "q75"), 0.35)]
    areas = [
        base.mark_area(color=SERIES[0], opacity=opacity).encode(
            alt.Y(f"{low}:Q", scale=price, title="price"), alt.Y2(f"{high}:Q"), tooltip=words
        )
        for (low, high), opacity in shades
    ]
    return [*areas, base.mark_line(color=SERIES[0], strokeWidth=1.5).encode(alt.Y("q50:Q", scale=price))]


def _path(path: pl.DataFrame) -> Chart:
    return (
        alt.Chart(rows(path))
        .mark_line(color=INK, strokeWidth=1)
        .encode(clock_axis(), alt.Y("price:Q", scale=alt.Scale(zero=False)))
    )


def _trades(trades: pl.DataFrame) -> list[Chart]:
    table = trades.select(
        entry=_minute_et("entry_ts"),
        exit=_minute_et("exit_ts"),
        entry_px="entry_px",
        exit_px="exit_px",
        side=pl.when(pl.col("side") > 0).then(pl.lit("long")).otherwise(pl.lit("short")),
        reason="exit_reason",
        net_bp="net_bp",
    )
    words = [
        tip("side", "side"),
        tip("reason", "left by"),
        tip("net_bp", "net, bp", ".1f"),
        tip("entry_px", "in at", ".3f"),
        tip("exit_px", "out at", ".3f"),
    ]
    base = alt.Chart(rows(table)).encode(judged("datum.net_bp > 0"), tooltip=words)
    shape = alt.Shape(
        "side:N",
        legend=None,
        scale=alt.Scale(domain=["long", "short"], range=["triangle-up", "triangle-down"]),
    )
    entry, entry_px = alt.X("entry:Q"), alt.Y("entry_px:Q", scale=alt.Scale(zero=False))
    return [
        base.mark_rule(strokeWidth=2).encode(entry, entry_px, alt.X2("exit:Q"), alt.Y2("exit_px:Q")),
        base.mark_point(size=110, filled=True, opacity=1).encode(entry, entry_px, shape=shape),
        base.mark_point(size=50, filled=True, opacity=1, shape="circle").encode(alt.X("exit:Q"), alt.Y("exit_px:Q")),
    ]


def _decisions(record: Record) -> Grid:
    """How many forecasts became a trade, and what stopped the others."""
    counts = record.signals.group_by("symbol", "decision").len()
    found = {(symbol, decision): many for symbol, decision, many in counts.iter_rows()}
    decisions = sorted({decision for _, decision in found})
    lines = [(symbol, *(found.get((symbol, decision), 0) for decision in decisions)) for symbol in record.shown_traders]
    caption = "What became of each forecast: a trade (long, short), or the first rule that stopped it"
    return grid(caption, ("symbol", *decisions), lines)
