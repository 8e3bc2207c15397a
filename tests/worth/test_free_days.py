"""How much days differ between free forecasts: by hand, on days before the first asked one where there are enough."""

from datetime import UTC, date, datetime, timedelta
from math import sqrt

import polars as pl
import pytest

from stages.tables.forecasts import QUANTILES
from stages.worth.free_days import Asking, Deviations, deviations

FIRST = date(2024, 1, 1)
LOW, HIGH = (-20.0, -10.0, 0.0, 10.0, 20.0), (-16.0, -6.0, 4.0, 14.0, 24.0)
STILL, MOVED = 0.0, 10.0
# Of LOW and HIGH, mean pinball losses are 7/5 and 9/5 where the price stood still, 12/5 and 10/5 where it moved 10 bp.
# Both are 40 bp wide, so that their unit is 0.0755 * 40.
GAP_STILL, GAP_MOVED = 0.4 / 3.02, -0.4 / 3.02
CALM = ("10:00", "14:00")


def day_of(number: int) -> date:
    return FIRST + timedelta(days=number)


def frame(days: int, moves: tuple[str, str] | None = None, quiet_from: int = 99, **candidates: tuple) -> pl.DataFrame:
    """Two symbols, two snapshots a day; every other day until `quiet_from`, prices move at this symbol and snapshot.

    Without `moves` they move at every one.
    """
    rows = [
        {
            "symbol": symbol,
            "session": day_of(day),
            "snapshot_et": clock,
            "snapshot_utc": datetime(2024, 1, 1, int(clock[:2]) + 5, tzinfo=UTC) + timedelta(days=day),
            "model": f"free:{name}",
            "y_bp": MOVED if day % 2 and day < quiet_from and moves in (None, (symbol, clock)) else STILL,
        }
        | dict(zip(QUANTILES, levels, strict=True))
        for name, levels in candidates.items()
        for symbol in ("A", "B")
        for day in range(days)
        for clock in CALM
    ]
    target = pl.col("snapshot_utc") + pl.duration(minutes=10)
    return pl.DataFrame(rows).with_columns(
        pl.col("snapshot_utc").dt.cast_time_unit("us"),
        target_ts=target.dt.cast_time_unit("us"),
        horizon_min=pl.lit(10, pl.Int32),
        history_days=pl.lit(40, pl.Int32),
        last=pl.lit(100.0),
        sigma_5m=pl.lit(0.001),
        key=pl.lit(None, pl.String),
        source=pl.lit("local:made"),
        crossed=pl.lit(False),
        void=pl.lit(False),
    )


def asking(*symbols: str, asked: str = "timegpt", eta: float = 0.0) -> Asking:
    return Asking(symbols=symbols or ("A", "B"), horizon_min=10, asked=asked, eta=eta)


def told(free: pl.DataFrame, first_asked: date = FIRST, asked: str = "timegpt") -> Deviations:
    found = deviations(free, first_asked, asking(asked=asked))
    assert found is not None
    return found


def deviation_of_turns(days: int, apart: float) -> float:
    """Of as many days of one value as of another one, `apart` from it: each is half of that from the mean."""
    return apart / 2 * sqrt(days / (days - 1))


def test_days_of_a_pair_by_hand():
    """Days are worth 0.4 and -0.4 of the unit in turn; where no other pair is there, it takes their place."""
    found = told(frame(10, ewma_fhs=LOW, har=HIGH))
    right = deviation_of_turns(10, GAP_STILL - GAP_MOVED)
    assert found.pairs == pytest.approx({"usual": right, "close": right, "far": right}, abs=1e-8)
    assert (found.days, found.usual) == (10, ("ewma_fhs", "har"))


def test_the_usual_pair_is_persistence_and_the_mix():
    """At a speed of 0 the mix stays at 0.2 persistence and 0.8 har: 0.8 of the way from LOW to HIGH.

    Still: it loses (.84 + 1.7 + 1.6 + 3.3 + 1.16) / 5 = 1.72, so persistence is ahead by 0.32. Moved: (1.34 + 4.2 +
    3.4 + .8 + .66) / 5 = 2.08, so it is behind by 0.32.
    """
    found = told(frame(10, persistence=LOW, har=HIGH))
    assert found.pairs["usual"] == pytest.approx(deviation_of_turns(10, 0.64 / 3.02), abs=1e-8)
    assert found.usual == ("persistence", "free_mix")


