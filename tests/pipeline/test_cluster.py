"""The whole pipeline with a real Dask cluster: the committed hashes, and no trace of the engine."""

import pytest

from tests.outside.cluster import cluster


@pytest.mark.journey
def test_the_run_on_a_cluster_gives_the_same_lock_and_another_engine_makes_nothing_stale(default_run, fresh, tmp_path):
    with cluster(tmp_path, code=fresh.path) as running:
        fresh.sh("dvc repro", ENGINE=running.engine)
    assert fresh.text("dvc.lock") == default_run.text("dvc.lock")
    assert "Data and pipelines are up to date" in fresh.sh("dvc repro", ENGINE="local:2")
    fresh.sh("echo local:2 > .engine")
    assert "Data and pipelines are up to date" in fresh.sh("dvc repro")
    assert fresh.sh("git status --porcelain -- . ':!dvc.lock'") == ""
