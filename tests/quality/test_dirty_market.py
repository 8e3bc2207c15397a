"""One delivery with every kind of fault, each on its own session: the gate finds exactly these."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl

from tests.quality.deliveries import CALENDAR, delivery, minute, minutes, through_the_gate

PRICES = ("open", "high", "low", "close")
Spoil = Callable[[pl.DataFrame, date], pl.DataFrame]


def without(first: int, last: int) -> Spoil:
    return lambda frame, day: frame.filter(~minutes(day, first, last))


def setting(first: int, last: int, **values: Any) -> Spoil:
    def spoil(frame: pl.DataFrame, day: date) -> pl.DataFrame:
        hit = minutes(day, first, last)
        return frame.with_columns(
            pl.when(hit).then(value).otherwise(name).alias(name) for name, value in values.items()
        )

    return spoil


def raising(first: int, last: int, factor: float) -> Spoil:
    return setting(first, last, **{price: (pl.col(price) * factor).round(2) for price in PRICES})


def frozen(first: int, last: int) -> Spoil:
    def spoil(frame: pl.DataFrame, day: date) -> pl.DataFrame:
        price = frame.filter(minute(day, first))["close"][0] + 0.5
        return setting(first, last, **dict.fromkeys(PRICES, price))(frame, day)

    return spoil


def contradicting(frame: pl.DataFrame, day: date) -> pl.DataFrame:
    return pl.concat([frame, frame.filter(minute(day, 50)).with_columns(pl.col(PRICES) + 0.01)])


def repeating(frame: pl.DataFrame, day: date) -> pl.DataFrame:
    return pl.concat([frame, frame.filter(minutes(day, 50, 59))])


def after_the_early_close(frame: pl.DataFrame, day: date) -> pl.DataFrame:
    return pl.concat([frame, frame.filter(minutes(day, 0, 9)).with_columns(pl.col("ts") + timedelta(hours=4))])


FAULTS: dict[date, tuple[Spoil, str, str | None, dict[str, int]]] = {
    date(2024, 11, 18): (repeating, "pass", None, {}),
    date(2024, 11, 19): (without(100, 106), "fail", "sustained_gap", {}),
    date(2024, 11, 20): (without(0, 0), "warn", None, {"CMP4": 1}),
    date(2024, 11, 21): (contradicting, "fail", "conflicting_rows", {"TS3": 1}),
    date(2024, 11, 22): (
        setting(10, 11, close=0.0),
        "pass",
        None,
        {"PX1": 2, "PX2": 2},
    ),  # a close of 0 is below the low, too
    date(2024, 11, 25): (setting(10, 10, low=900.0), "pass", None, {"PX2": 1}),
    date(2024, 11, 26): (raising(200, 200, 1.05), "pass", None, {"PX3": 2, "PX3_reverted": 1}),
    date(2024, 11, 27): (frozen(100, 115), "warn", None, {"PX5": 1}),
    date(2024, 11, 29): (after_the_early_close, "warn", None, {"TS6": 10}),
    date(2024, 12, 2): (frozen(100, 140), "fail", "stale", {"PX5": 1}),
    date(2024, 12, 3): (setting(0, 389, volume=20.0), "warn", None, {"VOL3": 1}),
    date(2024, 12, 4): (setting(10, 12, volume=-1.0), "pass", None, {"VOL1": 3}),
    date(2024, 12, 5): (without(0, 389), "fail", "no_data", {"CMP4": 1}),
    date(2024, 12, 6): (raising(0, 389, 0.25), "warn", None, {"PX4": 1}),
}


def test_every_fault_is_found_on_its_own_session_and_nowhere_else() -> None:
    frame = delivery()
    for day, (spoil, *_) in FAULTS.items():
        frame = spoil(frame, day)
    checked = through_the_gate(frame)

    flags = ("TS3", "TS6", "CMP4", "PX1", "PX2", "PX3", "PX3_reverted", "PX4", "PX5", "PX6", "VOL1", "VOL2", "VOL3")
    found = {
        row["session"]: [row["verdict"], row["reason"], {flag: row[flag] for flag in flags if row[flag]}]
        for row in checked.days.iter_rows(named=True)
    }
    assert found == {day: truth for day, (_, *truth) in FAULTS.items()}
    assert (checked.counts["TS2"], checked.counts["outside_hours"]) == (10, 10)
    assert set(FAULTS) == set(CALENDAR["session"])
