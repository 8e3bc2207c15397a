"""`make null` on a whole run: told, kept for the page, and nothing else touched."""

import json
import re

import pytest


@pytest.mark.journey
def test_luck_is_reported_and_kept_by_strategy_and_leaves_run_and_trial_log_as_they_were(clone):
    log = clone.path / ".dvc/cache/forecasts/trials"
    before = sorted(log.iterdir())
    said = clone.sh("make null TIMES=3 SEEDS=1")
    assert "null: of 3 replays with forecasts moved to other dates pass" in said
    assert "null: of 1 markets of random walks pass" in said
    assert re.search(r"0 +0\.0 to 97\.5 % +5 % +the buyer's verdict: WORTH IT", said)

    strategy = json.loads(clone.text("artifacts/evaluate/oos.json"))["strategy_id"]
    kept = json.loads(clone.text(f".dvc/cache/forecasts/null/{strategy}.json"))
    assert kept["dates"]["verdict"] == {"passed": 0, "n": 3, "share": 0.0, "ci": [0.0, 0.707598]}  # 1 - 0.025^(1/3)
    assert kept["markets"]["worth"] == {"passed": 0, "n": 1, "share": 0.0, "ci": [0.0, 0.975]}

    assert sorted(log.iterdir()) == before
    assert "up to date" in clone.sh("dvc status")
