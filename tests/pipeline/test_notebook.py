"""The example notebook runs from its folder after a run, and a run read as frames is what the files hold."""

import csv
import json
import sys

import pytest

KEYS = {  # what docs/NOTEBOOK.md says that a row is of
    "forecasts": ["symbol", "snapshot_utc", "horizon_min", "history_days", "model"],
    "daily": ["session", "symbol"],
    "portfolio": ["span", "symbol"],
    "worth_days": ["question", "cell", "session"],
}
CELLS = (
    f"KEYS = {KEYS}"
    """
import json
cells = json.load(open("read_a_run.ipynb"))["cells"]
exec("\\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))
head = read.run("HEAD")
experiment = read.run("one")
print(json.dumps({
    "here": here.trades["net_bp"].to_list(),
    "gates": dict(here.gates.select("gate", "words").iter_rows()),
    "head": head.trades["net_bp"].to_list(),
    "stop": experiment.params["rules"]["s_stop"],
    "snapshots": by_snapshot["trades"].sum(),
    "repeated": [name for name, keys in KEYS.items() if getattr(here, name).select(keys).is_duplicated().any()],
    "shown": repr(here),
    "models": sorted(set(widths["model"])),
}))
"""
)


@pytest.mark.journey  # dvc runs an experiment
def test_the_example_notebook_runs_and_reads_the_workspace_a_commit_and_an_experiment(clone):
    clone.sh("git add -A && git commit -q --allow-empty -m run")
    clone.sh("dvc exp run -n one -S rules.s_stop=1.5 evaluate judge_worth && git checkout -q . && dvc checkout -q")
    (clone.path / "cells.py").write_text(CELLS)
    said = json.loads(clone.sh(f"cd examples && {sys.executable} ../cells.py 2>/dev/null").splitlines()[-1])

    trades = list(csv.DictReader(clone.text("artifacts/backtest/bt_trades.csv").splitlines()))
    earned = [float(trade["net_bp"]) for trade in trades]
    gates = json.loads(clone.text("artifacts/evaluate/gates.json"))["gates"]
    assert len(earned) > 100
    assert said["here"] == said["head"] == pytest.approx(earned)
    assert said["gates"] == {name: gate["words"] for name, gate in gates.items()}
    assert said["stop"] == 1.5
    assert said["snapshots"] == len(earned)
    assert said["repeated"] == []
    assert said["models"] == ["persistence", "seasonal"], "which are not averaged"
    assert said["shown"] == "Run(name='workspace', verdict='PASS')"
