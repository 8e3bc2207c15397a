"""Bars in a bucket: a real Cloud Storage server on loopback, downloads that happen once, faults told in seconds."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from stages.outside.bucket import fetch_bars
from stages.outside.source_files import find_files
from stages.sources.params import SourceParams
from tests.outside.gcs_server import BUCKET, gcs_server

TEMPLATE = f"gs://{BUCKET}/stocks/{{symbol}}/{{yyyy}}/{{symbol}}_{{yyyy}}-{{mm}}.parquet"
FRAMES = {month: pl.DataFrame({"t": [i], "c": [10.0 + i]}) for i, month in enumerate(("2024-01", "2024-02", "2024-03"))}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gcs_server(tmp_path_factory.mktemp("gcs") / "log") as url:
        for month, frame in FRAMES.items():
            upload(url, f"stocks/AAPL/2024/AAPL_{month}.parquet", frame)
        yield url


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A main repository with a cache of its own."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr("stages.outside.workspace._dvc_config", dict)
    return tmp_path


@pytest.fixture
def bucket(server: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    speak_to(server, monkeypatch)
    return server


def speak_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment of a user whose bucket is at `url`, without a login."""
    import fsspec
    import gcsfs

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "anon", "endpoint_url": url})
    monkeypatch.setitem(fsspec.config.conf, "gcs", {"token": "anon", "endpoint_url": url})
    gcsfs.GCSFileSystem.clear_instance_cache()


def upload(url: str, name: str, frame: pl.DataFrame) -> None:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    target = f"{url}/upload/storage/v1/b/{BUCKET}/o"
    httpx.post(target, params={"uploadType": "media", "name": name}, content=buffer.getvalue()).raise_for_status()


def source() -> SourceParams:
    return SourceParams(
        name="bucket",
        kind="gcs",
        uri_template=TEMPLATE,
        aliases={},
        zone=None,
        bar_label="start",
        close_includes_auction=None,
        synthetic=None,
    )


def fetched(files: list[dict[str, Any]]) -> pl.DataFrame:
    return fetch_bars({"symbols": ["AAPL"], "files": files}, source(), pl.DataFrame())["AAPL"]


def test_a_listing_of_a_bucket_carries_md5_and_generation_without_a_download(bucket: str) -> None:
    listed = find_files(TEMPLATE, "AAPL")

    assert [file["month"] for file in listed] == list(FRAMES)
    assert all(len(file["md5"]) == 32 and file["generation"].isdigit() for file in listed)
    assert listed[0]["uri"] == f"gs://{BUCKET}/stocks/AAPL/2024/AAPL_2024-01.parquet"


def test_the_months_that_are_listed_are_read_in_order(bucket: str) -> None:
    listed = find_files(TEMPLATE, "AAPL")

    assert fetched(listed).equals(pl.concat(FRAMES.values()))
    assert fetched(listed[1:2]).equals(FRAMES["2024-02"])
