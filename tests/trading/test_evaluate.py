"""Stages `evaluate` and the gate as programs, on a run with nothing to find: sealed, unreadable or never made."""

import json
import shutil
import types
from pathlib import Path

import polars as pl
import pytest
import yaml

from stages import evaluate
from stages.io import settings
from stages.io.content import content_hash
from stages.io.files import read_table, write_csv, write_json, write_table
from stages.io.object_store import LocalStore
from stages.runs.trial_log import TrialLog
from stages.tables.forecasts import QUANTILES, Calibrated, Scored
from stages.tables.market import Bars, Calendar
from stages.tables.trades import Trades
from tests.reporting.records import SESSIONS, bars, forecasts, instant
from tests.support.folders import state_study, write_tables
from tests.support.locks import record_run
from tests.support.programs import run_module
from tests.trading.books import WHITELIST, calendar
from tests.trading.test_outcome import CONTROLS, forecast_gates
from tests.worth.test_verdict_lines import NOT_WORTH

ROOT = Path(__file__).parents[2]


def read(folder: Path, name: str):
    return json.loads((folder / "artifacts/evaluate" / name).read_text())


@pytest.fixture
def nothing_found(tmp_path: Path) -> Path:
    """The artifacts of a run whose forecasts all fail their gates, without any sealed span of the holdout."""
    artifacts = tmp_path / "artifacts"
    (tmp_path / ".dvc").mkdir()
    state_study(tmp_path, (ROOT / "params.yaml").read_text())
    search = artifacts / "seal/search"
    write_tables(Bars, {symbol: Bars.create_empty() for symbol in WHITELIST}, search / "bars")
    write_table(Scored, Scored.create_empty(), search / "calibrated.parquet")
    write_table(Calendar, calendar(30), search / "calendar.parquet")
    write_json({"holdout": {"all": 30}}, search / "span.json")
    write_json({"symbols": {}}, artifacts / "check_data/dq_report.json")
    write_json({"files": []}, artifacts / "list_source/manifest.json")
    write_json({"pooled": [], "free": [], "controls": CONTROLS}, artifacts / "score_forecasts/metrics.json")
    gates = forecast_gates(STRONG="FAIL", WEAK="FAIL", NULL="FAIL")
    write_json(gates, artifacts / "score_forecasts/forecast_gates.json")
    (artifacts / "sweep").mkdir()
    figures = "combo,cost_mult,dsr,pbo,spa_p,trials,effective_trials\nab12,1.0,,,,1,\n"
    (artifacts / "sweep/ranking.csv").write_text(figures)
    write_csv(Trades.create_empty(), artifacts / "backtest/bt_trades.csv")
    return tmp_path


def test_with_nothing_found_the_run_ends_well_the_gate_fails_and_the_holdout_stays_sealed(nothing_found):
    """There is no holdout to read here, so whoever tried would fail."""
    done = run_module(nothing_found, "stages.evaluate")
    assert done.returncode == 0, done.stderr
    assert read(nothing_found, "gates.json")["verdict"] == "FAIL"
    assert read(nothing_found, "oos.json")["status"] == "SEALED"
    assert read(nothing_found, "summary.json")["trades"] == 0

    worth = nothing_found / "artifacts/judge_worth/worth.json"
    write_json(NOT_WORTH, worth)
    record_run(nothing_found)
    digest = content_hash(worth)
    kept = nothing_found / f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}"
    kept.parent.mkdir(parents=True)
    shutil.copy(worth, kept)
    gate = run_module(nothing_found, "stages.gate")
    assert gate.returncode == 3
    assert "forecast" in gate.stdout
    assert "the verdict is FAIL: forecast. The text" in gate.stderr, "only what failed, not what is sealed"
    assert "SEALED" in gate.stdout
    assert "open-holdout" not in gate.stdout + gate.stderr, "nobody opens a holdout after a FAIL"
    assert "Traceback" not in gate.stderr
    log = TrialLog(LocalStore(nothing_found / ".dvc/cache/forecasts"), None)
    assert [entry.worth for entry in log.entries()] == [NOT_WORTH["study_id"]], "who looks at a restored run has tried"


