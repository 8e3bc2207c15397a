"""Each trap of the artificial market is found as what it is, on the session it was set, and nowhere else."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from stages.features.catalogue import build_features
from stages.features.context import Context
from stages.quality.cross_symbol import check_symbols
from stages.quality.gate import Checked
from stages.quality.long_gaps import long_gaps
from stages.sessions.calendar import trading_calendar
from stages.sources.revisions import Vendor, revision
from stages.sources.synthetic import synthetic_bars
from stages.tables.market import Bars
from stages.trading.simulate import simulate
from tests.features.made_bars import features_params
from tests.quality.deliveries import QUALITY, dialect
from tests.sources.test_synthetic import PARAMS
from tests.sources.traps import after_an_early_close, bounce, feed_gap, halt, revised, split, standard_time
from tests.trading.made_markets import forecast, strategy, table

CALENDAR = trading_calendar(date(2024, 10, 21), date(2024, 12, 6))  # summer time ends, and a half day
CALM = PARAMS.model_copy(update={"jumps_per_session": 0.0})
MARKET = {symbol: synthetic_bars(symbol, CALM, CALENDAR) for symbol in ("STRONG", "WEAK", "NULL")}
TUESDAY, FRIDAY, HALF_DAY = date(2024, 11, 19), date(2024, 11, 22), date(2024, 11, 29)


def checked(bars: dict[str, pl.DataFrame]) -> dict[str, Checked]:
    return check_symbols(bars, dialect(), CALENDAR, QUALITY)


def troubled(bars: dict[str, pl.DataFrame]) -> dict[str, dict[date, tuple[str, str | None]]]:
    """Verdict and reason of the sessions that did not simply pass."""
    return {
        symbol: {
            day["session"]: (day["verdict"], day["reason"])
            for day in one.days.filter(pl.col("verdict") != "pass").rows(named=True)
        }
        for symbol, one in checked(bars).items()
    }


def kinds(bars: dict[str, pl.DataFrame]) -> dict[str, list[tuple[str, int, int, str]]]:
    found = long_gaps({symbol: one.silence for symbol, one in checked(bars).items()}, QUALITY)
    return {symbol: [tuple(gap.values()) for gap in gaps] for symbol, gaps in found.items()}


def test_the_market_without_a_trap_passes_half_day_and_change_of_clocks_included():
    assert troubled(MARKET) == {"STRONG": {}, "WEAK": {}, "NULL": {}}
    assert HALF_DAY in CALENDAR["session"]
    assert CALENDAR["open_utc"].dt.hour().n_unique() == 2


def test_a_halt_concerns_one_symbol_and_a_feed_gap_all_symbols():
    gap = ("2024-11-19", 60, 15, "halt")
    assert kinds(halt(MARKET, "WEAK", TUESDAY, "10:30", "10:44")) == {"STRONG": [], "WEAK": [gap], "NULL": []}
    assert set(map(tuple, kinds(feed_gap(MARKET, TUESDAY, "10:30", "10:44")).values())) == {((*gap[:3], "feed"),)}
    assert troubled(feed_gap(MARKET, TUESDAY, "10:30", "10:44"))["NULL"] == {TUESDAY: ("fail", "sustained_gap")}


@pytest.mark.journey  # a study of its own
def test_a_split_is_suspected_on_its_day_and_no_return_knows_of_it():
    parted = MARKET | {"STRONG": split(MARKET["STRONG"], FRIDAY, 4)}
    assert troubled(parted) == {"STRONG": {FRIDAY: ("warn", None)}, "WEAK": {}, "NULL": {}}

    names = ["ret_1m", "ret_15m", "rv_15m", "sigma_5m", "parkinson", "garman_klass", "atr_rel", "z_vwap"]
    params = features_params(names=names, required=[])
    whole, after = (
        build_features(
            {"STRONG": one["STRONG"].bars}, {"STRONG": tuple(CALENDAR["session"])}, CALENDAR, params, Context()
        )
        for one in (checked(MARKET), checked(parted))
    )
    for name in names:
        # quarters of a cent are kept to six decimals: at most a few 1e-8 of a price
        assert after["STRONG"][name].to_list() == pytest.approx(whole["STRONG"][name].to_list(), abs=1e-5)


def test_a_clock_without_summer_time_and_trading_after_an_early_close_are_reported():
    failure = checked({"NULL": standard_time(MARKET["NULL"])})["NULL"].failure
    assert (failure.check, failure.session) == ("TS5", date(2024, 10, 21))
    assert troubled({"NULL": after_an_early_close(MARKET["NULL"], HALF_DAY)}) == {"NULL": {HALF_DAY: ("warn", None)}}


def test_a_revision_is_told_by_session_bars_and_size():
    found = revision(
        MARKET["WEAK"], revised(MARKET["WEAK"], TUESDAY, "11:00", "11:06", 3.0), Vendor("ts", "close", None)
    )

    assert (found.sessions, found.changed, found.added, found.removed) == (("2024-11-19",), 7, 0, 0)
    assert found.largest_bp == pytest.approx(3.0)


HALF_SPREAD_BP = 5.0
CLOCKS = {"09:45": 14, "10:30": 59, "13:30": 239, "14:45": 314}


def bounced() -> tuple[pl.DataFrame, pl.DataFrame]:
    """A market that moves a third of a basis point a minute and bounces by five; and what who knows the mid says."""
    quiet = CALM.model_copy(
        update={"daily_sigma": 0.0006, "base_price": 100.0, "tick_size": 1e-4, "overnight_sigma_share": 0.0}
    )
    delivered = bounce(synthetic_bars("NULL", quiet, CALENDAR), HALF_SPREAD_BP, seed=1)
    bars = Bars.of(checked({"NULL": delivered})["NULL"].bars)
    known = bars.join(delivered.select("ts", "mid"), on="ts", maintain_order="left")
    rows = []
    for day in known.filter(pl.col("session") != HALF_DAY).partition_by("session", maintain_order=True):
        close, mid = day["close"].to_numpy(), day["mid"].to_numpy()
        for clock, m0 in CLOCKS.items():
            q50 = 1e4 * np.log(mid[m0] / close[m0])
            row = forecast("NULL", day["session"][0], clock, (q50 - 1, q50, q50 + 1), last=close[m0], sigma_5m=5e-4)
            rows.append(row | {"y_bp": 1e4 * np.log(close[m0 + 10] / close[m0])})
    return bars, table(rows)


def test_a_forecast_of_the_bid_ask_bounce_has_skill_and_earns_nothing():
    """From the ask the price falls back five points to the mid on average; the way there and back costs eleven.

    The mid halves the mean square: the outcome's two bounces of five points make 50, what is left of them 25.
    """
    bars, forecasts = bounced()
    left, y = (forecasts["y_bp"] - forecasts["q50"]).to_numpy(), forecasts["y_bp"].to_numpy()
    plan = strategy("NULL")
    spread = replace(plan, costs=plan.costs.model_copy(update={"half_spread_ticks": {"NULL": HALF_SPREAD_BP}}))
    free = replace(plan, costs=plan.costs.model_copy(update={"half_spread_ticks": {"NULL": 0.0}, "fees_bps": 0.0}))

    assert np.sqrt(np.mean(left**2) / np.mean(y**2)) == pytest.approx(np.sqrt(0.5), abs=0.06)
    assert simulate({"NULL": bars}, forecasts, CALENDAR, spread).trades.height == 0
    assert simulate({"NULL": bars}, forecasts, CALENDAR, free).trades.height > 50
