"""SCALING as a reader follows it: every command, with a real scheduler, two workers and a bucket on loopback."""

import psutil
import pytest

from tests.docs.blocks import ROOT, blocks
from tests.outside.gcs_server import free_port, gcs_server
from tests.pipeline.clone import clone_working_tree


@pytest.mark.journey
def test_scaling_can_be_typed_from_top_to_bottom(tmp_path):
    clone = clone_working_tree(tmp_path / "repo")
    clone.sh("make use PRESET=smoke && mkdir -p artifacts")
    port, typed = str(free_port()), 0
    with gcs_server(tmp_path / "gcs.log") as url:
        bucket = {"STORAGE_EMULATOR_HOST": url, "FSSPEC_GS_TOKEN": "anon", "NO_GCE_CHECK": "true"}
        for block in blocks(ROOT / "docs/SCALING.md"):
            if not block.note.startswith("not run"):
                clone.sh("\n".join(["set -e", *block.commands]).replace("8786", port), **bucket)
                typed += len(block.commands)
        assert typed == 10
        manifest = clone.text("artifacts/check_data/bars/manifest.json")
    assert "gs://team/partitions/" in manifest
    assert not [process.info for process in psutil.process_iter(["cmdline"]) if port in str(process.info["cmdline"])]
    assert "Dask" not in clone.text("dvc.lock")
