"""Trials are counted for life, and no hashed file knows the count."""

import json

import pytest

LOG = ".dvc/cache/forecasts/trials"
pytestmark = pytest.mark.journey  # the default run, made anew where the code changed


def logged(clone) -> dict[str, str]:
    return {path.name: path.read_text() for path in (clone.path / LOG).glob("*.json")}


def test_a_run_logs_its_whole_grid_and_its_rule(default_run):
    entries = [json.loads(text) for text in logged(default_run).values()]
    tried = {variant.split("-")[1] for entry in entries for variant in entry.get("variants", [])}
    ranked = {line.split(",")[0] for line in default_run.text("artifacts/sweep/ranking.csv").splitlines()[1:]}
    stated = default_run.text("artifacts/backtest/bt_summary.csv").splitlines()[1].split(",")[0]
    assert tried == ranked | {stated}


def test_stages_restored_from_the_run_cache_are_logged_by_make_run(clone):
    before = logged(clone)
    clone.sh(f"rm -r {LOG} artifacts/sweep artifacts/backtest")
    assert "skipping" in clone.sh("dvc repro backtest sweep")
    assert logged(clone) == {}
    clone.sh("make run", code=None)
    assert logged(clone) == before


def test_two_clones_with_different_logs_write_the_same_bytes(clone, default_run):
    add = "from stages.trading.trials import Entry; from stages.runs.trial_log import open_log; "
    add += "from stages.params.api import ApiParams; from stages.io.settings import read_params; "
    add += "open_log(read_params(ApiParams)).add(Entry('synthetic', 'synthetic default', tuple(map(str, range(999)))))"
    clone.sh(f'python -c "{add}"')
    assert len(logged(clone)) > len(logged(default_run))
    clone.sh("dvc repro -f -s sweep backtest evaluate report")
    assert clone.text("dvc.lock") == default_run.text("dvc.lock")
