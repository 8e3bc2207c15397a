"""A minute that moved too far is marked, kept, and judged by earlier sessions only."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from stages.quality.clean import outliers, returns
from tests.quality.deliveries import CALENDAR, QUALITY, bar, day, delivery, minute, through_the_gate

MONDAY = date(2024, 12, 2)
NUMBERS = ("open", "high", "low", "close")


def jump(m: int, share: float, lasting: bool) -> pl.DataFrame:
    """The delivery with a move of `share` at minute `m` of a Monday, taken back one minute later or not."""
    last = CALENDAR["close_utc"].max() if lasting else None
    opening = pl.datetime(2024, 12, 2, 14, 30, time_zone="UTC").dt.offset_by(f"{m}m")
    moved = pl.col("ts").is_between(opening, pl.lit(last) if lasting else opening)
    raised = [pl.when(moved).then((pl.col(n) * (1 + share)).round(2)).otherwise(n).alias(n) for n in NUMBERS]
    return delivery().with_columns(raised)


def test_a_jump_that_lasts_is_marked_on_its_minute_and_kept() -> None:
    checked = through_the_gate(jump(200, 0.03, lasting=True))

    assert (bar(checked, MONDAY, 200)["is_outlier"], bar(checked, MONDAY, 201)["is_outlier"]) == (True, False)
    assert bar(checked, MONDAY, 200)["close"] is not None
    assert (day(checked, MONDAY)["PX3"], day(checked, MONDAY)["PX3_reverted"]) == (1, 0)
    assert day(checked, MONDAY)["verdict"] == "pass"


def test_a_spike_that_reverts_is_counted_as_such_and_still_kept() -> None:
    checked = through_the_gate(jump(200, 0.03, lasting=False))

    assert [bar(checked, MONDAY, m)["is_outlier"] for m in (199, 200, 201)] == [False, True, True]
    assert (day(checked, MONDAY)["PX3"], day(checked, MONDAY)["PX3_reverted"]) == (2, 1)


def test_a_move_below_the_floor_is_no_outlier_however_calm_the_market_was() -> None:
    assert day(through_the_gate(jump(200, 0.008, lasting=True)), MONDAY)["PX3"] == 0


def test_returns_are_within_the_session_and_only_of_real_bars() -> None:
    checked = through_the_gate(delivery().filter(~minute(MONDAY, 50)))
    r = pl.Series(returns(checked.bars))
    first, gap = (
        checked.bars.with_row_index().filter((pl.col("session") == MONDAY) & (pl.col("m") == m))["index"][0]
        for m in (0, 50)
    )
    opening = bar(checked, MONDAY, 0)

    assert r[first] == pytest.approx(np.log(opening["close"] / opening["open"]))
    assert np.isnan(r[gap])
    assert r[gap + 1] == pytest.approx(np.log(bar(checked, MONDAY, 51)["close"] / bar(checked, MONDAY, 49)["close"]))


def test_the_yardstick_is_the_median_deviation_of_the_same_half_hour_on_the_last_five_usable_sessions() -> None:
    """Compared bar by bar with a loop over polars' own median, at a threshold that some thousand bars pass."""
    strict = QUALITY.model_copy(update={"outlier_mads": 1.0, "outlier_floor_share": 0.0})
    bars = through_the_gate(delivery()).bars
    usable = np.array([True, True, False, True, True, True, True, False, True, True, True, True, True, True])
    found = outliers(bars, usable, strict)["is_outlier"]

    frame = bars.with_columns(r=pl.Series(returns(bars)), bucket=pl.col("m") // 30)
    sessions = frame["session"].unique().sort().to_list()
    expected: list[bool] = []
    for i, session in enumerate(sessions):
        past = [s for s, good in zip(sessions[:i], usable[:i], strict=True) if good][-5:]
        for (bucket,), today in frame.filter(session=session).group_by("bucket", maintain_order=True):
            pool = frame.filter(pl.col("session").is_in(past), pl.col("bucket") == bucket)["r"]
            deviation = (pool - pool.median()).abs().median() if past else 0.0
            expected += (today["r"].abs() > 1.4826 * deviation).to_list()

    assert 500 < sum(expected) < bars.height - 500
    assert found.to_list() == expected
