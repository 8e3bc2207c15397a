"""Stage `build_requests`: the exact questions to ask, one small canonical file per symbol and snapshot."""

from pathlib import Path

from stages.forecasting.params import ForecasterParams
from stages.outside.entry import run, say
from stages.outside.files import read_frames, read_json, read_table, read_tables, write_table
from stages.outside.question_files import write_questions
from stages.outside.settings import read_params
from stages.quality.params import QualityParams
from stages.quality.verdicts import usable_sessions
from stages.requests.market import Market
from stages.requests.params import RequestsParams
from stages.requests.schedule import plan_questions
from stages.tables.bars import Bars
from stages.tables.calendar import Calendar
from stages.tables.schedule import Schedule
from stages.universe.params import UniverseParams

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
    universe = read_params(UniverseParams)
    quality = read_params(QualityParams)
    market = Market(
        bars=read_tables(Bars, BARS),
        features=read_frames(FEATURES),
        usable=usable_sessions(read_json(REPORT)),
        calendar=read_table(Calendar, CALENDAR),
    )

    schedule, questions = plan_questions(market, universe.symbols, requests, forecaster.respondent, quality)

    write_questions(questions, REQUESTS)
    write_table(Schedule, schedule, SCHEDULE)
    say(
        "build_requests",
        snapshots=schedule.height,
        sessions=schedule["session"].n_unique(),
        questions=len(questions),
        skipped=(schedule["status"] != "ok").sum(),
    )


if __name__ == "__main__":
    run(main)
