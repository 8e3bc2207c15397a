"""`make collect-partitions`: only what no recorded run names may go, and first it is only named."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import fsspec
import polars as pl
import pytest
import yaml

from stages.commands import source
from stages.errors import ConfigurationError
from stages.io import settings
from stages.io.partitions import Partition, Writer, staged
from stages.params.storage import StorageParams
from stages.runs import garbage
from tests.support.gcs_server import BUCKET, gcs_server

ROOT = f"gs://{BUCKET}/partitions"
BARS = Path("artifacts/check_data/bars")


@pytest.fixture(autouse=True)
def params_as_they_are_now() -> None:
    """A command is a process of its own and reads params.yaml anew; here several share one."""
    settings.read_document.cache_clear()


@pytest.fixture
def bucket(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with gcs_server(tmp_path_factory.mktemp("gcs") / "log") as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "anon", "endpoint_url": url})
        fsspec.filesystem("gs").clear_instance_cache()
        monkeypatch.setattr(garbage, "OLDEST_RUN", timedelta(seconds=-60))
        monkeypatch.setattr(source, "OLDEST_RUN", timedelta(seconds=-60))
        yield url


def written(number: int) -> Partition:
    return Writer(ROOT, in_bucket=True).write(f"S{number}", pl.DataFrame({"x": [number]}))


def there() -> set[str]:
    files = fsspec.filesystem("gs")
    files.invalidate_cache()
    return {f"gs://{name}" for name in files.find(ROOT)}


def recorded(
    project, part: Partition, out: Path = BARS, below: str = "", *, stated: str | None = ROOT, at_run: str | None = ROOT
) -> Path:
    """Commit a run whose only manifest names this partition, as DVC would; where its manifest lies in the cache.

    `stated` is the root in params.yaml beside the lock, `at_run` that of the run.
    """
    with staged(out / below, StorageParams(root=ROOT)) as stage:
        stage.keep([part])
    digests = []
    for content in (out / below / "manifest.json").read_bytes(), None:
        listed = [
            {"md5": "0" * 32, "relpath": "span.json"},
            {"md5": (*digests, "")[0], "relpath": f"{below}manifest.json"},
        ]
        content = content or json.dumps(listed if below else listed[1:]).encode()
        digests.append(hashlib.md5(content).hexdigest() + ".dir" * len(digests))
        path = project.path / ".dvc/cache/files/md5" / digests[-1][:2] / digests[-1][2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    facts = {"path": str(out), "md5": digests[1], "nfiles": 2 if below else 1}
    stage = {"params": {"params.yaml": {"storage": {"root": at_run}}}, "outs": [facts]}
    (project.path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"check_data": stage}}))
    (project.path / "params.yaml").write_text(yaml.safe_dump(project.params() | {"storage": {"root": stated}}))
    project.commit()
    return project.path / ".dvc/cache/files/md5" / digests[0][:2] / digests[0][2:]


@pytest.fixture
def three(project, bucket: str) -> list[Partition]:
    """Named by a commit, named by the workspace, named by nobody."""
    parts = [written(number) for number in range(3)]
    recorded(project, parts[0])
    with staged(BARS, StorageParams(root=ROOT)) as stage:
        stage.keep([parts[1]])
    return parts


def test_partitions_without_a_manifest_are_named_and_not_deleted(project, three):
    told = project.run("collect-partitions")
    assert three[2].uri in told
    assert "needed=2 garbage=1 deleted=0" in told
    assert there() == {part.uri for part in three}


def test_with_delete_only_partitions_without_a_manifest_are_deleted(project, three):
    assert "deleted=1" in project.run("collect-partitions", "--delete")
    assert there() == {three[0].uri, three[1].uri}


@pytest.mark.parametrize(
    ("out", "below"), [("search", "bars/"), ("holdout", "all/bars/"), ("holdout", "2024-11/bars/")]
)
def test_what_a_sealed_span_names_is_needed(project, bucket: str, out: str, below: str):
    sealed = written(0)
    recorded(project, sealed, Path("artifacts/seal") / out, below)
    shutil.rmtree("artifacts/seal")
    written(1)
    assert "needed=1 garbage=1 deleted=1" in project.run("collect-partitions", "--delete")
    assert there() == {sealed.uri}


def test_what_a_run_wrote_is_needed_under_whatever_params_were_committed_beside_it(project, bucket: str):
    """Run with a bucket, then `storage.root: null` in conf/, then committed; the next run states the bucket again."""
    ran, later = written(0), written(1)
    recorded(project, ran, stated=None)
    recorded(project, later)
    shutil.rmtree(BARS)
    written(2)
    assert "needed=2 garbage=1 deleted=1" in project.run("collect-partitions", "--delete")
    assert there() == {ran.uri, later.uri}


def test_a_run_without_a_bucket_names_nothing_though_a_bucket_is_stated_beside_it(project, bucket: str):
    """Its tables are files, which DVC's cache may lack: nothing is out of reach."""
    recorded(project, written(0), at_run=None).unlink()
    recorded(project, written(1))
    assert "needed=1 garbage=1" in project.run("collect-partitions")