def test_a_far_pair_stands_beside_the_usual_one_and_candidates_that_agree_are_no_close_pair():
    """Priors of 0.1, 0.1, 0.4 and 0.4: the mix is a tenth of the way from LOW to HIGH, so persistence is 0.04 ahead or
    behind, and seasonal 0.36."""
    found = told(frame(10, persistence=LOW, seasonal=HIGH, ewma_fhs=LOW, har=LOW))
    usual, far = (deviation_of_turns(10, apart / 3.02) for apart in (0.08, 0.72))
    assert found.pairs == pytest.approx({"usual": usual, "far": far, "close": usual}, abs=1e-8)


def test_the_mix_leaves_out_an_asked_forecaster_that_is_free():
    """Of persistence and har, the mix is the other one; an asked har is apart from it by the whole way."""
    free, right = frame(10, persistence=LOW, har=HIGH), deviation_of_turns(10, 0.8 / 3.02)
    usual, other = told(free, asked="persistence"), told(free, asked="har")
    assert usual.pairs["usual"] == other.pairs["usual"] == pytest.approx(right, abs=1e-8)
    assert (usual.usual, other.usual) == (("persistence", "free_mix"), ("har", "free_mix"))


def test_snapshots_and_symbols_alone_by_hand():
    """Prices move at one snapshot of one symbol: the other snapshot and the other symbol have equal days."""
    found = told(frame(10, ("A", "10:00"), ewma_fhs=LOW, har=HIGH))
    apart = GAP_STILL - GAP_MOVED
    assert found.pairs["close"] == pytest.approx(deviation_of_turns(10, apart / 4), abs=1e-8)
    assert found.by_snapshot == pytest.approx({"10:00": deviation_of_turns(10, apart / 2), "14:00": 0.0}, abs=1e-8)
    assert found.by_symbol == pytest.approx({"A": deviation_of_turns(10, apart / 2), "B": 0.0}, abs=1e-8)
    assert [*found.by_snapshot, *found.by_symbol] == ["10:00", "14:00", "A", "B"]


def test_ten_days_before_the_first_asked_one_are_enough_and_nine_are_not():
    """After ten days of moves every day is quiet, so that the first twenty days together differ less."""
    free = frame(30, quiet_from=10, ewma_fhs=LOW, har=HIGH)
    early, late = told(free, day_of(10)), told(free, day_of(9))

    assert (early.days, late.days) == (10, 20)
    assert early.pairs["close"] == pytest.approx(deviation_of_turns(10, GAP_STILL - GAP_MOVED), abs=1e-8)
    # Five of twenty days are 0.8 of the unit lower: the variance is 0.25 * 0.75 * that squared, times 20 / 19.
    assert late.pairs["close"] == pytest.approx((GAP_STILL - GAP_MOVED) * sqrt(0.25 * 0.75 * 20 / 19), abs=1e-8)


def test_days_with_fewer_than_half_of_the_symbols_do_not_count():
    """B is listed after ten days of A, which alone is one of three: no day before the first asked one counts."""
    free = frame(32, ewma_fhs=LOW, har=HIGH).filter((pl.col("symbol") == "A") | (pl.col("session") >= day_of(10)))
    found = deviations(free, day_of(10), asking("A", "B", "C"))
    assert found is not None
    assert found.days == 20, "the first twenty with two of three"
    right = deviation_of_turns(20, GAP_STILL - GAP_MOVED)
    assert found.pairs == pytest.approx(dict.fromkeys(("usual", "close", "far"), right), abs=1e-8)
    assert deviations(free.filter(symbol="A"), day_of(10), asking("A", "B", "C")) is None
    half = deviations(free, day_of(10), asking("A", "B"))
    assert half is not None
    assert half.days == 10, "one of two is half of them"


@pytest.mark.parametrize(
    "free",
    [
        frame(10, persistence=LOW),
        frame(10, seasonal=LOW),
        frame(10, har=LOW),
        frame(10, har=LOW, command=HIGH),
        frame(1, ewma_fhs=LOW, har=HIGH),
    ],
    ids=["persistence alone", "seasonal alone", "har alone", "no pair", "one day"],
)
def test_where_no_pair_differs_on_two_days_nothing_is_reported(free):
    assert deviations(free, FIRST, asking(eta=5.0)) is None


def test_where_the_asked_forecaster_alone_answered_nothing_is_reported():
    """A program beside it is not run by a plan."""
    assert deviations(frame(10, har=LOW), FIRST, asking(asked="har")) is None


def test_a_snapshot_of_a_single_day_is_left_out():
    free = frame(10, ewma_fhs=LOW, har=HIGH)
    once = free.filter((pl.col("snapshot_et") == "10:00") | (pl.col("session") == FIRST))
    assert set(told(once).by_snapshot) == {"10:00"}
