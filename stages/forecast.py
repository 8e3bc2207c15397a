"""Stage `forecast`: an answer to every question, from the answer store or by a budgeted, recorded request."""

from pathlib import Path

from stages.forecasting.answering import (
    COUNTED,
    answers_summary,
    ask_beside,
    benchmark_beside,
    by_symbol,
    quantile_table,
)
from stages.io.files import (
    PartitionedTables,
    read_frame,
    read_json,
    read_table,
    write_json,
    write_table,
    write_table_parts,
)
from stages.io.questions import read_questions
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.paid.batches import calls_by_session
from stages.paid.door import open_backend
from stages.params.forecaster import ForecasterParams
from stages.params.requests import RequestsParams
from stages.quality.verdicts import usable_sessions
from stages.questions.market import Market
from stages.tables.forecasts import Quantiles, Schedule
from stages.tables.market import Bars, Calendar
from stages.tables.worth import Calls

BARS = Path("artifacts/check_data/bars")
REPORT = Path("artifacts/check_data/dq_report.json")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")
FEATURES = Path("artifacts/build_features/features")
REQUESTS = Path("artifacts/build_requests/requests")
SCHEDULE = Path("artifacts/build_requests/schedule.parquet")
QUANTILES = Path("artifacts/forecast/quantiles.parquet")
ANSWERS = Path("artifacts/forecast/answers.json")
CALLS = Path("artifacts/forecast/calls.parquet")


def main() -> None:
    """Questions -> quantiles at every horizon, and those of the benchmark. The ledger records what was spent."""
    forecaster = read_params(ForecasterParams)
    requests = read_params(RequestsParams)
    schedule = read_table(Schedule, SCHEDULE)
    market = Market(
        bars=PartitionedTables.of(Bars, BARS),
        features=PartitionedTables.some(("ts", *requests.hist_exog, *requests.futr_exog), FEATURES),
        usable=usable_sessions(read_json(REPORT)),
        calendar=read_table(Calendar, CALENDAR),
    )

    questions = read_questions(REQUESTS)
    backend = open_backend(forecaster, requests)
    answers, benchmark = ask_beside(questions, schedule, market, backend, benchmark_beside(forecaster, requests))

    parts = (quantile_table(part, answers, benchmark, requests, forecaster) for part in by_symbol(schedule))
    write_table_parts(Quantiles, parts, QUANTILES)
    quantiles = read_frame(QUANTILES, COUNTED)
    write_json(answers_summary(answers, quantiles), ANSWERS)
    write_table(Calls, calls_by_session(questions), CALLS)
    say("forecast", model=forecaster.model, questions=len(answers), **backend.took, rows=quantiles.height)


if __name__ == "__main__":
    run(main)
