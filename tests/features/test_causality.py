"""No feature knows the future: compared bit by bit, never with a tolerance."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from stages.features.catalogue import FEATURES, build_features
from stages.features.context import Context
from tests.features.made_bars import events_of, features_params, made_calendar, random_bars, usable_of

CALENDAR = made_calendar(7, n_bars=40, half=(3,))
PARAMS = features_params(names=list(FEATURES), required=[], volume_norm_sessions=3)
SYMBOLS = ("A", "B", "M")
EVENTS = events_of(CALENDAR)
ROWS = CALENDAR["n_bars"].sum()
INSTANTS = st.integers(1, ROWS - 1)
SEEDS = st.integers(0, 10_000)


def market(seed: int, missing: float = 0.1) -> dict[str, pl.DataFrame]:
    return {symbol: random_bars(CALENDAR, seed + k, missing) for k, symbol in enumerate(SYMBOLS)}


def features(
    bars: dict[str, pl.DataFrame], calendar: pl.DataFrame = CALENDAR, events: pl.DataFrame = EVENTS
) -> dict[str, pl.DataFrame]:
    return build_features(bars, usable_of(calendar, *bars), calendar, PARAMS, Context("M", events))


def scrambled_from(bars: pl.DataFrame, row: int, seed: int) -> pl.DataFrame:
    """The same past, another future: other prices, volumes and fills."""
    other = random_bars(CALENDAR, seed, missing=0.3).with_columns(pl.col("open", "high", "low", "close") * 3)
    return pl.concat([bars[:row], other[row:]])


@given(SEEDS, INSTANTS)
@settings(max_examples=6, deadline=None)
def test_scrambling_everything_after_an_instant_leaves_every_earlier_row_bit_equal(seed, row):
    bars = market(seed)
    changed = features({symbol: scrambled_from(frame, row, seed + 77) for symbol, frame in bars.items()})
    for symbol, frame in features(bars).items():
        assert_frame_equal(frame[:row], changed[symbol][:row], check_exact=True)
        assert not frame[row:].equals(changed[symbol][row:]), "the scramble must be seen from its instant on"


@pytest.mark.journey  # a record cut at many instants
@given(SEEDS, INSTANTS)
@settings(max_examples=6, deadline=None)
def test_cutting_the_bars_off_is_the_same_as_cutting_the_features_off(seed, row):
    bars = market(seed)
    cut = features({symbol: frame[:row] for symbol, frame in bars.items()})
    for symbol, frame in features(bars).items():
        assert_frame_equal(frame[:row], cut[symbol], check_exact=True)


@given(INSTANTS)
@settings(max_examples=8, deadline=None)
def test_without_the_announcements_still_to_come_every_earlier_row_is_bit_equal(row):
    bars = market(1)
    instant = bars["A"]["known_at"][row - 1]
    untold = features(bars, events=EVENTS.filter(pl.col("announced_at") <= instant))
    for symbol, frame in features(bars).items():
        assert_frame_equal(frame[:row], untold[symbol][:row], check_exact=True)


@given(SEEDS)
@settings(max_examples=5, deadline=None)
def test_a_further_session_alters_no_earlier_row(seed):
    bars, yesterday = market(seed), CALENDAR[:-1]
    before = features(
        {s: frame.filter(pl.col("session").is_in(yesterday["session"].implode())) for s, frame in bars.items()},
        yesterday,
    )
    for symbol, frame in features(bars).items():
        assert_frame_equal(frame[: before[symbol].height], before[symbol], check_exact=True)


def test_the_order_of_symbols_and_their_neighbours_change_nothing():
    bars = market(5)
    whole, reversed_ = features(bars), features(dict(reversed(bars.items())))
    alone = features({symbol: bars[symbol] for symbol in ("B", "M")})
    for symbol in ("B", "M"):
        assert_frame_equal(whole[symbol], reversed_[symbol], check_exact=True)
        assert_frame_equal(whole[symbol], alone[symbol], check_exact=True)


def test_chunks_and_column_order_of_the_bars_change_nothing():
    bars = market(6)
    pieces = {
        symbol: pl.concat([frame[:100], frame[100:]], rechunk=False).select(frame.columns[::-1])
        for symbol, frame in bars.items()
    }
    for symbol, frame in features(pieces).items():
        assert_frame_equal(frame, features(bars)[symbol], check_exact=True)


def test_no_feature_is_ever_nan_or_infinite():
    for seed in range(5):
        for frame in features(market(seed, missing=0.5)).values():
            assert frame.select(pl.col(list(FEATURES)).drop_nulls().is_finite().all()).row(0) == (True,) * len(FEATURES)
