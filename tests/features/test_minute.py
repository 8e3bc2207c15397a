"""Where every feature starts: the return of a minute, and sums over the minutes before."""

from math import log

import numpy as np
import polars as pl
import pytest

from stages.errors import DataContractError
from stages.features.minutes import minute_return, trailing_mean, trailing_sum, with_minute_columns, with_returns
from tests.features.made_bars import bars_of, made_calendar, random_bars

DAY = made_calendar(1, n_bars=5)


def returns(bars: pl.DataFrame) -> list[float | None]:
    return bars.select(minute_return()).to_series().to_list()


def test_a_return_is_the_log_of_two_closes_and_at_the_open_of_close_over_open():
    bars = bars_of(DAY, [100.0, 101.0, 100.0, 100.0, 102.0], open=[99.0, 100.0, 101.0, 100.0, 100.0])
    assert returns(bars) == pytest.approx([log(100 / 99), log(101 / 100), log(100 / 101), 0, log(102 / 100)])


def test_the_night_is_in_no_return():
    bars = bars_of(made_calendar(2, n_bars=2), [100.0, 101.0, 150.0, 150.0], open=[100.0, 100.0, 150.0, 150.0])
    assert returns(bars) == pytest.approx([0, log(1.01), 0, 0])


def test_a_minute_without_a_trade_returns_nothing_and_the_next_one_the_whole_move():
    bars = bars_of(DAY, [100.0, 100.0, 100.0, 103.0, 103.0], is_filled=[False, True, True, False, False])
    assert returns(bars) == pytest.approx([0, 0, 0, log(1.03), 0])


def test_until_the_session_has_traded_no_return_is_known_nor_on_its_late_first_trade():
    bars = bars_of(DAY, [90.0, 90.0, 100.0, 101.0, 101.0], is_filled=[True, True, False, False, False])
    assert returns(bars) == [None, None, None, pytest.approx(log(1.01)), 0]


def test_after_a_gap_too_long_to_fill_the_move_stands_on_the_first_bar_behind_it():
    bars = bars_of(DAY, [100.0, None, None, 102.0, 102.0])
    assert returns(bars) == [0, None, None, pytest.approx(log(1.02)), 0]


def test_minutes_in_a_row_are_counted_from_the_first_and_anew_after_one_that_is_unknown():
    gap = with_returns(bars_of(DAY, [100.0, 101.0, None, 102.0, 102.0]))
    assert gap["known_min"].to_list() == [1, 2, 0, 1, 2]


def test_sums_and_means_stay_within_their_session_and_leave_nulls_out():
    frame = pl.DataFrame({"m": [0, 1, 2, 0, 1], "x": [1.0, 2.0, None, 10.0, 20.0]}, schema_overrides={"m": pl.Int32})
    found = frame.select(s=trailing_sum("x", 2), mean=trailing_mean("x", 2, 2), short=trailing_mean("x", 2, 9))
    assert found["s"].to_list() == [1, 3, 2, 10, 30]
    assert found["mean"].to_list() == [None, 1.5, None, None, 15]
    assert found["short"].to_list() == found["mean"].to_list(), "a window cannot be asked for more than it holds"


@pytest.mark.parametrize("window", [1, 2, 3, 5, 14, 15, 30, 100])
def test_a_sum_is_that_of_its_window_whatever_its_length(window):
    lengths = (40, 3, 25)
    frame = pl.DataFrame({"m": [m for n in lengths for m in range(n)]}, schema={"m": pl.Int32}).with_row_index("x")
    expected = [sum(range(row - min(m, window - 1), row + 1)) for row, m in enumerate(frame["m"])]
    assert frame.select(trailing_sum("x", window)).to_series().to_list() == expected


@pytest.mark.parametrize("window", [5, 30, 100])
def test_a_sum_of_fewer_rows_than_its_window_has_the_bits_of_the_same_rows_among_more(window):
    values = np.random.default_rng(1).lognormal(sigma=3, size=80)
    frame = pl.DataFrame({"m": [*range(60), *range(20)], "x": values}, schema_overrides={"m": pl.Int32})
    sums = [trailing_sum("x", window).alias("sum"), trailing_mean("x", window, 1).alias("mean")]
    whole = frame.select(sums)
    for rows in range(1, 80):
        assert frame[:rows].select(sums).equals(whole[:rows])


def test_a_shock_that_has_left_the_window_leaves_nothing_behind():
    squares = [1e-30, 1.0, 0.3, 1e-17, *[0.0] * 20]
    frame = pl.DataFrame({"m": range(24), "x": squares}, schema_overrides={"m": pl.Int32})
    found = frame.select(trailing_mean("x", 3, 1)).to_series().to_list()
    assert found[5:] == [1e-17 / 3] + [0.0] * 18


def test_a_single_value_is_its_own_mean():
    frame = pl.DataFrame({"m": [0, 1, 2], "x": [None, 8.0, None]}, schema_overrides={"m": pl.Int32})
    assert frame.select(trailing_mean("x", 3, 1)).to_series().to_list() == [None, 8.0, 8.0]


def test_the_first_missing_minute_is_refused_because_lags_count_rows():
    calendar = made_calendar(2, n_bars=10)
    holed = random_bars(calendar, 1).filter(~pl.col("m").is_in([4, 7]) | (pl.col("session") != calendar["session"][1]))
    with pytest.raises(DataContractError, match="2024-01-09 minute 5 does not follow"):
        with_minute_columns(holed)
