"""Shared by tests of what costs money: questions, purchase contexts in temporary folders, the stand-in service."""

import multiprocessing
import os
import re
import subprocess
import traceback
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import fsspec
import httpx
import pytest
import yaml
from hydra._internal import defaults_list
from omegaconf import OmegaConf
from threadpoolctl import threadpool_limits

from stages.commands import command_line
from stages.configuration import compose
from stages.errors import PipelineError
from stages.paid.client import RequestFailed
from tests.support import timegpt_server
from tests.support.cluster import Cluster, cluster
from tests.support.compositions import (
    Compositions,
    hydras_own,
    remembering_files,
    remembering_text,
    remembering_yaml,
    where_needed,
)
from tests.support.contexts import ContextFactory
from tests.support.gcs_server import gcs_server
from tests.support.timegpt_server import KEY, NEVER_SEEN, TimeGPTServer
from tests.unpacked import unpacked

KEY_SEEN = re.compile("|".join(map(re.escape, NEVER_SEEN)), re.IGNORECASE)
KEY_IN_BYTES = [text.lower().encode("ascii") for text in NEVER_SEEN]  # searched twenty times as fast


@pytest.fixture(scope="session", autouse=True)
def compositions() -> Iterator[None]:
    """Each conf/ is composed once, each text parsed and written once, each parser of arguments made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_line, "parser", cache(command_line.parser))
        kept = Compositions(compose._composed, OmegaConf.to_container)
        patch.setattr(compose, "_composed", kept.composed)
        patch.setattr(OmegaConf, "to_container", staticmethod(kept.plain))
        patch.setattr(defaults_list, "_create_interpolation_map", where_needed(defaults_list._create_interpolation_map))
        patch.setattr(hydras_own(), "defaults", [])
        patch.setattr(yaml, "load", remembering_yaml(yaml.load))
        patch.setattr(compose, "to_yaml", remembering_text(compose.to_yaml))
        patch.setattr(OmegaConf, "load", staticmethod(remembering_files(OmegaConf.load)))
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_machine() -> Iterator[None]:
    """Certificates are read once, and nothing waits for the disk: what is asked of it is seen in test_disks.py.

    Workers share the cores: of small matrices a second thread multiplies none faster, and turns while it waits.
    """
    with threadpool_limits(1, user_api="blas"), pytest.MonkeyPatch.context() as patch:
        for module in (httpx, httpx._transports.default):
            patch.setattr(module, "create_ssl_context", cache(httpx.create_ssl_context))
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TimeGPTServer]:
    """The stand-in service, with its key in the environment.

    Whatever a test does with it, the key may stand in no error that was made and no file below its folder, and, says
    the hook below, in nothing it printed or logged.
    """
    monkeypatch.setenv("NIXTLA_API_KEY", KEY)
    errors: list[BaseException] = []
    for kind in (PipelineError, RequestFailed):
        monkeypatch.setattr(kind, "__init__", recording(kind.__init__, errors))
    with TimeGPTServer() as running:
        yield running
    for buyer in multiprocessing.active_children():  # of a test that failed: stopped ones would be waited for
        buyer.kill()
    assert [error for error in errors if KEY_SEEN.search("".join(traceback.format_exception(error)))] == []
    assert [path for path in tmp_path.rglob("*") if path.is_file() and holds_key(path)] == []


def recording(make: Any, made: list[BaseException]) -> Any:
    """The initialiser of an error, which lists what it makes."""

    def recorded(self: BaseException, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        made.append(self)

    return recorded


def holds_key(path: Path) -> bool:
    if path.name == Path(timegpt_server.__file__).name:  # in a clone of the repository: where the key is made up
        return False
    content = unpacked(path).lower()
    return any(text in content for text in KEY_IN_BYTES)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test of the stand-in service that printed or logged the key has failed."""
    report = yield
    printed = [head for head, content in report.sections if KEY_SEEN.search(content)]
    if report.passed and printed and "server" in getattr(item, "fixturenames", ()):
        report.outcome = "failed"
        report.longrepr = f"the API key stands in: {', '.join(printed)}"
    return report


@pytest.fixture
def contexts(tmp_path: Path, server: TimeGPTServer) -> ContextFactory:
    """Opens purchase contexts (store, ledger, client) in one temporary cache, like successive runs of `forecast`."""
    return ContextFactory(tmp_path / "forecasts", server.url)


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a bucket, started once for all tests of a worker."""
    with gcs_server(tmp_path_factory.mktemp("gcs") / "log") as url:
        yield url


@pytest.fixture(scope="module")
def bucket_known(gcs: str) -> Iterator[None]:
    """While this process knows the bucket."""
    with pytest.MonkeyPatch.context() as patch:
        know_bucket(gcs, patch)
        yield


@pytest.fixture(scope="session")
def session_cluster(tmp_path_factory: pytest.TempPathFactory, gcs: str) -> Iterator[Cluster]:
    """Started once for all tests of the group `cluster`: a scheduler, and two workers that know the bucket."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            know_bucket(gcs, patch)
            running = stack.enter_context(cluster(tmp_path_factory.mktemp("dask")))
        yield running


@pytest.fixture(scope="module")
def two_workers(session_cluster: Cluster, bucket_known: None) -> Cluster:
    """The cluster, while the driver knows the bucket too."""
    return session_cluster


def know_bucket(url: str, patch: pytest.MonkeyPatch) -> None:
    """As if Google were at `url` and asked nobody's name."""
    patch.setenv("STORAGE_EMULATOR_HOST", url)
    patch.setenv("FSSPEC_GS_TOKEN", "anon")
    patch.setitem(fsspec.config.conf, "gs", {"token": "anon", "endpoint_url": url})


class FakeClock:
    """A clock that moves only when told to or waited on."""

    def __init__(self, start: datetime) -> None:
        self.instant = start
        self.waited: list[float] = []

    def now(self) -> datetime:
        return self.instant

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.instant += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> FakeClock:
    """Noon of a UTC day."""
    return FakeClock(datetime(2026, 11, 22, 12, tzinfo=UTC))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB: too small for any answer."""
    with mounted(tmp_path / "disk", "256k") as disk:
        yield disk


@pytest.fixture
def large_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    with mounted(tmp_path / "disk", "2m") as disk:
        yield disk


@contextmanager
def mounted(disk: Path, size: str) -> Iterator[Path]:
    """A file system of its own in memory."""
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True)
    if mount.returncode:
        pytest.skip("mounting a small disk needs privileges")
    yield disk
    subprocess.run(["umount", disk], check=True)
