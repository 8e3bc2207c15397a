"""Stage `forecast`: an answer to every question, from the answer store or by a budgeted, recorded request."""

from pathlib import Path

from stages.engine import engine
from stages.engine.engine import OnTables
from stages.forecasting.answering import ask_all, require_past_moves, require_scheduled, total_summary
from stages.forecasting.by_symbol import AnswerSymbol, asked_by_symbol
from stages.forecasting.local_backend import LocalBackend
from stages.io.files import PartitionedTables, read_json, read_table, write_json, write_table, write_table_parts
from stages.io.partitions import partitions_of
from stages.io.questions import read_questions
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.paid.batches import calls_by_session
from stages.paid.opening import open_backend, require_stated_search_span
from stages.params.forecaster import ForecasterParams
from stages.params.requests import RequestsParams
from stages.quality.verdicts import usable_sessions, verdict_alone
from stages.questions.market import Market
from stages.questions.window import OF_BARS
from stages.tables.contract import unpacked
from stages.tables.forecasts import Quantiles, Schedule
from stages.tables.market import Calendar
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
    forecaster, requests = read_params(ForecasterParams), read_params(RequestsParams)
    schedule, calendar = read_table(Schedule, SCHEDULE), read_table(Calendar, CALENDAR)
    usable, questions = usable_sessions(read_json(REPORT, verdict_alone)), read_questions(REQUESTS)
    require_scheduled(questions, schedule)
    require_past_moves(schedule, usable, calendar, requests.question_horizon_min, forecaster.lookback_sessions)
    if forecaster.is_paid:
        require_stated_search_span(schedule, calendar)
    bars = partitions_of(BARS, only=OF_BARS)
    features = partitions_of(FEATURES, only=("ts", *requests.hist_exog, *requests.futr_exog))

    backend = open_backend(forecaster, requests)
    market = Market(PartitionedTables(bars), PartitionedTables(features), usable, calendar)
    bought = None if isinstance(backend, LocalBackend) else ask_all(questions, market, backend)
    given = {
        symbol: (bars[symbol], features[symbol], asked)
        for symbol, asked in asked_by_symbol(questions, schedule, usable, bought).items()
    }
    work = OnTables(AnswerSymbol(forecaster, requests, calendar))
    answered = list(engine.run(work, given, "answering").values())

    write_table_parts(Quantiles, (unpacked(one.quantiles) for one in answered), QUANTILES)
    write_json(total_summary([one.summary for one in answered]), ANSWERS)
    write_table(Calls, calls_by_session(questions), CALLS)
    rows = sum(one.rows for one in answered)
    say("forecast", model=forecaster.model, questions=len(questions), **backend.took, rows=rows)


if __name__ == "__main__":
    run(main)
