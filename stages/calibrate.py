"""Stage `calibrate`: quantiles corrected by errors already known at each snapshot, by every method."""

from pathlib import Path

from stages.calibration.by_horizon import CorrectHorizon, horizons_of, outcomes_of, parts_of, side_tables_of
from stages.calibration.past import OF_BARS
from stages.engine import engine
from stages.engine.engine import OnTables
from stages.io.files import read_json, write_table_parts
from stages.io.parquet import read_distinct, temporary_frames
from stages.io.partitions import Rows, partitions_of
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.calibration import CalibrationParams
from stages.params.forecaster import ForecasterName
from stages.params.worth import JudgedHistory, MixParams
from stages.quality.verdicts import usable_sessions, verdict_alone
from stages.tables.forecasts import Calibrated, FreeWeights, Offsets, Quantiles

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
    params, name, mix = read_params(CalibrationParams), read_params(ForecasterName).name, read_params(MixParams)
    judged = read_params(JudgedHistory).history_days
    usable, bars = usable_sessions(read_json(REPORT, verdict_alone)), partitions_of(BARS, only=OF_BARS)
    symbols, answered_free = (read_distinct(path, ["symbol"])["symbol"].sort() for path in (QUANTILES, FREE_QUANTILES))

    given = {
        symbol: (*(Rows(Quantiles, path, symbol) for path in (QUANTILES, FREE_QUANTILES)), bars[symbol], usable[symbol])
        for symbol in {*symbols, *answered_free}  # a symbol that is never asked may be in the warm-up of the mix
    }
    known = [one for _, one in engine.each(OnTables(outcomes_of), given, "looking up outcomes")]
    horizons = horizons_of(known)
    rows, void = (sum(counts) for counts in zip(*((asked.rows, asked.void) for asked, _ in known), strict=True))
    del known  # large; the horizons hold a copy
    with temporary_frames(CALIBRATED) as store:
        work = OnTables(CorrectHorizon(params, symbols.to_list(), name, mix.eta, judged, store))
        corrected, free = zip(*engine.run(work, horizons, "calibrating").values(), strict=True)
        del horizons
        write_table_parts(Calibrated, parts_of(corrected), CALIBRATED)
        write_table_parts(Offsets, side_tables_of(corrected), OFFSETS)
        write_table_parts(Calibrated, parts_of(free), FREE)
        write_table_parts(FreeWeights, side_tables_of(free), FREE_WEIGHTS)
    times = len(params.methods)
    at_end, offsets = (sum(counts) for counts in zip(*(one.at_grid_end for one in corrected), strict=True))
    ends = {"widen_at_grid_end": f"{at_end}/{offsets}"} if "widen" in params.methods else {}
    say("calibrate", methods=times, rows=times * rows, void=times * void, **ends)


if __name__ == "__main__":
    run(main)
