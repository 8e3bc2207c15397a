"""Stage `calibrate`: quantiles corrected by errors already known at each snapshot, by every method."""

from pathlib import Path

from stages.calibration.methods import calibrate
from stages.calibration.past import with_outcomes
from stages.io.files import PartitionedTables, read_json, read_table, write_table_parts
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.calibration import CalibrationParams
from stages.quality.verdicts import usable_sessions
from stages.tables.forecasts import Calibrated, Offsets, Quantiles
from stages.tables.market import Bars

QUANTILES = Path("artifacts/forecast/quantiles.parquet")
BARS = Path("artifacts/check_data/bars")
REPORT = Path("artifacts/check_data/dq_report.json")
CALIBRATED = Path("artifacts/calibrate/calibrated.parquet")
OFFSETS = Path("artifacts/calibrate/offsets.parquet")


def main() -> None:
    """Quantiles and bars -> forecasts, raw and corrected. Outcomes are used, but not written."""
    params = read_params(CalibrationParams)
    usable = usable_sessions(read_json(REPORT))

    forecasts = with_outcomes(read_table(Quantiles, QUANTILES), PartitionedTables.of(Bars, BARS), usable)
    calibration = calibrate(forecasts, params)

    write_table_parts(Calibrated, calibration.parts(), CALIBRATED)
    write_table_parts(Offsets, calibration.offset_parts(), OFFSETS)
    times = len(params.methods)
    rows, void = times * forecasts.height, times * forecasts["void"].sum()
    ends = {"widen_at_grid_end": calibration.at_grid_end(params.widen_grid)} if "widen" in params.methods else {}
    say("calibrate", methods=",".join(params.methods), rows=rows, void=void, **ends)


if __name__ == "__main__":
    run(main)
