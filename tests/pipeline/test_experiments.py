"""Experiments as users run them; by name, by preset and as a sweep the README's walk runs them (test_walks.py)."""

import re

import polars as pl
import pytest


@pytest.mark.journey
def test_evidence_of_other_params_is_not_shown_under_this_study_s_name(clone):
    clone.sh("make run")
    clone.sh("python -m stages use synthetic_null")

    other = r"artifacts/ was made with other params .*: .*amplitude_bp.STRONG = 0.0 \(artifacts: 12.0\).*`make run`"
    assert re.search(other, clone.sh("make params"))
    assert re.search(rf"do not read the row `workspace`: {other}", clone.sh("make show"))
    for command in ("gate", "page", "compare workspace HEAD"):
        assert re.search(other, clone.sh(f"python -m stages {command}", code=5)), command


@pytest.mark.journey
def test_the_search_span_walked_through_stands_beside_the_same_ranking_and_strategy(clone):
    same = ("artifacts/sweep/ranking.csv", "artifacts/sweep/proposal.json", "artifacts/evaluate/oos.json")
    before = {path: clone.text(path) for path in same}
    clone.sh("dvc exp run -S split=walk_forward")
    folds = [line.split(",")[0] for line in clone.text("artifacts/sweep/walk_forward.csv").splitlines()]
    # 73 sessions: 30 to choose on, one between, four folds of ten and one of two
    assert folds == ["fold", "1", "2", "3", "4", "5", "all"]
    assert {path: clone.text(path) for path in same} == before


@pytest.mark.journey
def test_make_run_refuses_to_throw_an_applied_experiment_away(clone):
    clone.sh("sed -i 's/k_sigma: 0.5$/k_sigma: 1.0/' params.yaml")
    output = clone.sh("make run", code=2)
    assert "rules.k_sigma" in output
    assert "make params" in output
    clone.sh("make params")
    assert "up to date" in clone.sh("make run")


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


@pytest.mark.journey  # dvc runs up to the stage that reads the bars
def test_an_experiment_in_a_folder_of_its_own_finds_local_bars_and_is_of_the_other_params(clone):
    """A queued one has such a folder too."""
    folder = clone.path.parent / "bars"
    folder.mkdir()
    for path in (clone.path / "artifacts/fetch_bars/bars").glob("*.parquet"):
        months = pl.read_parquet(path).with_columns(month=pl.col("ts").dt.strftime("%Y-%m"))
        for (month,), bars in months.partition_by("month", as_dict=True).items():
            bars.drop("month").rename({"ts": "t"}).write_parquet(folder / f"{path.stem}-{month}.parquet")
    (clone.path / "conf/preset/local.yaml").write_text(LOCAL)
    clone.sh("make use PRESET=local && make refresh && git add -A && git commit -q -m 'local bars'")
    clone.sh("dvc exp run --temp -n apart -S rules.k_sigma=1.0 fetch_bars")
    assert "k_sigma: 0.5" in clone.text("params.yaml")
    params = clone.sh("git show $(git for-each-ref --format='%(refname)' refs/exps | grep /apart$):params.yaml")
    assert "k_sigma: 1.0" in params
    assert "study: local bars" in params
