"""Each feature says what its formula says: by hand, and against plain loops that were written from the formulas."""

from math import cos, log, log1p, pi, sin, sqrt
from statistics import mean, median

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.features.catalogue import FEATURES, build_features
from stages.features.context import Context
from tests.features.made_bars import bars_of, features_params, made_calendar, random_bars, usable_of

PARAMS = features_params(
    names=list(FEATURES),
    required=[],
    sigma_window_min=8,
    sigma_min_obs=3,
    range_window_min=6,
    atr_window_min=4,
    vwap_window_min=7,
    volume_norm_sessions=4,
    session_open_min=5,
    session_close_min=6,
)


LOOPED = (
    "ret_5m", "rv_5m", "ret_15m", "rv_15m", "sigma_5m", "parkinson", "garman_klass", "atr", "atr_rel", "vwap_30m",
    "z_vwap", "volume_norm",
)  # fmt: skip


def built(bars, calendar, usable=None, context="A"):
    usable = usable or usable_of(calendar, "A")
    return build_features({"A": bars}, usable, calendar, PARAMS, Context(context))["A"]


def row_at(frame, m):
    return frame.filter(pl.col("m") == m).row(-1, named=True)


def test_six_minutes_by_hand():
    calendar = made_calendar(1, n_bars=6)
    closes = [100.0, 101.0, 100.0, 100.0, 102.0, 101.0]
    last = row_at(built(bars_of(calendar, closes), calendar), 5)

    squares = [0, log(1.01) ** 2, log(1.01) ** 2, 0, log(1.02) ** 2, log(101 / 102) ** 2]
    assert last["ret_1m"] == pytest.approx(log(101 / 102), abs=1e-12)
    assert last["ret_5m"] == pytest.approx(log(1.01), abs=1e-12)
    assert last["ret_15m"] is None
    assert last["rv_5m"] == pytest.approx(sqrt(sum(squares[1:])), abs=1e-12)
    assert last["sigma_5m"] == pytest.approx(sqrt(5 / 6 * sum(squares)), abs=1e-12)
    assert last["atr"] == pytest.approx((1 + 0 + 2 + 1) / 4)
    assert last["vwap_30m"] == pytest.approx(sum(closes) / 6)
    assert (last["minute"], last["minutes_to_close"], last["session_share"]) == (5, 0, pytest.approx(5 / 6))


def test_the_clock_by_hand():
    calendar = made_calendar(2, n_bars=20, half=(1,))
    frame = built(random_bars(calendar, 3), calendar)
    monday, tuesday = frame.row(19, named=True), frame.row(21, named=True)
    assert [monday[name] for name in ("day_of_week", "is_half", "bucket_open", "bucket_mid", "bucket_close")] == [
        1,
        0,
        0,
        0,
        1,
    ]
    assert [tuesday[name] for name in ("day_of_week", "is_half", "bucket_open", "bucket_mid", "bucket_close")] == [
        2,
        1,
        1,
        0,
        0,
    ]
    assert tuesday["minutes_to_close"] == 8
    for k in (1, 2, 3, 13):
        assert monday[f"sin_{k}"] == pytest.approx(sin(2 * pi * k * 19 / 390)), k
        assert monday[f"cos_{k}"] == pytest.approx(cos(2 * pi * k * 19 / 390)), k


def test_the_clock_of_a_session_does_not_depend_on_those_before_it():
    calendar = made_calendar(8, n_bars=20, half=(1, 6))
    clock = [name for name, feature in FEATURES.items() if feature.known_ahead]
    bars = random_bars(calendar, 3)
    whole = built(bars, calendar).select(clock)
    assert built(bars[50:], calendar).select(clock).equals(whole[50:])
    assert whole["day_of_week"].to_list() == [float(day.isoweekday()) for day in bars["session"]]


def test_the_buckets_of_a_session_by_hand():
    """Twenty minutes, of which five are the open and six the close."""
    calendar = made_calendar(1, n_bars=20)
    frame = built(random_bars(calendar, 3), calendar)
    expected = {
        "bucket_open": [1] * 5 + [0] * 15,
        "bucket_mid": [0] * 5 + [1] * 9 + [0] * 6,
        "bucket_close": [0] * 14 + [1] * 6,
    }
    assert {name: frame[name].to_list() for name in expected} == expected


