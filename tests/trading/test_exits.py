"""Every way a position can end, on one flat day whose minutes are set by hand.

The price stands at 100.00; at 10:30 a forecast says long or short with a sigma of ten basis points, so the stop lies
ten cents on one side and the target ten cents on the other. Engine and plain loop must both say what the hand says.
"""

from datetime import date

import numpy as np
import pytest

from stages.trading.kernels import fill_touches
from stages.trading.simulate import simulate
from tests.trading.loop import simulate_by_loop
from tests.trading.made_markets import FULL, HALF, at, bars, calendar, forecast, strategy, table

DAY = date(2024, 3, 13)
SNAPSHOT = 60  # the minute of the session that starts at 10:30
LONG, SHORT = (5.0, 20.0, 36.0), (-36.0, -20.0, -5.0)
LAST_STOP = 385  # 15:55

both = pytest.mark.parametrize("trade", [simulate, simulate_by_loop], ids=["engine", "loop"])


def flat(minutes: int = FULL, **changed: tuple[float, float, float, float]) -> np.ndarray:
    """Open, high, low, close at 100.00, but for the minutes `m60=(...)`."""
    prices = np.full((minutes, 4), 100.0)
    for minute, values in changed.items():
        prices[int(minute[1:])] = values
    return prices


def the_trade(trade, prices, quartiles=LONG, filled=(), **rules) -> dict:
    """The one trade of the day."""
    holes = np.isin(np.arange(len(prices)), list(filled))
    sessions = calendar({DAY: len(prices)})
    forecasts = table([forecast("A", DAY, "10:30", quartiles)])
    result = trade({"A": bars(DAY, prices, holes)}, forecasts, sessions, strategy("A", **rules))
    assert result.trades.height == 1
    return result.trades.row(0, named=True)


def minute_of(row: dict, name: str = "exit_ts") -> int:
    return int((row[name] - at("09:30", DAY)).total_seconds()) // 60


@both
def test_it_enters_at_the_open_of_the_bar_that_starts_at_the_snapshot(trade):
    row = the_trade(trade, flat(m60=(100.02, 100.04, 100.0, 100.0)))
    assert (minute_of(row, "entry_ts"), row["entry_px"], row["side"]) == (60, 100.02, 1)
    assert row["stop_px"] == pytest.approx(100.02 * 0.999)
    assert row["take_px"] == pytest.approx(100.02 * 1.001)


@both
def test_a_long_that_falls_to_its_stop_leaves_at_the_stop(trade):
    row = the_trade(trade, flat(m70=(100.0, 100.0, 99.85, 99.9)))
    assert (minute_of(row), row["exit_px"], row["exit_reason"]) == (70, 99.9, "stop")
    # Ten bp lost; half a bp of fees on 100 and on 99.90, and a tick of a cent on each side.
    assert row["gross_bp"] == pytest.approx(-10.0)
    assert row["cost_bp"] == pytest.approx(0.5 * 1.999 + 2.0, abs=1e-6)
    assert row["net_bp"] == pytest.approx(-12.9995, abs=1e-6)


@both
def test_a_long_that_rises_to_its_target_leaves_at_the_target_and_no_better(trade):
    row = the_trade(trade, flat(m70=(100.0, 100.5, 100.0, 100.4)))
    assert (minute_of(row), row["exit_reason"]) == (70, "target")
    assert row["gross_bp"] == pytest.approx(10.0)


@both
def test_an_open_beyond_the_target_still_pays_the_target_only(trade):
    row = the_trade(trade, flat(m70=(100.3, 100.5, 100.2, 100.4)))
    assert (row["exit_reason"], row["exit_px"]) == ("target", pytest.approx(100.1))


@both
def test_a_short_that_rises_to_its_stop_loses(trade):
    row = the_trade(trade, flat(m70=(100.0, 100.1, 100.0, 100.0)), SHORT)
    assert (row["side"], row["exit_reason"], row["exit_px"]) == (-1, "stop", pytest.approx(100.1))
    assert row["gross_bp"] == pytest.approx(-10.0)


@pytest.mark.parametrize("touch", [(100.0, 100.0, 99.9, 100.0), (100.0, 100.1, 100.0, 100.0)], ids=["stop", "target"])
def test_nothing_is_read_behind_the_last_level(touch, monkeypatch):
    """Compiled code would read what lies there; the same in plain Python ends with an error."""
    compiled = the_trade(simulate, flat(m70=touch))

    def in_python(context, *given):
        fill_touches.py_func(tuple(array.view(np.recarray) for array in context), *given)

    monkeypatch.setattr("stages.trading.simulate.fill_touches", in_python)
    assert the_trade(simulate, flat(m70=touch)) == compiled


@both
def test_a_short_that_falls_to_its_target_gains(trade):
    row = the_trade(trade, flat(m70=(100.0, 100.0, 99.9, 100.0)), SHORT)
    assert (row["exit_reason"], row["gross_bp"]) == ("target", pytest.approx(10.0))