@pytest.mark.parametrize("beside", ["<<<<<<< HEAD\n: [", None], ids=["torn by a merge", "not committed"])
def test_what_a_run_wrote_is_needed_also_where_no_sound_params_lie_beside_it(project, bucket: str, beside: str | None):
    params = project.path / "params.yaml"
    sound = params.read_text()
    recorded(project, written(0))
    if beside is None:
        params.unlink()
    else:
        params.write_text(beside)
    project.git("commit", "-q", "-a", "--amend", "-m", "other params")
    params.write_text(sound)
    recorded(project, written(1))
    assert "needed=2 garbage=0" in project.run("collect-partitions")


def test_a_section_of_the_same_name_in_another_pipeline_of_the_repository_is_no_bucket(project, three):
    stage = {"params": {"params.yaml": {"storage": "s3"}}, "outs": [{"path": "bars", "md5": f"{'0' * 32}.dir"}]}
    (project.path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"train": stage}}))
    project.commit()
    assert "needed=2 garbage=1" in project.run("collect-partitions")


def test_what_a_run_in_progress_may_have_written_is_kept(project, three, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(source, "OLDEST_RUN", timedelta(days=7))
    assert "garbage=0" in project.run("collect-partitions", "--delete")
    assert len(there()) == 3


def test_foreign_files_below_the_root_are_left_alone(project, three):
    """A DVC remote, with the answers that were paid, may lie in the same folder."""
    others = [f"{ROOT}/dvc/forecasts/ab/{'0' * 32}.json", f"{ROOT}/dvc/files/md5/ab/{'c' * 30}", f"{ROOT}/bars.parquet"]
    for uri in others:
        fsspec.filesystem("gs").pipe_file(uri, b"paid")
    assert "garbage=1 deleted=1" in project.run("collect-partitions", "--delete")
    assert there() == {three[0].uri, three[1].uri, *others}


def test_a_manifest_that_was_altered_in_the_cache_says_nothing(project, bucket: str):
    recorded(project, written(0)).write_text('{"partitions": []}')
    shutil.rmtree(BARS)
    with pytest.raises(ConfigurationError, match="not in DVC's cache"):
        project.run("collect-partitions", "--delete")
    assert len(there()) == 1


def test_nothing_is_garbage_while_a_recorded_manifest_is_out_of_reach(project, bucket: str):
    recorded(project, written(0)).unlink()
    with pytest.raises(ConfigurationError, match=r"not in DVC's cache.*`dvc fetch --all-commits`"):
        project.run("collect-partitions", "--delete")
    assert len(there()) == 1


def test_in_a_shallow_clone_no_partition_is_deleted(project, three):
    project.commit()
    project.make_shallow()
    with pytest.raises(ConfigurationError, match=r"shallow clone.*`git fetch --unshallow`"):
        project.run("collect-partitions", "--delete")
    assert len(there()) == 3


def test_without_a_bucket_dvc_collects(project):
    with pytest.raises(ConfigurationError, match=r"storage\.root is null: .*`dvc gc`"):
        project.run("collect-partitions")