def test_naming_the_strategy_puts_its_opening_on_record_and_then_makes_evaluate_ask_for_the_holdout(nothing_found):
    """There is no holdout, so evaluate fails where it reads it; by then the log must hold the opening."""
    assert run_module(nothing_found, "stages.evaluate").returncode == 0
    name = read(nothing_found, "oos.json")["strategy_id"]
    params = nothing_found / "params.yaml"
    lines = [f"  open_holdout: {name}" if "open_holdout:" in line else line for line in params.read_text().splitlines()]
    state_study(nothing_found, "\n".join(lines) + "\n")
    log = TrialLog(LocalStore(nothing_found / ".dvc/cache/forecasts"), None)
    assert log.entries() == []
    done = run_module(nothing_found, "stages.evaluate")
    assert done.returncode == 2
    assert "seal/holdout" in done.stderr
    assert [entry.opening for entry in log.entries()] == [name]


def test_the_gate_of_a_run_that_never_was_says_what_to_do(tmp_path):
    done = run_module(tmp_path, "stages.gate")
    assert done.returncode == 5
    assert "params.yaml is missing, so nothing ran here: run `make run`" in done.stderr


class Held:
    """The run of a strategy that trades STRONG, with two months held out; `evaluate` runs in this process."""

    months = types.MappingProxyType(
        {name: [day for day in SESSIONS if day.month == month] for name, month in (("2024-12", 12), ("2025-01", 1))}
    )

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder, self.holdout = folder, folder / "artifacts/seal/holdout"
        self.params = yaml.safe_load((folder / "params.yaml").read_text())
        self.log = TrialLog(LocalStore(folder / ".dvc/cache/forecasts"), None)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("DVC_ROOT", str(folder))
        gates = forecast_gates(STRONG="PASS", WEAK="FAIL", NULL="FAIL")
        write_json(gates, folder / "artifacts/score_forecasts/forecast_gates.json")
        usable = [{"session": str(day), "dropped": False} for day in SESSIONS]
        report = {"symbols": {symbol: {"days": usable} for symbol in WHITELIST}}
        write_json(report, folder / "artifacts/check_data/dq_report.json")
        for name, days in self.months.items():
            self.seal(name, days)
        self.hold({name: len(days) for name, days in self.months.items()}, holdout_months=2)

    def seal(self, name: str, days: list) -> None:
        part = self.holdout / name
        write_tables(Bars, {symbol: bars(symbol, tuple(days)) for symbol in WHITELIST}, part / "bars")
        rising = (
            forecasts().filter(pl.col("session").is_in(days)).with_columns(pl.col(*QUANTILES) + 40.0)
        )  # worth a trade
        write_table(Calibrated, rising, part / "calibrated.parquet")
        table = {"session": days, "open_utc": [instant(day, 0) for day in days], "n_bars": [390] * len(days)}
        hours = {"close_utc": [instant(day, 390) for day in days], "is_half": [False] * len(days)}
        write_table(Calendar, pl.DataFrame(table | hours), part / "calendar.parquet")

    def hold(self, held: dict[str, int], **key: object) -> None:
        write_json({"holdout": held}, self.folder / "artifacts/seal/search/span.json")
        self.params["split"] |= {"holdout_sessions": None, "holdout_from": None, "holdout_months": None, **key}

    def run(self, open_for: object) -> dict:
        """oos.json of the strategy with this `split.open_holdout`."""
        self.params["split"]["open_holdout"] = open_for
        state_study(self.folder, yaml.safe_dump(self.params))
        settings.read_document.cache_clear()
        evaluate.main()
        settings.read_document.cache_clear()
        return read(self.folder, "oos.json")

    def spans(self) -> list[str]:
        table = pl.read_csv(self.folder / "artifacts/evaluate/portfolio.csv")
        return table["span"].unique(maintain_order=True).to_list()

    def openings(self) -> set[tuple[str | None, str | None]]:
        return {(entry.opening, entry.month) for entry in self.log.entries()}


