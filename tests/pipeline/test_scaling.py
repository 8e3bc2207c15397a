"""SCALING as a reader follows it: every command, in clean shells, with a real scheduler, two workers and a bucket."""

import psutil
import pytest

from tests.docs import steps
from tests.docs.blocks import ROOT, blocks, typed
from tests.docs.shell import shell
from tests.support.cluster import until
from tests.support.gcs_server import free_port, gcs_server

PAGE = [typed(block) for block in blocks(ROOT / "docs/SCALING.md")]
# fetch_bars, check_data, build_features, build_requests, forecast, forecast_free, calibrate for outcomes and for
# corrections, seal, judge_worth, score_forecasts, sweep, evaluate
RUNS_ON_THE_ENGINE = 13


@pytest.mark.journey  # a whole run by the workers
def test_the_cluster_of_the_page_runs_all_of_a_fresh_clone_to_the_lock_of_a_loop(fresh, smoke_run):
    fresh.sh("make use PRESET=smoke")
    port = str(free_port())
    (commands,) = (commands for commands in PAGE if any("dask worker" in command for command in commands))
    with shell(fresh.path) as reader:
        reader.walk([command.replace("8786", port) for command in commands], steps.DASK)
        until(lambda: not [one for one in psutil.process_iter(["cmdline"]) if port in str(one.info["cmdline"])])
    assert fresh.text("dvc.lock") == smoke_run.text("dvc.lock")
    assert fresh.text("artifacts/scheduler.log").count("Receive client connection") == RUNS_ON_THE_ENGINE

    with shell(fresh.path) as reader:
        reader.step("source .venv/bin/activate", steps.ACTIVE[1])
        said = reader.step("ENGINE=local:2 dvc repro", "up to date")
    assert "Running stage" not in said, "another engine makes nothing stale"


@pytest.mark.journey  # a run of the small preset, and what follows another rule
def test_the_other_commands_of_the_page_do_what_they_say(tmp_path, small):
    small.sh("sed -i 's/s_stop: 1.0$/s_stop: 1.5/' params.yaml")
    with gcs_server(tmp_path / "gcs.log") as url:
        google = {"STORAGE_EMULATOR_HOST": url, "FSSPEC_GS_TOKEN": "anon", "NO_GCE_CHECK": "true"}
        with shell(small.path, **google) as reader:
            others = [command for commands in PAGE if "mkdir -p artifacts" not in commands for command in commands]
            reader.walk(others[:4], steps.SCALING[:4])
            (small.path / ".engine").unlink()  # pools and buckets together: tests/engine/test_engines_agree.py
            reader.walk(others[4:], steps.SCALING[4:])
        assert "gs://team/partitions/" in small.text("artifacts/check_data/bars/manifest.json")
    assert small.sh("git status --porcelain -- . ':!dvc.lock' ':!params.yaml'") == ""
