"""Stages `evaluate` and the gate as processes, on a run with nothing to find: sealed, unreadable or never made."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.outside.files import write_csv, write_json, write_table, write_tables
from stages.outside.places import Folder
from stages.outside.runs.trials import TrialLog
from stages.tables.bars import Bars
from stages.tables.calendar import Calendar
from stages.tables.calibrated import Calibrated
from stages.tables.trades import Trades
from tests.outside.locks import record_run
from tests.portfolio.books import WHITELIST, calendar
from tests.portfolio.test_outcome import CONTROLS, forecast_gates

ROOT = Path(__file__).parents[2]


def run(module: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", module], cwd=folder, env=env, capture_output=True, text=True)


def read(folder: Path, name: str):
    return json.loads((folder / "artifacts/evaluate" / name).read_text())


@pytest.fixture
def nothing_found(tmp_path: Path) -> Path:
    """The artifacts of a run whose forecasts all fail their gates, without any envelope of the holdout."""
    artifacts = tmp_path / "artifacts"
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    search = artifacts / "seal/search"
    write_tables(Bars, {symbol: Bars.create_empty() for symbol in WHITELIST}, search / "bars")
    write_table(Calibrated, Calibrated.create_empty(), search / "calibrated.parquet")
    write_table(Calendar, calendar(30), search / "calendar.parquet")
    write_json({"files": []}, artifacts / "list_source/manifest.json")
    write_json({"pooled": [], "controls": CONTROLS}, artifacts / "score_forecasts/metrics.json")
    gates = forecast_gates(STRONG="FAIL", WEAK="FAIL", NULL="FAIL")
    write_json(gates, artifacts / "score_forecasts/forecast_gates.json")
    (artifacts / "sweep").mkdir()
    (artifacts / "sweep/ranking.csv").write_text("combo,dsr,pbo,spa_p,trials,effective_trials\nab12,,,,1,\n")
    write_csv(Trades.create_empty(), artifacts / "backtest/bt_trades.csv")
    return tmp_path


def test_with_nothing_found_the_run_ends_well_the_gate_does_not_and_nobody_looked_at_the_holdout(nothing_found):
    """There is no holdout to read here, so whoever tried would fail."""
    done = run("stages.evaluate", nothing_found)
    assert done.returncode == 0, done.stderr
    assert read(nothing_found, "gates.json")["verdict"] == "FAIL"
    assert read(nothing_found, "oos.json")["status"] == "SEALED"
    assert read(nothing_found, "summary.json")["trades"] == 0

    record_run(nothing_found)
    gate = run("stages.gate", nothing_found)
    assert gate.returncode == 3
    assert "forecast" in gate.stdout
    assert "the verdict is FAIL: forecast. The words" in gate.stderr, "only what failed, not what is sealed"
    assert "SEALED" in gate.stdout
    assert "open-holdout" not in gate.stdout + gate.stderr, "nobody opens a holdout after a FAIL"
    assert "Traceback" not in gate.stderr


def test_naming_the_strategy_puts_its_opening_on_record_and_then_makes_evaluate_ask_for_the_holdout(nothing_found):
    """There is no holdout, so evaluate fails where it reads it; by then the log must hold the opening."""
    (nothing_found / ".dvc").mkdir()
    assert run("stages.evaluate", nothing_found).returncode == 0
    name = read(nothing_found, "oos.json")["strategy_id"]
    params = nothing_found / "params.yaml"
    lines = [f"  open_holdout: {name}" if "open_holdout:" in line else line for line in params.read_text().splitlines()]
    params.write_text("\n".join(lines) + "\n")
    log = TrialLog(Folder(nothing_found / ".dvc/cache/forecasts"), None)
    assert log.entries() == []
    done = run("stages.evaluate", nothing_found)
    assert done.returncode == 2
    assert "seal/holdout" in done.stderr
    assert [entry.opening for entry in log.entries()] == [name]


def test_the_gate_of_a_run_that_never_was_says_what_to_do(tmp_path):
    done = run("stages.gate", tmp_path)
    assert done.returncode == 5
    assert "params.yaml is missing, so nothing ran here: `make run`" in done.stderr
