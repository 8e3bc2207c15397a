"""A horizon is corrected with all its symbols beside each other, in whatever parts it is held."""

from itertools import islice

import polars as pl
import pytest

from stages.calibration import methods
from stages.calibration.by_horizon import CorrectFree, CorrectHorizon, Known, beside_of, horizons_of, parts_of
from stages.calibration.methods import calibrate
from stages.calibration.mix import calibrated_free
from stages.errors import DataContractError
from stages.tables.contract import packed
from stages.tables.forecasts import FREE, Calibrated, FreeWeights, Offsets
from tests.scoring.simulated import CALIBRATION, with_truth

SYMBOLS = tuple("ABCDE")
PARAMS = CALIBRATION.model_copy(update={"min_outcomes": 30})  # so that first days are corrected by all symbols
SNAPSHOT = ["symbol", "snapshot_utc"]


def forecasts(*models: str) -> pl.DataFrame:
    """Two horizons of five symbols, of which one begins late."""
    both = [with_truth(30, symbols=SYMBOLS, horizon_min=minutes, seed=minutes, models=models) for minutes in (5, 10)]
    late = pl.col("session") >= pl.col("session").min() + pl.duration(days=11)
    return pl.concat(both).filter((pl.col("symbol") != "C") | late)


def known(frame: pl.DataFrame) -> list[Known]:
    """As `outcomes_of` leaves each symbol."""
    parts = [
        {minutes: packed(part) for (minutes,), part in own.partition_by("horizon_min", as_dict=True).items()}
        for own in frame.partition_by("symbol", maintain_order=True)
    ]
    return [Known(part, 0, 0) for part in parts]


@pytest.fixture(params=[1, 2, 9])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(methods, "SYMBOLS_AT_ONCE", request.param)
    return request.param


@pytest.fixture(scope="module")
def whole() -> tuple[pl.DataFrame, pl.DataFrame]:
    calibration = calibrate(forecasts("asked", "persistence"), PARAMS)
    assert set(calibration.rows["group_used"].str.split("@").list.get(0)) >= {"identity", "pooled", *SYMBOLS}
    return Calibrated.of(calibration.rows), Offsets.of(calibration.offsets)


def test_horizon_by_horizon_the_tables_are_those_of_all_at_once(whole, at_once):
    given = horizons_of(known(forecasts("asked", "persistence")))
    corrected = [CorrectHorizon(PARAMS, SYMBOLS)(name, *one) for name, one in given.items()]

    parts = [Calibrated.of(part) for part in parts_of(corrected)]
    assert len(parts) == -(-len(SYMBOLS) // at_once)
    assert pl.concat(parts).equals(whole[0])
    assert pl.concat(Offsets.of(part) for part in beside_of(corrected)).equals(whole[1])
    assert sum(one.at_grid_end[1] for one in corrected) == whole[1].filter(method="widen").height


def test_horizon_by_horizon_the_mix_is_that_of_all_at_once(at_once):
    free = forecasts(f"{FREE}har", f"{FREE}ewma_fhs").with_columns(key=pl.lit(None, pl.String))
    days = list(islice(free["session"].unique().sort(), 9, None))  # those before are a warm-up
    asked = free.filter(pl.col("session").is_in(days)).select(SNAPSHOT).unique()
    calibration, weights = calibrated_free(free, asked, PARAMS, "timegpt", 5.0)

    work = CorrectFree(PARAMS, SYMBOLS, "timegpt", 5.0, asked)
    corrected = [work(name, *one) for name, one in horizons_of(known(free)).items()]

    assert pl.concat(Calibrated.of(part) for part in parts_of(corrected)).equals(Calibrated.of(calibration.rows))
    assert FreeWeights.of(pl.concat(beside_of(corrected))).equals(FreeWeights.of(weights))


def test_a_run_without_forecasts_ends_with_what_to_do():
    with pytest.raises(DataContractError, match=r"requests\.history_days"):
        horizons_of([])