def test_without_volume_there_is_no_vwap_and_one_share_makes_one_and_a_flat_price_has_no_distance_from_it():
    calendar = made_calendar(1, n_bars=12)
    volume = [0.0, 0.5, *[0.0] * 10]
    frame = built(bars_of(calendar, [100.0, 103.0, *[103.0] * 10], volume=volume), calendar)
    assert frame["vwap_30m"].to_list() == [None, *[103.0] * 7, *[None] * 4]  # a window of seven minutes
    assert frame["z_vwap"][2:8].to_list() == [0.0] * 6
    flat = built(bars_of(calendar, [100.0] * 12), calendar)
    assert flat["z_vwap"].null_count() == 12


def test_a_price_that_stands_still_after_a_wild_morning_has_no_distance_from_its_vwap_and_no_volume_has_no_vwap():
    """Its lows move, so its vwap does not stand where it does; volumes are fractions of a share."""
    calendar = made_calendar(1, n_bars=60)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        closes = np.append(np.round(2 * np.exp(np.cumsum(rng.normal(0, 0.03, 30))), 2), np.full(30, 2.0))
        volume = np.append(np.round(rng.uniform(0, 5, 45), 3), np.zeros(15))
        low = closes - 0.01 * (np.arange(60) % 3 == 0)
        frame = built(bars_of(calendar, closes.tolist(), low=low.tolist(), volume=volume.tolist()), calendar)
        assert frame["z_vwap"][38:].null_count() == 22, seed
        assert frame["sigma_5m"][38:].to_list() == [0.0] * 22
        assert frame["vwap_30m"][51:].null_count() == 9


@pytest.mark.parametrize(("sessions", "least"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_usual_volume_is_known_from_half_of_the_sessions_on_and_from_one_at_least(sessions, least):
    calendar = made_calendar(4, n_bars=1)
    params = features_params(names=["volume_norm"], required=[], volume_norm_sessions=sessions)
    frame = build_features({"A": random_bars(calendar, 1)}, usable_of(calendar, "A"), calendar, params, Context())["A"]
    assert frame["volume_norm"].is_null().to_list() == [True] * least + [False] * (4 - least)


def test_the_context_is_one_bar_old_and_of_today():
    calendar = made_calendar(2, n_bars=4)
    bars, market = random_bars(calendar, 1), random_bars(calendar, 2)
    frame = build_features({"A": bars, "M": market}, usable_of(calendar, "A", "M"), calendar, PARAMS, Context("M"))
    own = frame["M"]["ret_1m"].to_list()
    assert frame["A"]["context_ret_1m"].to_list() == [None, *own[:3], None, *own[4:7]]


def test_each_further_context_symbol_has_columns_of_its_own():
    calendar = made_calendar(2, n_bars=4)
    bars = {symbol: random_bars(calendar, seed) for seed, symbol in enumerate(("A", "M", "XLK", "BRK.B"))}
    names = ["ret_1m", "context_ret_1m", "context_ret_1m@XLK", "context_ret_5m@BRK.B", "context_ret_1m@BRK.B"]
    params, around = features_params(names=names, context_lag_min=2), Context("M", others=("XLK", "BRK.B"))
    frame = build_features(bars, usable_of(calendar, *bars), calendar, params, around)
    for column, leader in (("context_ret_1m", "M"), ("context_ret_1m@XLK", "XLK"), ("context_ret_1m@BRK.B", "BRK.B")):
        own = frame[leader]["ret_1m"].to_list()
        assert frame["A"][column].to_list() == [None, None, *own[:2], None, None, *own[4:6]]


def test_usual_volume_is_that_of_usable_sessions_before_and_today_need_not_be_usable():
    calendar = made_calendar(5, n_bars=1)
    bars = bars_of(calendar, [100.0] * 5, volume=[9.0, 99.0, 999.0, 9999.0, 99.0])
    dropped = tuple(day for k, day in enumerate(calendar["session"]) if k != 3)
    norm = built(bars, calendar, {"A": dropped})["volume_norm"].to_list()
    # medians of log10(1 + V): [1, 2] -> 1.5 for the third and [1, 2, 3] -> 2 for the fourth and, without it, the fifth
    assert norm == [None, None, pytest.approx(1.5 * log(10)), pytest.approx(2 * log(10)), pytest.approx(0)]


def test_a_half_day_takes_no_place_among_the_sessions_of_an_afternoon_minute():
    """Four sessions are looked back on: minute 1 of the last finds the half day among them, minute 3 does not."""
    calendar = made_calendar(6, n_bars=4, half=(4,))
    volumes = [9.0] * 4 + [99.0] * 4 + [999.0] * 4 + [9999.0] * 4 + [99_999.0] * 2 + [0.0] * 4
    norm = built(bars_of(calendar, [100.0] * 22, volume=volumes), calendar)["volume_norm"].to_list()
    # medians of log10(1 + V): of [2, 3, 4, 5] in the morning, of [1, 2, 3, 4] behind the early close
    assert norm[-4:] == pytest.approx([-3.5 * log(10)] * 2 + [-2.5 * log(10)] * 2, abs=1e-9)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.05, 0.3]))