@pytest.fixture
def held(nothing_found: Path, monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(nothing_found, monkeypatch)


def test_of_two_months_one_opens_alone_and_of_the_other_nothing_is_read(held: Held):
    """The closed month is not even there, so whoever tried to read it would fail."""
    name = held.run(None)["strategy_id"]
    assert (held.openings(), held.spans()) == (set(), ["search"])
    shutil.rmtree(held.holdout / "2025-01")

    told = held.run({"2024-12": name, "2025-01": "s00000000abc"})

    assert (told["status"], told["kpis"], list(told["months"])) == ("SEALED", None, ["2024-12"])
    assert told["months"]["2024-12"]["sessions"] == [str(day) for day in held.months["2024-12"]]
    assert told["months"]["2024-12"]["forecasts"][0]["n"] == 4 * len(held.months["2024-12"])  # four snapshots a day
    assert held.spans() == ["search", "2024-12"]
    assert held.openings() == {(name, "2024-12")}
    gates = read(held.folder, "gates.json")["gates"]
    assert (gates["oos_sharpe"]["verdict"], gates["oos_sharpe"]["words"]) == ("SEALED", told["words"])


@pytest.mark.journey  # several books of two months are evaluated
def test_two_open_months_are_judged_together_and_told_apart_however_they_were_opened(held: Held):
    name = held.run(None)["strategy_id"]
    by_month = held.run(dict.fromkeys(held.months, name))
    at_once = held.run(name)

    assert by_month["status"] == "OPEN"
    assert by_month | {"open_for": name} == at_once
    assert held.spans() == ["search", "holdout", "2024-12", "2025-01"]
    assert held.openings() == {(name, "2024-12"), (name, "2025-01")}
    months = by_month["months"].values()
    assert by_month["kpis"]["trades"] == sum(month["kpis"]["trades"] for month in months) > 0
    assert by_month["forecasts"][0]["n"] == sum(month["forecasts"][0]["n"] for month in months)
    assert read(held.folder, "gates.json")["gates"]["hit_rate"]["n"] == by_month["kpis"]["trades"]


@pytest.mark.journey  # several books of two months are evaluated
def test_a_month_without_forecasts_of_the_stated_history_is_one_without_trades(held: Held):
    """A month of one day, say, whose longer history lacked a session: the shorter one was asked, and not traded."""
    name, part = held.run(None)["strategy_id"], held.holdout / "2025-01/calibrated.parquet"
    rows = read_table(Calibrated, part)
    write_table(Calibrated, rows.with_columns(history_days=pl.lit(7, dtype=pl.Int32)), part)

    told = held.run(name)

    assert told["status"] == "OPEN"
    assert told["months"]["2025-01"]["kpis"]["trades"] == 0
    assert told["kpis"]["trades"] == told["months"]["2024-12"]["kpis"]["trades"] > 0
    assert told["forecasts"] == told["months"]["2024-12"]["forecasts"]


@pytest.mark.journey  # several books of two months are evaluated
def test_days_that_the_model_was_trained_on_have_rows_of_their_own_and_no_say_in_the_name(held: Held):
    name = held.run(None)["strategy_id"]
    held.params["forecaster"]["trained_until"] = "2024-12-10"

    assert held.run(None)["strategy_id"] == name
    assert held.spans() == ["search", "search_before_training", "search_after_training"]
    table = pl.read_csv(held.folder / "artifacts/evaluate/portfolio.csv").filter(symbol="PORTFOLIO")
    assert table["sessions"].to_list() == [30, 9, 21]


def test_a_holdout_that_has_not_begun_stays_sealed_for_the_strategy_that_params_name(held: Held):
    shutil.rmtree(held.holdout)
    held.hold({"all": 0}, holdout_from="2030-01-02")
    name = held.run(None)["strategy_id"]

    told = held.run(name)

    assert (told["open_for"], told["status"], held.openings()) == (name, "SEALED", set())
    assert "not begun" in told["words"]
