"""Stage `forecast`: answer every question, from the answer store or by a budgeted, recorded call."""

from pathlib import Path

from stages.forecasting.asking import COUNTED, answers_summary, ask_all, ask_benchmark, by_symbol, quantile_table
from stages.forecasting.params import ForecasterParams
from stages.outside.entry import run, say
from stages.outside.files import read_frame, read_json, read_table, write_json, write_table_parts
from stages.outside.paid.backends import open_backend
from stages.outside.question_files import read_questions
from stages.outside.settings import read_params
from stages.outside.tables_in import TablesIn
from stages.quality.verdicts import usable_sessions
from stages.requests.market import Market
from stages.requests.params import RequestsParams
from stages.tables.bars import Bars
from stages.tables.calendar import Calendar
from stages.tables.quantiles import Quantiles
from stages.tables.schedule import Schedule

BARS = Path("artifacts/check_data/bars")
REPORT = Path("artifacts/check_data/dq_report.json")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")
FEATURES = Path("artifacts/build_features/features")
REQUESTS = Path("artifacts/build_requests/requests")
SCHEDULE = Path("artifacts/build_requests/schedule.parquet")
QUANTILES = Path("artifacts/forecast/quantiles.parquet")
ANSWERS = Path("artifacts/forecast/answers.json")


def main() -> None:
    """Questions -> quantiles of every horizon, with the benchmark's beside them; what was spent is in the ledger."""
    forecaster = read_params(ForecasterParams)
    requests = read_params(RequestsParams)
    schedule = read_table(Schedule, SCHEDULE)
    market = Market(
        bars=TablesIn.of(Bars, BARS),
        features=TablesIn.some(("ts", *requests.hist_exog, *requests.futr_exog), FEATURES),
        usable=usable_sessions(read_json(REPORT)),
        calendar=read_table(Calendar, CALENDAR),
    )

    questions = read_questions(REQUESTS)
    backend = open_backend(forecaster)
    answers = ask_all(questions, schedule, market, backend)
    benchmark = ask_benchmark(questions, schedule, market, forecaster)

    parts = (quantile_table(part, answers, benchmark, requests, forecaster) for part in by_symbol(schedule))
    write_table_parts(Quantiles, parts, QUANTILES)
    quantiles = read_frame(QUANTILES, COUNTED)
    write_json(answers_summary(answers, quantiles), ANSWERS)
    say("forecast", model=forecaster.model, questions=len(answers), **backend.took, rows=quantiles.height)


if __name__ == "__main__":
    run(main)