@settings(max_examples=8, deadline=None)
def test_every_column_is_what_a_plain_loop_over_its_formula_says(seed, missing):
    calendar = made_calendar(6, n_bars=20, half=(2,))
    usable = tuple(day for k, day in enumerate(calendar["session"]) if k != 1)
    bars = random_bars(calendar, seed, missing)
    found = built(bars, calendar, {"A": usable})
    for name, expected in loops(bars, usable).items():
        assert found[name].is_null().to_list() == [value is None for value in expected], name
        assert found[name].drop_nulls().to_list() == pytest.approx(
            [x for x in expected if x is not None], 1e-9, 1e-9
        ), name


def loops(bars, usable):
    """The price and volume features, row by row, from lists."""
    rows = bars.rows(named=True)
    starts = [i for i, row in enumerate(rows) if row["m"] == 0]
    first = [max(s for s in starts if s <= i) for i in range(len(rows))]
    real = [not row["is_filled"] for row in rows]
    traded = [any(real[first[i] : i + 1]) for i in range(len(rows))]
    r = [None] * len(rows)
    for i, row in enumerate(rows):
        if row["m"] == 0:
            r[i] = log(row["close"] / row["open"]) if real[i] else None
        elif traded[i - 1]:
            r[i] = log(row["close"] / rows[i - 1]["close"])

    def window(i, width):
        return range(max(first[i], i - width + 1), i + 1)

    def averaged(i, width, value):
        values = [value(j) for j in window(i, width) if real[j] and value(j) is not None]
        return mean(values) if len(values) >= min(3, width) else None

    def true_range(j):
        row = rows[j]
        if r[j] is None or row["m"] == 0:
            return row["high"] - row["low"]
        before = rows[j - 1]["close"]
        return max(row["high"] - row["low"], abs(row["high"] - before), abs(row["low"] - before))

    columns = {name: [] for name in LOOPED}
    for i, row in enumerate(rows):
        for minutes in (5, 15):
            known = [r[j] for j in window(i, minutes)]
            whole = len(known) == minutes and None not in known
            columns[f"ret_{minutes}m"].append(sum(known) if whole and row["m"] >= minutes else None)
            columns[f"rv_{minutes}m"].append(sqrt(sum(x * x for x in known)) if whole else None)
        variance = averaged(i, 8, lambda j: None if r[j] is None else r[j] ** 2)
        sigma = None if variance is None else sqrt(5 * variance)
        columns["sigma_5m"].append(sigma)
        parkinson = averaged(i, 6, lambda j: log(rows[j]["high"] / rows[j]["low"]) ** 2)
        columns["parkinson"].append(None if parkinson is None else sqrt(parkinson / (4 * log(2))))
        gk = averaged(
            i,
            6,
            lambda j: (
                log(rows[j]["high"] / rows[j]["low"]) ** 2 / 2
                - (2 * log(2) - 1) * log(rows[j]["close"] / rows[j]["open"]) ** 2
            ),
        )
        columns["garman_klass"].append(None if gk is None else sqrt(max(0, gk)))
        atr = averaged(i, 4, true_range)
        columns["atr"].append(atr)
        columns["atr_rel"].append(None if atr is None else atr / row["close"])
        volume = sum(rows[j]["volume"] for j in window(i, 7))
        money = sum((rows[j]["high"] + rows[j]["low"] + rows[j]["close"]) / 3 * rows[j]["volume"] for j in window(i, 7))
        vwap = money / volume if volume else None
        columns["vwap_30m"].append(vwap)
        scale = row["close"] * sigma / sqrt(5) * sqrt(7) if sigma else None
        columns["z_vwap"].append((row["close"] - vwap) / scale if scale and vwap else None)
        past = [x for x in rows if x["m"] == row["m"] and x["session"] < row["session"] and x["session"] in usable][-4:]
        logs = [log1p(x["volume"]) for x in past if not x["is_filled"]]
        usual = median(logs) if len(logs) >= 2 else None
        columns["volume_norm"].append(log1p(row["volume"]) - usual if real[i] and usual is not None else None)
    return columns
