"""A vendor's update asks anew exactly the questions whose rows it touches, and no other: every other key stays."""

from dataclasses import replace

import polars as pl
import pytest

from stages.audit.replay import run
from stages.audit.world import World, cut
from tests.audit.small_study import CALENDAR, honest, unchanged

SESSIONS = CALENDAR["session"].to_list()
PRICES = ["open", "high", "low", "close"]


def asked(world: World) -> pl.DataFrame:
    """The questions of the small study: two symbols, two snapshots a day, two days of history."""
    replayed = run(honest(), world)  # the world as it is: once for all tests
    (schedule,) = (one.rows for one in replayed if one.stage == "build_requests")
    return schedule.filter(status="ok")


def test_further_sessions_ask_about_themselves_alone() -> None:
    """As when a month is added to the listing."""
    world, last = unchanged().world, CALENDAR["close_utc"][9]
    before, after = asked(cut(world, last, 0)), asked(world)
    new = after.filter(~pl.col("key").is_in(before["key"].implode()))

    assert set(before["key"]) < set(after["key"])
    assert new["session"].min() == SESSIONS[10]
    assert new.height == after.filter(pl.col("session") > SESSIONS[9]).height


@pytest.mark.parametrize("minute", [30, 200, 389])
def test_a_revised_bar_asks_anew_the_snapshots_that_send_it(minute: int) -> None:
    """One bar of session 7: the snapshots behind it that day, and all of the two sessions that have it in history."""
    world, day = unchanged().world, SESSIONS[7]
    revised = pl.col("ts") == CALENDAR["open_utc"][7] + pl.duration(minutes=minute)
    raised = [pl.when(revised).then(pl.col(name) + 0.05).otherwise(name).alias(name) for name in PRICES]
    bars = dict(world.bars) | {"STRONG": world.bars["STRONG"].with_columns(raised)}
    before, after = asked(world), asked(replace(world, bars=bars))
    moved = set(before["key"]) - set(after["key"])

    known = pl.lit(CALENDAR["open_utc"][7]) + pl.duration(minutes=minute + 1)
    sends = (pl.col("history_first") <= day) & (pl.col("session") >= day) & (pl.col("snapshot_utc") >= known)
    touched = before.filter(sends, symbol="STRONG")
    assert moved == set(touched["key"])
    assert set(touched["session"]) == {*SESSIONS[8 if minute == 389 else 7 : 10]}, "the last snapshot is minute 240"
    assert before["symbol"].to_list() == after["symbol"].to_list()
