"""Stage `forecast_free`: free forecasters answer the asked questions, and those of a warm-up before them.

A program of the user's among them is run by this process, once, over the answer store.
"""

from pathlib import Path

from stages.engine import engine
from stages.engine.engine import OnTables
from stages.forecasting.free import FreeSettings, Known, Packed, PerSymbol
from stages.forecasting.program_candidate import ask_program, with_program
from stages.io.files import PartitionedTables, read_json, read_table, write_table_parts
from stages.io.partitions import partitions_of
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.paid.opening_program import open_program
from stages.params.forecaster import COMMAND, LocalParams
from stages.params.quality import QualityParams
from stages.params.requests import RequestsParams
from stages.params.worth import FreeParams
from stages.quality.halts import halts_reported
from stages.quality.verdicts import usable_sessions, verdict_alone
from stages.questions.market import Market
from stages.tables.contract import unpacked
from stages.tables.forecasts import Quantiles, Schedule
from stages.tables.market import Bars, Calendar

BARS = Path("artifacts/check_data/bars")
REPORT = Path("artifacts/check_data/dq_report.json")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")
FEATURES = Path("artifacts/build_features/features")
SCHEDULE = Path("artifacts/build_requests/schedule.parquet")
QUANTILES = Path("artifacts/forecast_free/quantiles.parquet")
SENT = ("ts", "sigma_5m")


def main() -> None:
    """Schedule and bars -> quantiles of every candidate at every asked snapshot and in the warm-up before them."""
    free, local = read_params(FreeParams), read_params(LocalParams)
    settings = FreeSettings(free, local, read_params(RequestsParams), read_params(QualityParams))
    report = read_json(REPORT, verdict_alone)
    usable, halts = usable_sessions(report), halts_reported(report)
    calendar, schedule = read_table(Calendar, CALENDAR), read_table(Schedule, SCHEDULE)
    bars, features = partitions_of(BARS, Bars), partitions_of(FEATURES, only=SENT)

    given = {
        symbol: (bars[symbol], features[symbol], Known(usable[symbol], halts[symbol], rows))
        for (symbol,), rows in schedule.partition_by("symbol", as_dict=True).items()
    }
    answer = OnTables(Packed(PerSymbol.of(settings, calendar, schedule)))
    answered = engine.run(answer, given, "asking free forecasters")
    market = Market(PartitionedTables(bars), PartitionedTables(features), usable, calendar)
    program = open_program(local) if COMMAND in free.candidates else None
    answers = ask_program((planned for _, planned in answered.values()), market, program) if program else {}
    parts = (with_program(unpacked(table), planned, answers, settings.requests) for table, planned in answered.values())
    write_table_parts(Quantiles, parts, QUANTILES)
    snapshots = sum(planned.snapshots.height for _, planned in answered.values())
    rows = snapshots * len(free.candidates) * len(settings.requests.horizons_min)
    took = {"computed": program.computed} if program else {}
    say("forecast_free", candidates=len(free.candidates), snapshots=snapshots, rows=rows, **took)


if __name__ == "__main__":
    run(main)
