"""`make study`: evidence is bought step by step from a real service on loopback, until the verdict is known."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.paid.demo_online import clone_to, python_in
from tests.support.timegpt_server import INPUT_SIZE, MODEL_HORIZON, TimeGPTServer

# five runs of real stages a study: what each part says is tested one by one in tests/worth and tests/commands
pytestmark = [pytest.mark.pipeline, pytest.mark.journey, pytest.mark.xdist_group("study")]

PRESET = """# @package _global_
defaults:
  - override /forecaster: timegpt
universe: {{symbols: [STRONG], whitelist: [STRONG], first_session: "2024-09-03", last_session: "2024-11-29"}}
requests: {{history_days: [5], snapshots_et: ["10:30", "13:30"], horizons_min: [10]}}
forecaster: {{base_url: "{url}", min_rows: 100, input_size: {rows}, model_horizon: {horizon}, lookback_sessions: 10}}
api: {{mode: online, cooldown_sec: 0.0, per_run: 100, per_day: {per_day}}}
calibration: {{method: identity, methods: [identity]}}
split: {{holdout_sessions: null, holdout_from: "2024-11-20", open_holdout: null}}
rules: {{history_days: 5, horizon_min: 10}}
sweep: {{grid: {{history_days: [5], horizon_min: [10]}}, prior_trials: 0, prior_sharpe_var: null}}
worth: {{delta: 0.5, planned_sessions: 30, notional: 10000.0, price_per_call: 0.01}}
report: {{study: grow}}
"""
A_DAY = 2  # requests: one a snapshot


def state_preset(folder: Path, server: TimeGPTServer, per_day: int) -> None:
    """A preset that buys from this server stands, with a limit."""
    text = PRESET.format(url=server.url, rows=INPUT_SIZE, horizon=MODEL_HORIZON, per_day=per_day)
    (folder / "conf/preset/grow.yaml").write_text(text)
    python_in(folder, "-m", "stages", "use", "grow").check_returncode()


def raise_limit(folder: Path, before: int, after: int) -> None:
    path = folder / "conf/preset/grow.yaml"
    path.write_text(path.read_text().replace(f"per_day: {before}", f"per_day: {after}"))
    python_in(folder, "-m", "stages", "params").check_returncode()


def study(folder: Path, step: int) -> tuple[int, str]:
    done = python_in(folder, "-m", "stages", "study", "--step", str(step))
    return done.returncode, done.stdout + done.stderr


def verdict_of(folder: Path) -> dict:
    return json.loads((folder / "artifacts/judge_worth/worth.json").read_text())


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, TimeGPTServer, list]]:
    """A clone whose study was stopped by its budget in the second step, and went on to its verdict."""
    folder = tmp_path_factory.mktemp("study") / "repository"
    clone_to(folder)
    with TimeGPTServer() as server:
        state_preset(folder, server, per_day=15)
        stopped = study(folder, 5), server.sent
        raise_limit(folder, 15, 1000)
        ended = study(folder, 5), server.sent
        yield folder, server, [stopped, ended]


def test_a_limit_of_the_budget_ends_a_step_and_the_next_study_goes_on_there(bought):
    _, _, ((stopped, requests), (ended, _)) = bought
    assert stopped[0] == 4, stopped[1]
    assert "study: 5 sessions, 10 calls: NOT YET KNOWN" in stopped[1]
    assert requests == 15, "the limit, and not one more"
    assert ended[0] == 0, ended[1]


def test_a_study_ends_with_the_verdict_and_buys_nothing_after_it_or_twice(bought):
    folder, server, (_, ((_, said), requests)) = bought
    verdict = verdict_of(folder)
    assert verdict["state"] == "NOT WORTH IT"
    steps = -(-verdict["sessions"] // 5)
    assert requests == 5 * steps * A_DAY + 1, "one asks for the model's own numbers"
    assert max(server.series_billed.values()) == 1
    assert verdict["calls"] == verdict["sessions"] * A_DAY
    flat = " ".join(said.split())
    assert "NOT WORTH IT (decided" in flat
    assert "git add conf params.yaml dvc.lock && git commit -m 'Study to" in flat


def test_a_finished_study_is_replayed_from_the_store_without_a_call(bought, tmp_path):
    folder, server, _ = bought
    other = tmp_path / "repository"
    clone_to(other)
    shutil.copytree(folder / ".dvc/cache/forecasts", other / ".dvc/cache/forecasts")
    state_preset(other, server, per_day=1000)
    before = server.sent
    code, said = study(other, 10)
    assert code == 0, said
    one, again = verdict_of(folder), verdict_of(other)
    assert (one["state"], one["decided_on"], one["e_small"]) == (again["state"], again["decided_on"], again["e_small"])
    asked = pl.read_parquet(folder / "artifacts/forecast/calls.parquet")["session"]
    further = pl.read_parquet(other / "artifacts/forecast/calls.parquet").filter(
        ~pl.col("session").is_in(asked.implode())
    )
    assert server.sent - before == further["calls"].sum(), "only what the longer step asked beyond"
    days = [
        pl.read_parquet(one / "artifacts/judge_worth/days.parquet").filter(cell="primary") for one in (folder, other)
    ]
    assert days[1].head(0).schema == days[0].schema
    assert days[1].join(days[0], on=["question", "session", "x", "log10_e_small"], how="semi").height == days[0].height


def test_a_study_is_no_new_trial_and_is_one_study_however_often_it_was_looked_at(bought):
    folder, _, _ = bought
    entries = [json.loads(path.read_text()) for path in (folder / ".dvc/cache/forecasts/trials").glob("*.json")]
    studies = [entry for entry in entries if "worth" in entry]
    assert {entry["worth"] for entry in studies} == {verdict_of(folder)["study_id"]}
    assert len({entry["sessions"] for entry in studies}) == len(studies) > 1, "an entry for each look"
