"""Features of real bars, checked by hand on the vendor's own rows.

AAPL on 2024-03-11, the first session of summer time: the bar of 09:30 in New York is stamped 13:30 UTC. SPY in March
2011 carries end labels: the bar stamped 09:31 is minute 0. The bars lie beside the repository; without them these tests
are skipped.
"""

import itertools
from datetime import UTC, date, datetime
from math import log, sqrt

import polars as pl
import pytest

from stages.features.catalogue import FEATURES, build_features
from stages.features.context import Context
from stages.quality.cross_symbol import check_symbols
from stages.sessions.calendar import trading_calendar
from tests.features.made_bars import features_params
from tests.quality.deliveries import QUALITY, dialect
from tests.quality.test_real_bars import BARS, VENDOR_A, aapl, spy

pytestmark = pytest.mark.skipif(not BARS.exists(), reason="no real bars beside the repository")

OWN = [name for name in FEATURES if not name.startswith(("context_", "event_")) and name != "minutes_to_event"]


def built(symbol: str, delivered: pl.DataFrame, first: date, last: date, **said) -> pl.DataFrame:
    calendar = trading_calendar(first, last)
    one = check_symbols({symbol: delivered}, dialect(**said), calendar, QUALITY)[symbol]
    usable = tuple(one.days.filter(pl.col("verdict") != "fail")["session"].sort())
    params = features_params(names=OWN, required=["ret_1m", "sigma_5m", "atr"])
    return build_features({symbol: one.bars}, {symbol: usable}, calendar, params, Context())[symbol]


def at(frame: pl.DataFrame, session: date, m: int) -> dict:
    return frame.row(by_predicate=(pl.col("session") == session) & (pl.col("m") == m), named=True)


def test_half_an_hour_of_aapl_by_hand():
    frame = built("AAPL", aapl(), date(2024, 1, 2), date(2024, 4, 4), aliases=VENDOR_A)
    opening = datetime(2024, 3, 11, 13, 30, tzinfo=UTC)
    rows = aapl().sort("t").filter(pl.col("t").is_between(opening, opening.replace(hour=14, minute=0))).head(30)
    o, h, low, c, v = (rows[name].to_list() for name in "ohlcv")
    r = [log(c[0] / o[0]), *(log(b / a) for a, b in itertools.pairwise(c))]
    reach = [max(h[i] - low[i], abs(h[i] - c[i - 1]), abs(low[i] - c[i - 1])) for i in range(16, 30)]
    found = at(frame, date(2024, 3, 11), 29)

    assert rows.height == 30
    assert found["ret_15m"] == pytest.approx(log(c[29] / c[14]), abs=1e-9)
    assert found["rv_5m"] == pytest.approx(sqrt(sum(x * x for x in r[25:])), abs=1e-9)
    assert found["sigma_5m"] == pytest.approx(sqrt(5 * sum(x * x for x in r) / 30), abs=1e-9)
    assert found["atr"] == pytest.approx(sum(reach) / 14, abs=1e-6)
    assert found["parkinson"] == pytest.approx(
        sqrt(sum(log(a / b) ** 2 for a, b in zip(h[15:], low[15:], strict=True)) / 15 / (4 * log(2))), abs=1e-9
    )
    money = sum((a + b + x) / 3 * w for a, b, x, w in zip(h, low, c, v, strict=True))
    assert found["vwap_30m"] == pytest.approx(money / sum(v), abs=1e-6)
    assert (found["minute"], found["minutes_to_close"], found["bucket_open"], found["day_of_week"]) == (29, 360, 1, 1)


def test_end_labels_of_spy_put_the_return_of_the_opening_minute_on_minute_zero():
    frame = built("SPY", spy("03"), date(2011, 3, 1), date(2011, 3, 31), bar_label="end")
    for session, hour in ((date(2011, 3, 11), 14), (date(2011, 3, 14), 13)):  # the clocks change in between
        stamp = datetime(session.year, session.month, session.day, hour, 31, tzinfo=UTC)
        row = spy("03").row(by_predicate=pl.col("ts") == stamp, named=True)
        assert at(frame, session, 0)["ret_1m"] == pytest.approx(log(row["close"] / row["open"]), abs=1e-7)


def test_what_is_required_is_known_on_every_minute_behind_its_look_back():
    frame = built("AAPL", aapl(), date(2024, 1, 2), date(2024, 4, 4), aliases=VENDOR_A)
    known = {name: frame.filter(pl.col("m") >= FEATURES[name].lookback_bars(features_params()))[name] for name in OWN}

    assert {name for name, values in known.items() if values.null_count()} == {"volume_norm"}  # its first sessions
