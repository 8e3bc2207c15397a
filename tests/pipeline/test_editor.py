"""What the DVC extension of VS Code shows of a run: it types these commands and draws what they answer."""

import json
from pathlib import Path

import pytest
import yaml

from tests.pipeline.clone import Clone


@pytest.mark.journey  # two starts of DVC
def test_an_editor_sees_params_metrics_and_that_all_is_up_to_date(default_run: Clone):
    workspace = json.loads(default_run.sh("dvc exp show -n 1 --json 2>/dev/null"))[0]["data"]
    assert workspace["params"]["params.yaml"]["data"] == yaml.safe_load(default_run.text("params.yaml"))
    assert workspace["metrics"]["artifacts/evaluate/summary.json"]["data"]["verdict"] == "PASS"
    status = json.loads(default_run.sh("dvc data status --granular --unchanged --json 2>/dev/null"))
    assert list(status) == ["unchanged"]
    assert "artifacts/report/index.html" in status["unchanged"]


@pytest.mark.journey  # DVC's plots
def test_an_editor_draws_two_revisions_in_our_own_pictures(default_run: Clone, tmp_path: Path):
    answer = json.loads(default_run.sh(f"dvc plots diff HEAD workspace -o {tmp_path} --split --json 2>/dev/null"))
    assert sorted(answer["data"]) == ["coverage", "equity", "reliability"]
    for (picture,) in answer["data"].values():
        assert picture["content"]["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
        points = picture["anchor_definitions"]["<DVC_METRIC_DATA>"]
        assert {point["rev"] for point in points} == {"HEAD", "workspace"}
