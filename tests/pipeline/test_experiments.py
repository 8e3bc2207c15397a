"""Experiments as users run them: by name, by preset, in the queue; failing gates included."""

import json
import re

import polars as pl
import pytest

OF_NAME = "git show $(git for-each-ref --format='%(refname)' refs/exps | grep /{}$):params.yaml | grep {}"


def shown(clone) -> str:
    return clone.sh("make show")


def test_a_changed_rule_is_another_experiment_with_another_result(clone):
    clone.sh("dvc exp run -n wide -S rules.k_sigma=1.0")
    rows = json.loads(clone.sh("dvc exp show --json 2>/dev/null"))
    assert "wide" in shown(clone)
    assert rows
    assert "k_sigma: 1.0" in clone.text("params.yaml")


def test_a_market_with_nothing_to_find_trades_nothing_is_saved_and_fails_the_gate(clone):
    output = clone.sh("make run PRESET=synthetic_null", code=2)
    assert "Error 3" in output
    assert len(clone.text("artifacts/backtest/bt_trades.csv").splitlines()) == 1
    assert "synthetic_null" in clone.sh("dvc exp list")
    assert "FAIL" in shown(clone)
    page = clone.text("artifacts/report/index.html")
    assert "FAIL" in page
    clone.sh("python -m stages.gate", code=3)

    assert "amplitude_bp.STRONG = 12.0 (artifacts: 0.0)" in clone.sh("make params")
    other = r"artifacts/ is of other params than params.yaml: .*amplitude_bp.STRONG = 12.0 .*: `make run`"
    assert re.search(rf"do not read the row `workspace`: {other}", shown(clone))
    for command in ("gate", "commands.page", "commands.compare workspace HEAD"):
        assert re.search(other, clone.sh(f"python -m stages.{command}", code=5)), command


@pytest.mark.journey
def test_the_search_span_walked_through_stands_beside_the_same_ranking_and_strategy(clone):
    same = ("artifacts/sweep/ranking.csv", "artifacts/sweep/proposal.json", "artifacts/evaluate/oos.json")
    before = {path: clone.text(path) for path in same}
    clone.sh("dvc exp run -S split=walk_forward")
    folds = [line.split(",")[0] for line in clone.text("artifacts/sweep/walk_forward.csv").splitlines()]
    # 73 sessions: 30 to choose on, one between, four folds of ten and one of two
    assert folds == ["fold", "1", "2", "3", "4", "5", "all"]
    assert {path: clone.text(path) for path in same} == before


def test_make_run_refuses_to_throw_an_applied_experiment_away(clone):
    clone.sh("dvc exp run -n wide -S rules.k_sigma=1.0")
    output = clone.sh("make run", code=2)
    assert "rules.k_sigma" in output
    assert "make params" in output
    clone.sh("make params")
    clone.sh("make run")


def test_a_preset_in_use_stays_the_market_under_a_later_override(clone):
    clone.sh("make use PRESET=smoke")
    clone.sh("dvc exp run -n smoke_wide -S rules.k_sigma=1.0", code=None)
    params = clone.text("params.yaml")
    assert "study: smoke" in params
    assert "k_sigma: 1.0" in params


LOCAL = """# @package _global_
defaults:
  - smoke
  - override /source: parquet
source:
  name: local
  uri_template: "../bars/{symbol}-{yyyy}-{mm}.parquet"
  aliases: {t: ts}
report:
  study: local bars
"""


def test_queued_experiments_on_local_bars_find_them_from_their_own_folder_and_really_differ(clone):
    folder = clone.path.parent / "bars"
    folder.mkdir()
    for path in (clone.path / "artifacts/fetch_bars/bars").glob("*.parquet"):
        months = pl.read_parquet(path).with_columns(month=pl.col("ts").dt.strftime("%Y-%m"))
        for (month,), bars in months.partition_by("month", as_dict=True).items():
            bars.drop("month").rename({"ts": "t"}).write_parquet(folder / f"{path.stem}-{month}.parquet")
    (clone.path / "conf/preset/local.yaml").write_text(LOCAL)
    clone.sh("make use PRESET=local && make refresh && git add -A && git commit -q -m 'local bars'")
    clone.sh("dvc exp run --queue -S 'rules.k_sigma=0.5,1.0' && dvc exp run --run-all")
    names = clone.sh("dvc exp list --name-only").split()
    values = {clone.sh(OF_NAME.format(name, "k_sigma:")) for name in names}
    assert len(names) == len(values) == 2
    assert "local bars" in clone.sh(OF_NAME.format(names[0], "study:"))
