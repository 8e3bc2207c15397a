"""Stage `judge_worth` as a program, on a search span that does not ask the judged history."""

from pathlib import Path

import polars as pl

from stages.io.files import write_json, write_table
from stages.tables.forecasts import Scored
from stages.tables.market import Bars, Calendar
from tests.architecture.dependencies import ROOT
from tests.reporting.records import forecasts
from tests.support.folders import state_study, write_tables
from tests.support.programs import run_module
from tests.trading.books import WHITELIST, calendar


def test_a_judged_history_that_the_search_span_does_not_ask_is_refused_in_a_sentence(tmp_path: Path):
    """No free forecast stands beside it either."""
    (tmp_path / ".dvc").mkdir()
    state_study(tmp_path, (ROOT / "params.yaml").read_text())
    search = tmp_path / "artifacts/seal/search"
    write_tables(Bars, {symbol: Bars.create_empty() for symbol in WHITELIST}, search / "bars")
    write_table(Scored, forecasts().with_columns(history_days=pl.lit(5, pl.Int32)), search / "calibrated.parquet")
    write_table(Scored, Scored.create_empty(), search / "free.parquet")
    write_table(Calendar, calendar(30), search / "calendar.parquet")
    write_json({"holdout": {"all": 30}}, search / "span.json")

    done = run_module(tmp_path, "stages.judge_worth")

    assert done.returncode != 0
    assert "rules.history_days asks for 40, but the forecasts have history_days 5" in done.stderr
    assert "Traceback" not in done.stderr
