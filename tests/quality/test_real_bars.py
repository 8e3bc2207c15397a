"""What the gate finds in real bars is true.

Checked by hand: AAPL 2024 has every regular minute of 65 sessions, and only rows before the open on 2024-04-05; its
quotes are unrounded (85 % of bars hold prices between cents). SPY 2011 carries end labels: 09:31 is its busiest
opening minute in 43 of 43 sessions, and its clock follows the change of 2011-03-13. The bars lie beside the
repository; without them these tests are skipped.
"""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stages.quality.cross_symbol import check_symbols
from stages.quality.gate import Checked
from stages.quality.labels import read_labels
from stages.sessions.calendar import trading_calendar
from tests.quality.deliveries import QUALITY, day, dialect

BARS = Path("../shared/data/stocks/1m")
VENDOR_A = {"t": "ts", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}

pytestmark = pytest.mark.skipif(not BARS.exists(), reason="no real bars beside the repository")


def aapl() -> pl.DataFrame:
    return pl.concat(pl.read_parquet(file) for file in sorted((BARS / "AAPL/2024").glob("*.parquet")))


def spy(month: str) -> pl.DataFrame:
    return pl.read_parquet(BARS / f"SPY/2011/SPY_2011-{month}.parquet")


def check_aapl(label: str = "start") -> Checked:
    calendar = trading_calendar(date(2024, 1, 2), date(2024, 4, 5))
    return check_symbols({"AAPL": aapl()}, dialect(aliases=VENDOR_A, bar_label=label), calendar, QUALITY)["AAPL"]


def check_spy(month: str, label: str = "end") -> Checked:
    calendar = trading_calendar(date(2011, int(month), 1), date(2011, int(month), 31))
    return check_symbols({"SPY": spy(month)}, dialect(bar_label=label), calendar, QUALITY)["SPY"]


def test_aapl_is_complete_but_for_its_last_day_which_ends_before_the_open() -> None:
    checked = check_aapl()

    assert checked.failure is None
    assert checked.days["n_missing"].to_list() == [0] * 65 + [390]
    assert day(checked, date(2024, 4, 5))["reason"] == "no_data"
    assert (checked.counts["TS1"], checked.counts["TS2"]) == (0, 0)


def test_the_bad_prints_before_the_open_of_2024_01_18_are_not_scored() -> None:
    checked = check_aapl()
    raw = aapl().filter(
        pl.col("t").is_between(datetime(2024, 1, 18, 13, 0, tzinfo=UTC), datetime(2024, 1, 18, 13, 2, tzinfo=UTC))
    )

    assert raw["c"].pct_change().abs().max() > 0.02
    assert checked.counts["outside_hours"] == 50_000 - 65 * 390
    assert day(checked, date(2024, 1, 18))["PX3"] == 0


def test_a_bar_of_aapl_keeps_its_values_and_its_minute() -> None:
    opening = aapl().row(by_predicate=pl.col("t") == datetime(2024, 3, 11, 13, 30, tzinfo=UTC), named=True)
    found = check_aapl().bars.row(
        by_predicate=(pl.col("session") == date(2024, 3, 11)) & (pl.col("m") == 0), named=True
    )

    assert [found[name] for name in ("open", "high", "low", "close", "volume")] == [opening[k] for k in "ohlcv"]


@pytest.mark.parametrize("month", ["01", "03"])
def test_spys_end_labels_are_shifted_once_and_the_auction_is_minute_zero(month: str) -> None:
    checked = check_spy(month)
    busiest = checked.bars.filter(pl.col("m") < 2).sort("session", "m")["volume"].to_numpy().reshape(-1, 2)

    assert checked.failure is None
    assert np.median(busiest[:, 0]) > np.median(busiest[:, 1])
    assert checked.days["reason"].is_null().all()


def test_labels_declared_wrongly_are_refused_on_both_vendors() -> None:
    aapl_failure, spy_failure = check_aapl("end").failure, check_spy("01", "start").failure

    assert (aapl_failure.check, spy_failure.check) == ("TS5", "TS5")
    assert "name the start of each minute" in aapl_failure.detail
    assert "name the end of each minute" in spy_failure.detail


@pytest.mark.parametrize(("symbol", "label"), [("AAPL", "start"), ("SPY", "end")])
def test_every_two_weeks_of_391_rows_are_read_rightly(symbol: str, label: str) -> None:
    """09:30 to 16:00 fits both: AAPL's last row is the closing print, SPY's first the minute before the open."""
    bars = aapl().rename(VENDOR_A) if symbol == "AAPL" else pl.concat([spy("01"), spy("03")])
    days = bars["ts"].dt.date()
    calendar = trading_calendar(days.min(), days.max()).filter(pl.col("session").is_in(days.implode()))[:65]
    hours = calendar.select("open_utc", date=pl.col("open_utc").dt.date())
    after = (pl.col("ts") - pl.col("open_utc")).dt.total_minutes()
    cut = bars.join(hours, left_on=pl.col("ts").dt.date(), right_on="date").filter(after.is_between(0, 390))

    readings = [read_labels({symbol: cut}, calendar[begin : begin + 10]) for begin in range(0, calendar.height - 9, 3)]
    assert len(readings) >= 11
    assert {(one.label, one.shift_min, one.zone_hours, one.is_decided()) for one in readings} == {(label, 0, 0, True)}


def test_a_clock_on_standard_time_all_year_would_be_noticed_in_march() -> None:
    standard = spy("03").with_columns(pl.col("ts").dt.convert_time_zone("Etc/GMT+5").dt.replace_time_zone(None))
    pretended = standard.with_columns(pl.col("ts").dt.replace_time_zone("America/New_York", non_existent="null"))
    calendar = trading_calendar(date(2011, 3, 1), date(2011, 3, 31))
    failure = check_symbols({"SPY": pretended.drop_nulls("ts")}, dialect(bar_label="end"), calendar, QUALITY)[
        "SPY"
    ].failure

    assert failure is not None
    assert (failure.check, failure.session) == ("TS5", date(2011, 3, 14))
