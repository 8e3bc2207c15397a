"""A bucket from its listing to sound bars, in the processes that a user starts; every fault is one sentence."""

import json
import shutil
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path

import httpx
import polars as pl
import pytest

from tests.commands.study_folder import StudyFolder, bars
from tests.support.gcs_server import BUCKET, free_port, gcs_server

URI = f"gs://{BUCKET}/minutes/{{symbol}}_{{yyyy}}-{{mm}}.parquet"
MONTHS = ("2024-09", "2024-10")


def on(url: str) -> dict[str, str]:
    """The environment of a user without a login whose bucket is at `url`."""
    return {"STORAGE_EMULATOR_HOST": url, "FSSPEC_GS_TOKEN": "anon", "NO_GCE_CHECK": "true"}


def put(url: str, month: str, content: bytes) -> None:
    name = f"minutes/STRONG_{month}.parquet"
    target = f"{url}/upload/storage/v1/b/{BUCKET}/o"
    httpx.post(target, params={"uploadType": "media", "name": name}, content=content).raise_for_status()


def take_away(url: str, month: str) -> None:
    httpx.delete(f"{url}/storage/v1/b/{BUCKET}/o/minutes%2FSTRONG_{month}.parquet").raise_for_status()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gcs_server(tmp_path_factory.mktemp("gcs") / "log") as url:
        yield url


@pytest.fixture(scope="module")
def listed(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A context that has listed the bucket, and fetched nothing."""
    study = StudyFolder.at(tmp_path_factory.mktemp("study") / "first")
    study.deliver(bars())
    for month in MONTHS:
        put(server, month, (study.path / f"bars/STRONG_{month}.parquet").read_bytes())
    shutil.rmtree(study.path / "bars")
    study.configure(source={"kind": "gcs", "uri_template": URI})
    study.run("refresh", "list_source", **on(server))
    return study.path


@pytest.fixture
def study(server: str, listed: Path, tmp_path: Path) -> Iterator[StudyFolder]:
    """A copy of it; afterwards the bucket is as it was."""
    objects = {month: httpx.get(f"{server}/{BUCKET}/minutes/STRONG_{month}.parquet").content for month in MONTHS}
    yield StudyFolder(shutil.copytree(listed, tmp_path / "study", symlinks=True))
    for month, content in objects.items():
        put(server, month, content)


def test_a_bucket_becomes_sound_bars_and_each_object_stands_in_the_manifest_by_md5_and_generation(
    study: StudyFolder, server: str
) -> None:
    study.run("fetch_bars", "check_data", **on(server))
    checked = pl.read_parquet(study.path / "artifacts/check_data/bars/STRONG.parquet")
    files = json.loads((study.path / "artifacts/list_source/manifest.json").read_text())["files"]
    kept = {path.parent.name + path.name for path in (study.path / ".dvc/cache/sources").rglob("*/*")}

    assert checked.select("open", "high", "low", "close", "volume").equals(bars().drop("time"))
    assert [file["month"] for file in files] == list(MONTHS)
    assert all(int(file["generation"]) > 0 for file in files)
    assert kept == {file["md5"] for file in files}
    assert kept == {md5((path).read_bytes()).hexdigest() for path in (study.path / ".dvc/cache/sources").rglob("*/*")}


@pytest.mark.journey
def test_a_revision_in_a_bucket_is_compared_with_the_object_that_was_read(study: StudyFolder, server: str) -> None:
    """The bars of the run are gone; the store still holds the old object."""
    study.run("fetch_bars", **on(server))
    shutil.rmtree(study.path / "artifacts/fetch_bars")
    study.path.joinpath("bars").mkdir()
    late = pl.int_range(pl.len()) >= bars().height - 3
    study.deliver(bars().with_columns(pl.when(late).then(pl.col("close") * 1.002).otherwise("close").alias("close")))
    put(server, "2024-10", (study.path / "bars/STRONG_2024-10.parquet").read_bytes())

    stopped, told = study.run("fetch_bars", **on(server)), study.run("refresh", **on(server))
    assert stopped.returncode == 0, "the listed object still lies in the store: the run stays the same"
    assert "revised: STRONG 2024-10: 3 bars changed, 0 added, 0 removed on 2024-10-04; largest change" in told.stdout
    assert "plan: 32 questions" in told.stdout


FAULTS = {
    "nobody answers": (5, "does not answer"),
    "the bucket is missing": (2, "does bucket 'nobodys' exist?"),
    "an object is missing": (2, "STRONG_2024-10.parquet is listed but does not exist"),
    "an object is cut short": (2, "STRONG_2024-10.parquet is not the listed file"),
    "the key is broken": (5, "the credentials for gs://"),
}


@pytest.mark.journey
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_sentence_with_its_exit_code_and_nothing_is_half_written(
    fault: str, study: StudyFolder, server: str, tmp_path: Path
) -> None:
    environment, (code, words) = on(server), FAULTS[fault]
    if fault == "nobody answers":
        environment = on(f"http://127.0.0.1:{free_port()}")
    elif fault == "the bucket is missing":
        manifest = study.path / "artifacts/list_source/manifest.json"
        manifest.write_text(manifest.read_text().replace(f"gs://{BUCKET}/", "gs://nobodys/"))
    elif fault == "an object is missing":
        take_away(server, "2024-10")
    elif fault == "an object is cut short":
        content = httpx.get(f"{server}/{BUCKET}/minutes/STRONG_2024-10.parquet").content
        put(server, "2024-10", content[:-20])
    else:
        (tmp_path / "key.json").write_text('{"type": "service_account"}')
        environment["FSSPEC_GS_TOKEN"] = str(tmp_path / "key.json")
    done = study.run("fetch_bars", **environment)

    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert list((study.path / "artifacts/fetch_bars").glob("*")) == []
    assert not list(study.path.rglob("*.tmp"))
