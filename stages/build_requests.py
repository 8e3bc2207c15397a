"""Stage `build_requests`: the exact questions to ask, one small canonical file per symbol and snapshot."""

from pathlib import Path

import polars as pl

from stages.engine import engine
from stages.engine.engine import OnTables
from stages.io.files import read_json, read_table, write_table_parts
from stages.io.partitions import partitions_of
from stages.io.questions import write_questions
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.forecaster import ForecasterParams
from stages.params.quality import QualityParams
from stages.params.requests import RequestsParams
from stages.params.universe import AskedSymbols
from stages.quality.halts import halts_reported
from stages.quality.verdicts import usable_sessions, verdict_alone
from stages.questions.schedule import PerSymbol, lines_of, require_exogenous, require_questions
from stages.tables.contract import unpacked
from stages.tables.forecasts import Schedule
from stages.tables.market import Bars, Calendar

BARS = Path("artifacts/check_data/bars")
REPORT = Path("artifacts/check_data/dq_report.json")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")
FEATURES = Path("artifacts/build_features/features")
REQUESTS = Path("artifacts/build_requests/requests")
SCHEDULE = Path("artifacts/build_requests/schedule.parquet")


def main() -> None:
    """Bars and features -> one question per symbol, snapshot and history, each named by the md5 of its bytes."""
    requests = read_params(RequestsParams)
    forecaster = read_params(ForecasterParams)
    symbols = read_params(AskedSymbols).symbols
    quality = read_params(QualityParams)
    report = read_json(REPORT, verdict_alone)
    usable, halts = usable_sessions(report), halts_reported(report)
    calendar = read_table(Calendar, CALENDAR)
    sent = ("ts", "sigma_5m", *requests.hist_exog, *requests.futr_exog)
    bars, features = partitions_of(BARS, Bars), partitions_of(FEATURES, only=sent)

    require_exogenous(requests)
    plan = OnTables(PerSymbol(requests, forecaster.model_spec, quality, calendar))
    given = {symbol: (bars[symbol], features[symbol], usable[symbol], halts[symbol]) for symbol in symbols}
    planned = engine.run(plan, given, "planning questions")
    schedule = pl.concat(unpacked(part).select("session", "status", "key") for part, _ in planned.values())
    require_questions(schedule)
    write_questions((line for _, lines in planned.values() for line in lines_of(lines)), REQUESTS)
    write_table_parts(Schedule, (unpacked(part) for part, _ in planned.values()), SCHEDULE)
    say(
        "build_requests",
        snapshots=schedule.height,
        sessions=schedule["session"].n_unique(),
        questions=schedule["key"].drop_nulls().n_unique(),
        skipped=(schedule["status"] != "ok").sum(),
    )


if __name__ == "__main__":
    run(main)
