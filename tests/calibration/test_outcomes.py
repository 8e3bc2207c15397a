"""The outcome of a forecast is the move to the close of the minute that ends h minutes after the snapshot."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from stages.calibration.past import with_outcomes

SNAPSHOT = datetime(2024, 9, 3, 14, 30, tzinfo=UTC)
SESSION = date(2024, 9, 3)
HORIZON = 10
TARGET_START = SNAPSHOT + timedelta(minutes=HORIZON - 1)
LAST_START = SNAPSHOT - timedelta(minutes=1)


def bars(*, filled: datetime | None = None, missing: datetime | None = None) -> pl.DataFrame:
    """Closes of 100 up to the snapshot, 101 in the target's minute, 500 in every other minute after it."""
    starts = [SNAPSHOT + timedelta(minutes=k) for k in range(-5, 15)]
    closes = [100.0 if ts < SNAPSHOT else 101.0 if ts == TARGET_START else 500.0 for ts in starts]
    return pl.DataFrame(
        {
            "ts": starts,
            "known_at": [ts + timedelta(minutes=1) for ts in starts],
            "close": [None if ts == missing else close for ts, close in zip(starts, closes, strict=True)],
            "is_filled": [ts == filled for ts in starts],
        }
    ).with_columns(pl.col("ts", "known_at").cast(pl.Datetime("us", "UTC")))


def forecast(symbol: str = "A") -> pl.DataFrame:
    return pl.DataFrame(
        {"symbol": symbol, "snapshot_utc": SNAPSHOT, "session": SESSION, "last": 100.0, "model": "m"}
    ).with_columns(
        pl.col("snapshot_utc").cast(pl.Datetime("us", "UTC")),
        horizon_min=pl.lit(HORIZON, pl.Int32),
        history_days=pl.lit(40, pl.Int32),
    )


def outcome(frame: pl.DataFrame, usable: tuple[date, ...] = (SESSION,)) -> dict[str, object]:
    return with_outcomes(forecast(), {"A": frame}, {"A": usable}).row(0, named=True)


def test_a_rise_from_100_to_101_is_99_50_bp_of_log_return_known_ten_minutes_after_the_snapshot():
    row = outcome(bars())

    assert row["y_bp"] == pytest.approx(99.5033085)  # 1e4 * ln(1.01), from a table of logarithms
    assert row["target_ts"] == SNAPSHOT + timedelta(minutes=10)
    assert not row["void"]


@pytest.mark.parametrize(
    "frame",
    [bars(filled=TARGET_START), bars(missing=TARGET_START), bars(filled=LAST_START), bars(missing=LAST_START)],
    ids=["target filled", "target missing", "last filled", "last missing"],
)
def test_an_outcome_that_starts_or_ends_on_no_real_bar_is_void(frame):
    row = outcome(frame)

    assert row["void"]
    assert row["y_bp"] is None
    assert row["target_ts"] == SNAPSHOT + timedelta(minutes=10)


def test_a_filled_bar_on_the_way_voids_nothing():
    assert not outcome(bars(filled=SNAPSHOT))["void"]


def test_a_session_that_the_gate_dropped_is_void_for_that_symbol_alone():
    both = pl.concat([forecast("A"), forecast("B")])

    found = with_outcomes(both, {"A": bars(), "B": bars()}, {"A": (), "B": (SESSION,)})

    assert dict(found.select("symbol", "void").iter_rows()) == {"A": True, "B": False}


def test_an_outcome_never_comes_from_another_symbols_bars():
    risen = bars().with_columns(close=pl.col("close") * pl.when(pl.col("ts") == TARGET_START).then(2.0).otherwise(1.0))

    found = with_outcomes(
        pl.concat([forecast("B"), forecast("A")]), {"B": risen, "A": bars()}, {"A": (SESSION,), "B": (SESSION,)}
    )

    assert dict(found.select("symbol", pl.col("y_bp").round(2)).iter_rows()) == {"A": 99.5, "B": 7030.98}


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_outcomes_of_some_forecasts_are_some_of_the_outcomes(size):
    """A table of forecasts is joined a part at a time; where a part ends, also within a symbol, changes nothing."""
    later = [
        forecast(symbol).with_columns(pl.col("snapshot_utc").dt.offset_by(f"{k}m")) for symbol in "AB" for k in range(3)
    ]
    frames, usable = {"A": bars(), "B": bars(filled=TARGET_START)}, {"A": (SESSION,), "B": (SESSION,)}
    asked = pl.concat(later)

    parts = [with_outcomes(asked[start : start + size], frames, usable) for start in range(0, 6, size)]

    assert pl.concat(parts).equals(with_outcomes(asked, frames, usable))
    assert pl.concat(parts)["void"].to_list() == [False, False, False, True, False, False]


def test_bars_of_symbols_without_a_forecast_are_not_read():
    class Bars(dict):
        def __missing__(self, symbol):
            raise AssertionError(symbol)

        def __iter__(self):
            return iter("AZ")

    assert with_outcomes(forecast(), Bars({"A": bars()}), {"A": (SESSION,)}).height == 1


def test_outcomes_come_in_the_order_of_their_symbols():
    asked = pl.concat([forecast("B"), forecast("A")])
    found = with_outcomes(asked, dict.fromkeys("AB", bars()), dict.fromkeys("AB", (SESSION,)))
    assert found["symbol"].to_list() == ["A", "B"]
