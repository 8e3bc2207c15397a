"""Whatever a vendor delivers: a verdict or one sentence, never a traceback, never an unsound bar let through."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.quality.cross_symbol import check_symbols
from stages.quality.report import quality_report
from stages.quality.verdicts import usable_sessions
from stages.sessions.calendar import trading_calendar
from stages.tables.market import Bars
from tests.quality.deliveries import NUMBERS, QUALITY, delivery, dialect
from tests.support.crowd import at_length

CALENDAR = trading_calendar(delivery()["ts"][0].date(), delivery()["ts"][0].date() + timedelta(days=3))
SOUND = delivery(CALENDAR)
MANIFEST = {"source": "fuzz", "uri_template": None, "files": []}
SPECIAL = (None, float("nan"), float("inf"), -float("inf"), -1.0, 0.0, 1e-300, 1e300, 100.0, 99.999)
DTYPES = (
    pl.Float32,
    pl.Int64,
    pl.UInt8,
    pl.Int128,
    pl.String,
    pl.Boolean,
    pl.Decimal(20, 4),
    pl.Null,
    pl.Date,
    pl.Binary,
    pl.List(pl.Float64),
    pl.Categorical,
)
STAMPS = (
    pl.Datetime("ms", "UTC"),
    pl.Datetime("ns", "UTC"),
    pl.Datetime("us"),
    pl.Datetime("us", "Asia/Tokyo"),
    pl.Int64,
    pl.String,
    pl.Date,
)

ACCIDENTS = ("drop", "cut", "poke", "twice", "shuffle", "shift", "scale", "stretch")


def poke(frame: pl.DataFrame, column: str, rows: list[int], value: float | None) -> pl.DataFrame:
    hit = pl.int_range(pl.len()).is_in(rows)
    return frame.with_columns(pl.when(hit).then(pl.lit(value, pl.Float64)).otherwise(column).alias(column))


def retype(frame: pl.DataFrame, column: str, dtype: pl.DataType) -> pl.DataFrame:
    if dtype == pl.List(pl.Float64):
        return frame.with_columns(pl.concat_list(column).alias(column))
    if dtype in (pl.Binary, pl.Categorical):
        return frame.with_columns(pl.col(column).cast(pl.String).cast(dtype))
    try:
        return frame.with_columns(pl.col(column).cast(dtype, strict=False))
    except pl.exceptions.ComputeError:  # a decimal too narrow for these values: no vendor could have written it
        return frame


@st.composite
def deliveries(draw: st.DrawFn) -> pl.DataFrame:
    """A sound delivery after up to four accidents."""
    frame = SOUND
    rows = st.lists(st.integers(0, SOUND.height - 1), min_size=1, max_size=40)
    for accident in draw(st.lists(st.sampled_from(ACCIDENTS), max_size=4)):
        match accident:
            case "drop":
                frame = frame.filter(~pl.int_range(pl.len()).is_in(draw(rows)))
            case "cut":
                frame = frame.slice(draw(st.integers(0, 1500)), draw(st.integers(0, 1600)))
            case "poke":
                frame = poke(frame, draw(st.sampled_from(NUMBERS)), draw(rows), draw(st.sampled_from(SPECIAL)))
            case "twice":
                again = frame.filter(pl.int_range(pl.len()).is_in(draw(rows)))
                factor = draw(st.sampled_from([1.0, 1.01]))
                frame = pl.concat([frame, again.with_columns(pl.col("close") * factor)])
            case "shuffle":
                frame = frame.sample(fraction=1, shuffle=True, seed=draw(st.integers(0, 9)))
            case "shift":
                by = timedelta(seconds=draw(st.sampled_from([1, 60, -60, 3600, 86400, 10**9])))
                frame = frame.with_columns(pl.col("ts") + by)
            case "scale":
                frame = frame.with_columns(
                    pl.col("open", "high", "low", "close") * draw(st.sampled_from([1e-9, 0.5, 1e9]))
                )
            case "stretch":
                late = pl.int_range(pl.len()) > draw(st.integers(0, 1500))
                frame = frame.with_columns(
                    pl.when(late).then(pl.col("ts") + timedelta(hours=1)).otherwise("ts").alias("ts")
                )
    return frame


@st.composite
def vendors(draw: st.DrawFn) -> tuple[pl.DataFrame, dict[str, Any]]:
    """A delivery in some types and columns, and what the params say about it."""
    frame = draw(deliveries())
    if draw(st.booleans()):
        frame = retype(frame, draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(DTYPES)))
    if draw(st.booleans()):
        frame = frame.with_columns(pl.col("ts").cast(draw(st.sampled_from(STAMPS)), strict=False))
    if draw(st.integers(0, 9)) == 0:
        frame = frame.rename({draw(st.sampled_from(frame.columns)): draw(st.sampled_from(["x", "größe", "../../x"]))})
    said = {
        "zone": draw(st.sampled_from([None, "UTC", "America/New_York", "Australia/Lord_Howe"])),
        "bar_label": draw(st.sampled_from(["start", "end"])),
        "aliases": draw(st.sampled_from([{}, {"x": "close"}, {"close": "open"}, {"nothing": "ts"}])),
    }
    return frame, said


@settings(max_examples=25, deadline=None)
@given(vendor=vendors())
def test_any_delivery_ends_in_a_verdict_or_one_sentence(vendor: tuple[pl.DataFrame, dict[str, Any]]) -> None:
    require_a_verdict(*vendor)


@pytest.mark.torture  # the same at length
@settings(max_examples=at_length(1000), deadline=None)
@given(vendor=vendors())
def test_any_of_many_deliveries_ends_in_a_verdict_or_one_sentence(vendor: tuple[pl.DataFrame, dict[str, Any]]) -> None:
    require_a_verdict(*vendor)


def require_a_verdict(frame: pl.DataFrame, said: dict[str, Any]) -> None:
    checked = check_symbols({"SYM": frame}, dialect(**said), CALENDAR, QUALITY)
    report = quality_report(checked, MANIFEST, CALENDAR, QUALITY)
    one = checked["SYM"]

    assert all("\n" not in failure["detail"] for failure in report["hard_failures"])
    assert Bars.check(one.bars).height == CALENDAR["n_bars"].sum()
    if one.failure is not None:
        assert usable_sessions(report)["SYM"] == ()
        return
    usable = one.bars.filter(pl.col("session").is_in(usable_sessions(report)["SYM"]))
    real = usable.filter(pl.col("gap_len") == 0)
    prices = real.select("open", "high", "low", "close").to_numpy()
    slack = QUALITY.ohlc_tolerance_ticks * QUALITY.tick_size
    assert np.isfinite(prices).all()
    assert (prices > 0).all()
    assert (prices[:, 1] >= prices[:, 2]).all()
    assert (prices[:, [0, 3]] <= prices[:, [1]] + slack).all()
    assert (prices[:, [0, 3]] >= prices[:, [2]] - slack).all()
    assert real["volume"].min() is None or real["volume"].min() >= 0
    share = real.group_by("session").len()["len"] / 390
    assert share.len() == 0 or share.min() >= QUALITY.min_session_completeness
