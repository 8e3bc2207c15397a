"""A horizon is corrected with all its symbols beside each other, in whatever parts it is held."""

from itertools import islice

import polars as pl
import pytest

from stages.calibration import methods
from stages.calibration.by_horizon import (
    CorrectHorizon,
    SymbolOutcomes,
    horizons_of,
    outcomes_of,
    parts_of,
    side_tables_of,
)
from stages.calibration.methods import calibrate
from stages.calibration.mix import calibrated_free
from stages.calibration.past import with_outcomes
from stages.errors import DataContractError
from stages.tables.contract import unpacked
from stages.tables.forecasts import FREE, QUANTILES, Calibrated, FreeWeights, Offsets
from tests.scoring.simulated import CALIBRATION, with_truth
from tests.scoring.test_controls import random_walk

SYMBOLS = tuple("ABCDE")
ASKED = SYMBOLS[:-1]  # E is never asked
# The first days are corrected by all symbols, and the grid of `widen` ends where offsets reach its end.
PARAMS = CALIBRATION.model_copy(update={"min_outcomes": 30, "widen_grid": (-0.1, 0.1)})


def forecasts(*models: str) -> pl.DataFrame:
    """Two horizons of five symbols, of which one begins late."""
    both = [with_truth(30, symbols=SYMBOLS, horizon_min=minutes, seed=minutes, models=models) for minutes in (5, 10)]
    late = pl.col("session") >= pl.col("session").min() + pl.duration(days=11)
    return pl.concat(both).filter((pl.col("symbol") != "C") | late)


def known(*frames: pl.DataFrame) -> list[tuple[SymbolOutcomes, ...]]:
    """As `outcomes_of` leaves each symbol's asked and free forecasts."""
    return [tuple(SymbolOutcomes.of(frame.filter(symbol=symbol)) for frame in frames) for symbol in SYMBOLS]


@pytest.fixture(params=[2, 9])  # the last part holds one symbol; all at once
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(methods, "SYMBOLS_AT_ONCE", request.param)
    return request.param


@pytest.fixture(scope="module")
def asked() -> pl.DataFrame:
    """The asked forecasts after a warm-up of the mix."""
    frame = forecasts("asked", "persistence")
    days = list(islice(frame["session"].unique().sort(), 9, None))
    return frame.filter(pl.col("session").is_in(days), pl.col("symbol").is_in(ASKED))


@pytest.fixture(scope="module")
def whole(asked: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, tuple[int, int]]:
    calibration = calibrate(asked, PARAMS)
    assert set(calibration.whole.rows["group_used"].str.split("@").list.get(0)) >= {"identity", "pooled", *ASKED}
    at_grid_end = calibration.whole.at_grid_end(PARAMS.widen_grid)
    assert 0 < at_grid_end[0] < at_grid_end[1]
    return Calibrated.of(calibration.whole.rows), Offsets.of(calibration.whole.offsets), at_grid_end


@pytest.fixture(scope="module")
def free() -> pl.DataFrame:
    return forecasts(f"{FREE}har", f"{FREE}ewma_fhs").with_columns(key=pl.lit(None, pl.String))


@pytest.fixture(scope="module")
def mixed(free: pl.DataFrame, asked: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    calibration, weights = calibrated_free(free, asked, PARAMS, "timegpt", 5.0)
    return Calibrated.of(calibration.whole.rows), FreeWeights.of(weights)


def test_horizon_by_horizon_the_tables_are_those_of_all_at_once(whole, free, asked, mixed, at_once):
    work = CorrectHorizon(PARAMS, SYMBOLS, "timegpt", 5.0, 40, lambda name, rows: lambda: rows)
    corrected, warmed = zip(*(work("", *one) for one in horizons_of(known(asked, free)).values()), strict=True)

    assert not any("y_bp" in read().columns for one in corrected for read in one.parts)
    parts = [Calibrated.of(part) for part in parts_of(corrected)]
    assert len(parts) == len(ASKED)
    assert len(corrected[0].parts) == -(-len(SYMBOLS) // at_once)
    assert pl.concat(parts).equals(whole[0])
    assert pl.concat(Offsets.of(part) for part in side_tables_of(corrected)).equals(whole[1])
    assert tuple(map(sum, zip(*(one.at_grid_end for one in corrected), strict=True))) == whole[2]
    assert pl.concat(Calibrated.of(part) for part in parts_of(warmed)).equals(mixed[0])
    assert FreeWeights.of(pl.concat(side_tables_of(warmed))).equals(mixed[1])


@pytest.mark.parametrize("method", ["widen", "cqr", "aci", "pid"])
def test_what_is_free_is_corrected_by_the_outcomes_of_the_judged_history_as_the_asked_one_is(method):
    """A short history is asked from the first day on, the judged one ten days later; the free forecast is the same."""
    params = CALIBRATION.model_copy(update={"method": method, "methods": (method,), "min_outcomes": 9})
    short = with_truth(30, symbols=("A", "B"), models=("asked",), r2=0.3).with_columns(history_days=pl.lit(5, pl.Int32))
    late = pl.col("session") >= pl.col("session").min() + pl.duration(days=10)
    judged = short.filter(late).with_columns(history_days=pl.lit(40, pl.Int32))
    same = short.with_columns(history_days=pl.lit(60, pl.Int32), model=pl.lit(f"{FREE}har"))
    parts = [
        tuple(SymbolOutcomes.of(frame.filter(symbol=one)) for frame in (pl.concat([short, judged]), same))
        for one in ("A", "B")
    ]
    (of_horizon,) = horizons_of(parts).values()

    def corrected(history: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        work = CorrectHorizon(params, ("A", "B"), "timegpt", 5.0, history, lambda name, rows: lambda: rows)
        asked, free = (pl.concat(read() for read in one.parts) for one in work("", *of_horizon))
        return asked.filter(history_days=history), free.filter(model=f"{FREE}har")

    for history in (5, 40):
        asked, free = corrected(history)
        about = ["symbol", "snapshot_utc", *QUANTILES, "n_cal", "calibrated"]
        assert free.select(about).equals(asked.select(about))
    assert corrected(20)[1].is_empty()  # a history that is not asked yet


def test_outcomes_of_a_symbol_are_those_of_its_bars_asked_and_free_apart():
    """One of two sessions is not usable, so that its outcomes are void."""
    asked = with_truth(2, clocks=("10:30",), models=("asked",)).drop("y_bp", "target_ts", "void")
    free = asked.with_columns(model=pl.lit(f"{FREE}har"))
    first, second = asked["session"].to_list()
    bars = random_walk("A", [first, second])

    found = outcomes_of("A", asked, free, bars, (first,))

    for one, forecasts in zip(found, (asked, free), strict=True):
        known = with_outcomes(forecasts, {"A": bars}, {"A": (first,)})
        assert (one.rows, one.void, list(one.by_horizon)) == (2, 1, [10])
        kept = unpacked(one.by_horizon[10])
        assert kept.select("model", "session", "y_bp").equals(known.select("model", "session", "y_bp"))


def test_a_run_without_forecasts_ends_with_what_to_do():
    with pytest.raises(DataContractError, match=r"requests\.history_days"):
        horizons_of([])
