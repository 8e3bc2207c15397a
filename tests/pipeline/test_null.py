"""`make null` on a whole run: told, kept for the page, and nothing else touched."""

import json

import pytest


@pytest.mark.journey
def test_luck_is_told_and_kept_by_strategy_and_leaves_run_and_trial_log_as_they_were(clone):
    log = clone.path / ".dvc/cache/forecasts/trials"
    before = sorted(log.iterdir())
    said = clone.sh("make null TIMES=3 SEEDS=1")
    assert "null: of 3 replays with forecasts put to other dates, 0 pass" in said
    assert "null: of 1 markets of random walks" in said

    strategy = json.loads(clone.text("artifacts/evaluate/oos.json"))["strategy_id"]
    kept = json.loads(clone.text(f".dvc/cache/forecasts/null/{strategy}.json"))
    assert kept["dates"]["verdict"] == {"passed": 0, "n": 3, "share": 0.0, "ci": [0.0, 0.707598]}  # 1 - 0.025^(1/3)
    assert kept["markets"]["verdict"]["n"] == 1

    assert sorted(log.iterdir()) == before
    assert "up to date" in clone.sh("dvc status")