@both
@pytest.mark.parametrize(("quartiles", "open_px"), [(LONG, 99.5), (SHORT, 100.5)])
def test_an_open_beyond_the_stop_is_a_gap_and_fills_at_the_open(trade, quartiles, open_px):
    row = the_trade(trade, flat(m70=(open_px, 101.0, 99.0, 100.0)), quartiles)
    assert (minute_of(row), row["exit_px"], row["exit_reason"]) == (70, open_px, "gap")
    assert row["gross_bp"] == pytest.approx(-50.0)


@both
@pytest.mark.parametrize(("quartiles", "stop"), [(LONG, 100.0 * (1.0 - 0.001)), (SHORT, 100.0 * (1.0 + 0.001))])
def test_an_open_exactly_at_the_stop_is_no_gap(trade, quartiles, stop):
    row = the_trade(trade, flat(m70=(stop, 101.0, 99.0, 100.0)), quartiles)
    assert (minute_of(row), row["exit_px"], row["exit_reason"]) == (70, stop, "stop")


@both
def test_the_stop_wins_a_bar_that_touches_both_barriers(trade):
    assert the_trade(trade, flat(m70=(100.0, 100.2, 99.8, 100.0)))["exit_reason"] == "stop"


@both
def test_the_entry_bar_itself_can_end_the_position(trade):
    row = the_trade(trade, flat(m60=(100.0, 100.2, 100.0, 100.0)))
    assert (minute_of(row, "entry_ts"), minute_of(row), row["exit_reason"]) == (60, 60, "target")


@both
def test_without_a_touch_the_position_ends_at_the_open_of_1555(trade):
    row = the_trade(trade, flat(m385=(100.05, 100.5, 99.5, 100.0)))
    assert (minute_of(row), row["exit_px"], row["exit_reason"]) == (LAST_STOP, 100.05, "time_stop")


@both
def test_on_a_half_day_it_ends_five_minutes_before_the_early_close(trade):
    row = the_trade(trade, flat(HALF))
    assert (minute_of(row), row["exit_reason"]) == (205, "time_stop")


@both
def test_a_touch_in_the_last_bar_before_the_time_stop_still_counts(trade):
    assert the_trade(trade, flat(m384=(100.0, 100.1, 100.0, 100.0)))["exit_reason"] == "target"


@both
@pytest.mark.parametrize(("hold", "minute"), [(25, 85), ("horizon", 70)])
def test_a_holding_time_ends_it_at_the_open_that_many_minutes_after_the_entry(trade, hold, minute):
    row = the_trade(trade, flat(**{f"m{minute}": (100.03, 100.5, 99.5, 100.0)}), max_hold_min=hold)
    assert (minute_of(row), row["exit_px"], row["exit_reason"]) == (minute, 100.03, "max_hold")


@both
def test_a_holding_time_beyond_the_time_stop_changes_nothing(trade):
    assert the_trade(trade, flat(), max_hold_min=380)["exit_reason"] == "time_stop"


@both
def test_a_filled_bar_touches_no_barrier(trade):
    row = the_trade(trade, flat(m70=(99.0, 101.0, 98.0, 100.0)), filled=[70])
    assert row["exit_reason"] == "time_stop"


@both
def test_a_missing_bar_at_the_time_stop_delays_the_exit_to_the_next_real_open(trade):
    row = the_trade(trade, flat(m387=(100.02, 100.02, 100.0, 100.0)), filled=[385, 386])
    assert (minute_of(row), row["exit_px"], row["exit_reason"]) == (387, 100.02, "time_stop")


@both
def test_a_session_that_ends_without_bars_ends_the_position_at_the_last_close(trade):
    row = the_trade(trade, flat(m379=(100.0, 100.05, 100.0, 100.04)), filled=range(380, FULL))
    assert (minute_of(row), row["exit_px"], row["exit_reason"]) == (379, 100.04, "session_end")


@both
def test_a_missing_entry_bar_delays_the_entry_and_moves_the_barriers_with_it(trade):
    row = the_trade(trade, flat(m61=(100.02, 100.02, 100.0, 100.0)), filled=[60])
    assert (minute_of(row, "entry_ts"), row["entry_px"]) == (61, 100.02)


@both
def test_the_first_bar_of_a_record_can_be_the_entry(trade):
    row = the_trade(trade, flat(m61=(100.02, 100.02, 100.0, 100.0)), filled=range(61))
    assert (minute_of(row, "entry_ts"), row["entry_px"]) == (61, 100.02)


@both
def test_entry_delay_bars_buys_later(trade):
    row = the_trade(trade, flat(m62=(100.04, 100.04, 100.0, 100.0)), entry_delay_bars=2)
    assert (minute_of(row, "entry_ts"), row["entry_px"]) == (62, 100.04)


@both
def test_a_sigma_below_one_tick_is_lifted_to_one_tick(trade):
    forecasts = table([forecast("A", DAY, "10:30", LONG, sigma_5m=1e-6)])
    far = strategy("A", s_take=20.0, s_stop=1.0)
    result = trade({"A": bars(DAY, flat(m61=(100.0, 100.0, 99.99, 100.0)))}, forecasts, calendar({DAY: FULL}), far)
    assert result.trades["stop_px"].item() == pytest.approx(99.99)
