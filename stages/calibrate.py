"""Stage `calibrate`: quantiles corrected by errors already known at each snapshot, by every method."""

from pathlib import Path

from stages.calibration.methods import calibrate
from stages.calibration.mix import calibrated_free
from stages.calibration.past import with_outcomes
from stages.io.files import PartitionedTables, read_json, read_table, write_table, write_table_parts
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.calibration import CalibrationParams
from stages.params.forecaster import ForecasterName
from stages.params.worth import MixParams
from stages.quality.verdicts import usable_sessions
from stages.tables.forecasts import Calibrated, FreeWeights, Offsets, Quantiles
from stages.tables.market import Bars

QUANTILES = Path("artifacts/forecast/quantiles.parquet")
FREE_QUANTILES = Path("artifacts/forecast_free/quantiles.parquet")
BARS = Path("artifacts/check_data/bars")
REPORT = Path("artifacts/check_data/dq_report.json")
CALIBRATED = Path("artifacts/calibrate/calibrated.parquet")
OFFSETS = Path("artifacts/calibrate/offsets.parquet")
FREE = Path("artifacts/calibrate/free.parquet")
FREE_WEIGHTS = Path("artifacts/calibrate/free_weights.parquet")


def main() -> None:
    """Quantiles and bars -> forecasts, raw and corrected, asked and free. Outcomes are used, but not written."""
    params, asked, mix = read_params(CalibrationParams), read_params(ForecasterName), read_params(MixParams)
    usable, bars = usable_sessions(read_json(REPORT)), PartitionedTables.of(Bars, BARS)

    forecasts = with_outcomes(read_table(Quantiles, QUANTILES), bars, usable)
    calibration = calibrate(forecasts, params)

    write_table_parts(Calibrated, calibration.parts(), CALIBRATED)
    write_table_parts(Offsets, calibration.offset_parts(), OFFSETS)

    free = with_outcomes(read_table(Quantiles, FREE_QUANTILES), bars, usable)
    free_calibration, weights = calibrated_free(free, forecasts, params, asked.name, mix.eta)
    write_table_parts(Calibrated, free_calibration.parts(), FREE)
    write_table(FreeWeights, weights, FREE_WEIGHTS)
    times = len(params.methods)
    rows, void = times * forecasts.height, times * forecasts["void"].sum()
    ends = {"widen_at_grid_end": calibration.at_grid_end(params.widen_grid)} if "widen" in params.methods else {}
    say("calibrate", methods=times, rows=rows, void=void, **ends)


if __name__ == "__main__":
    run(main)
