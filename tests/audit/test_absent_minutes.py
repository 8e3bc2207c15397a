"""Minutes without a bar: what they are is decided by what was known at them, and the audit sees who decides otherwise.

The market is thin: one minute in seven has no bar. On 2024-11-07 STRONG pauses for twenty minutes while NULL trades,
and a halt of the whole market is listed for 2024-11-08.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from stages.audit.audit import first_leak, found_leak, in_hindsight
from stages.audit.replay import Frames, run
from stages.audit.world import cut
from stages.errors import DataContractError
from stages.quality.cross_symbol import check_symbols
from stages.quality.gate import Checked
from stages.runs.replayed_study import replay_of
from stages.tables.market import Halts
from tests.audit.small_study import CALENDAR, Audited, delivered, leaking, record_of, remembering, study_of, unchanged

QUIET = {
    "no_trade_minutes": "quiet",
    "quiet_max_min": 8,
    "by_symbol": {"STRONG": {"min_session_completeness": 0.75}, "NULL": {"min_session_completeness": 0.8}},
    "unlisted_halts": "keep",
}
STUDY = study_of(quality=QUIET)
OPENS = dict(CALENDAR.select("session", "open_utc").iter_rows())
PAUSED, HALTED = (OPENS[date(2024, 11, day)] + timedelta(minutes=70) for day in (7, 8))
LISTED = Halts.of(
    pl.DataFrame(
        [(HALTED - timedelta(seconds=20), "*", HALTED + timedelta(seconds=880), "a rule")],
        schema=Halts.create_empty().schema,
        orient="row",
    )
)
RECORD = replace(record_of(), halts=LISTED)
HONEST = remembering(replay_of(STUDY, RECORD))


def thin(symbol: str, frame: pl.DataFrame) -> pl.DataFrame:
    rng = np.random.default_rng([7, *symbol.encode()])
    silent = pl.col("ts").is_between(HALTED, HALTED + timedelta(minutes=13))
    if symbol == "STRONG":
        silent |= pl.col("ts").is_between(PAUSED, PAUSED + timedelta(minutes=19))
    return frame.filter(~silent & (pl.Series(rng.random(frame.height)) > 1 / 7))


@cache
def audited() -> Audited:
    return Audited(HONEST, {symbol: thin(symbol, frame) for symbol, frame in delivered().items()})


def caught(count: int = 8, **leaky: Callable) -> str:
    study = audited()
    with pytest.raises(DataContractError, match=r"^the past moved: ") as found:
        Audited(leaking(HONEST, study.world, **leaky), study.bars).passes(count)
    return str(found.value)


def test_a_thin_market_with_a_pause_and_a_halt_stands_the_audit() -> None:
    """And what is audited is there: filled minutes, and every session kept, those with a pause or a halt too."""
    study = audited()
    base = {(one.stage, one.key): one.rows for one in study.base}
    bars = base["check_data", ("symbol", "ts")]
    days = base["check_data", ("symbol", "session")].filter(pl.col("dropped"))

    assert bars["is_filled"].mean() == pytest.approx(1 / 7, abs=0.02)
    assert days.is_empty()
    assert HONEST.check(study.bars)["STRONG"].halts["symbol"].to_list() == ["*", "STRONG"]
    assert len(study.passes(count=2)) > 2


def test_a_minute_called_quiet_because_a_bar_follows_is_caught() -> None:
    message = caught(check=lambda bars: in_hindsight(HONEST.check(bars)))

    assert "stage check_data, column " in message
    assert "changed when the market was" in message


@pytest.mark.journey  # a study of its own, replayed
def test_a_length_of_quiet_learnt_from_the_whole_record_is_caught() -> None:
    """The longest run of absent minutes of all sessions, later ones included, says how long a price is carried."""

    def check(bars: Frames) -> dict[str, Checked]:
        first = HONEST.check(bars)
        seen = max(int(one.days["longest_gap"].filter(one.days["longest_gap"] < 390).max()) for one in first.values())
        quality = STUDY.quality.model_copy(update={"quiet_max_min": max(1, seen)})
        return check_symbols(bars, unchanged().dialect, CALENDAR, quality, halts=LISTED)

    assert "stage check_data, column " in caught(check=check)


@pytest.mark.journey  # a study of its own, replayed
def test_thin_by_the_evidence_of_later_sessions_is_caught() -> None:
    """Whether a symbol is thin is asked of the whole record: cut it, and the past is filled otherwise."""

    def check(bars: Frames) -> dict[str, Checked]:
        rows = sum(frame.height for frame in bars.values())
        is_thin = rows > 0.8 * 2 * CALENDAR["n_bars"].sum()
        quality = STUDY.quality.model_copy(update={"quiet_max_min": 8 if is_thin else 7})
        return check_symbols(bars, unchanged().dialect, CALENDAR, quality, halts=LISTED)

    assert "stage check_data, column " in caught(check=check)


AROUND = [2, 7, 8, 19, 20]  # minutes after the pause began; from the eighth on it is taken for one


def amid_the_pause(check: Callable, after: list[int]) -> list[str]:
    """Leaks at instants of the pause at which a question is due, if nothing came after them."""
    snapshots = [f"{(PAUSED + timedelta(minutes=m, hours=-5)):%H:%M}" for m in AROUND]
    asking = study_of(quality=QUIET, requests={"snapshots_et": snapshots})
    world, honest = audited().world, replay_of(asking, RECORD)
    replay = leaking(honest, world, check=check, plan=honest.plan)
    base = run(replay, world)
    instants = [PAUSED + timedelta(minutes=m) for m in after]
    leaks = [first_leak(base, run(replay, cut(world, at, 0)), at, "cut") for at in instants]
    return [str(leak) for leak in leaks if leak is not None]


@pytest.mark.journey  # a study of its own, replayed
def test_whether_a_pause_goes_on_is_known_from_what_has_passed() -> None:
    assert amid_the_pause(HONEST.check, AROUND) == []


def test_a_pause_that_is_known_from_its_first_minute_is_caught() -> None:
    """What the other symbols tell of a gap is told once the gap is longer than a gap may be, not before."""

    def check(bars: Frames) -> dict[str, Checked]:
        early = pl.col("halted_at") - pl.duration(minutes=8)
        return {
            symbol: replace(one, halts=one.halts.with_columns(halted_at=early))
            for symbol, one in HONEST.check(bars).items()
        }

    (leak,) = amid_the_pause(check, [2])
    assert leak.startswith("stage build_requests, column status, STRONG: what was known at 2024-11-07T15:42Z")


def test_the_audit_plants_a_leak_of_its_own_and_names_it() -> None:
    """Also in a study whose bars are complete and whose params know no quiet minutes."""
    study = unchanged()

    assert str(found_leak(study.replay, study.world, seed=3)).startswith("stage check_data, column open, ")


def test_a_gate_without_that_leak_is_not_accused() -> None:
    """The opposite: an honest gate in front of the same thinned bars, at the same instant."""
    study = unchanged()
    leak = found_leak(study.replay, study.world, seed=3, plant=dict)

    assert leak is None
