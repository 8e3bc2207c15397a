"""Partitions on disk and in a bucket: all of them or none, named by content, the same bytes on every engine."""

import hashlib
import json
import re
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import fsspec
import polars as pl
import pytest

from stages.engine import cluster as cluster_engine
from stages.engine import engine
from stages.engine.engine import OnTables, SymbolTask
from stages.errors import ConfigurationError, DataContractError
from stages.features.catalogue import PerSymbol as BuildApart
from stages.features.context import Context
from stages.fetching.bars import fetch_bars
from stages.io.partitions import MANIFEST, Partition, Rows, Writer, on_worker, partitions_of, staged
from stages.params.storage import StorageParams
from stages.quality.gate import check_one_symbol
from stages.tables.market import Bars
from tests.quality.deliveries import QUALITY
from tests.support import partition_work as work
from tests.support.cluster import Cluster, cluster, until
from tests.support.folders import read_frames
from tests.support.gcs_server import BUCKET
from tests.support.large_market import CALENDAR, DIALECT, FEATURES, SOURCE, symbols_of

pytestmark = pytest.mark.xdist_group("cluster")
HERE = StorageParams(root=None)
BUCKET_ROOT = f"gs://{BUCKET}/partitions"
SYMBOLS = symbols_of(3)


@pytest.fixture
def bucket(bucket_known: None) -> str:
    return BUCKET_ROOT


def digests(folder: Path) -> dict[str, str]:
    """Every file of a folder, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def pipeline(folder: Path, storage: StorageParams, symbols: list[str]) -> None:
    """Fetch, gate and features of a market, as the stages do it."""
    with staged(folder / "fetched", storage) as stage:
        fetch = SymbolTask(partial(fetch_bars, source=SOURCE, calendar=CALENDAR), stage.writer)
        stage.keep(part for part, _ in engine.run(fetch, {one: ([],) for one in symbols}, "fetching").values())
    given = {one: (part,) for one, part in partitions_of(folder / "fetched").items()}
    with staged(folder / "checked", storage) as stage:
        check = SymbolTask(partial(check_one_symbol, dialect=DIALECT, calendar=CALENDAR, quality=QUALITY), stage.writer)
        checked = engine.run(check, given, "checking")
        stage.keep(part for part, _ in checked.values())
    usable = {one: tuple(found.days["session"]) for one, (_, found) in checked.items()}
    bars = partitions_of(folder / "checked", Bars)
    with staged(folder / "features", storage) as stage:
        build = SymbolTask(BuildApart(FEATURES, CALENDAR, Context()), stage.writer)
        built = engine.run(build, {one: (bars[one], usable[one]) for one in symbols}, "building")
        stage.keep(part for part, _ in built.values())


def test_a_run_leaves_one_file_a_symbol_and_nothing_beside_it(tmp_path: Path):
    pipeline(tmp_path, HERE, SYMBOLS)
    assert {path.name for path in tmp_path.iterdir()} == {"fetched", "checked", "features"}
    assert set(digests(tmp_path / "checked")) == {f"{symbol}.parquet" for symbol in SYMBOLS}


@pytest.mark.journey  # a server and workers are started
def test_a_bucket_holds_the_same_tables_and_the_folder_a_manifest_of_them(tmp_path: Path, bucket: str):
    pipeline(tmp_path / "here", HERE, SYMBOLS)
    pipeline(tmp_path / "there", StorageParams(root=bucket), SYMBOLS)
    assert set(digests(tmp_path / "there")) == {f"{name}/{MANIFEST}" for name in ("fetched", "checked", "features")}
    listed = json.loads((tmp_path / "there/features" / MANIFEST).read_text())["partitions"]
    assert [sorted(one) for one in listed] == [["key", "rows", "sha256", "uri"]] * len(SYMBOLS)
    assert [one["key"] for one in listed] == SYMBOLS
    for name in ("fetched", "checked", "features"):
        there, here = read_frames(tmp_path / "there" / name), read_frames(tmp_path / "here" / name)
        assert list(there) == list(here)
        assert all(there[symbol].equals(here[symbol]) for symbol in here)


@pytest.mark.journey  # a scheduler and workers are started
def test_a_bucket_that_a_cluster_filled_has_the_same_manifest(
    tmp_path: Path, bucket: str, two_workers: Cluster, monkeypatch: pytest.MonkeyPatch
):
    for name, choice in (("loop", "loop"), ("dask", two_workers.engine)):
        monkeypatch.setenv("ENGINE", choice)
        pipeline(tmp_path / name, StorageParams(root=bucket), SYMBOLS)
    assert digests(tmp_path / "loop") == digests(tmp_path / "dask")


def test_a_folder_says_which_symbol_it_lacks(tmp_path: Path):
    with pytest.raises(DataContractError, match="holds no table of A"):
        partitions_of(tmp_path)["A"]


def test_an_object_that_was_changed_or_lost_is_not_used(tmp_path: Path, bucket: str):
    with staged(tmp_path / "bars", StorageParams(root=bucket)) as stage:
        stage.keep(
            [stage.writer.write("A", pl.DataFrame({"x": [1]})), stage.writer.write("B", pl.DataFrame({"x": [2]}))]
        )
    parts = partitions_of(tmp_path / "bars")
    files, path = fsspec.url_to_fs(parts["A"].uri)
    files.pipe_file(path, b"other bytes")
    with pytest.raises(DataContractError, match="does not match its name"):
        parts["A"].read()
    files.rm_file(fsspec.url_to_fs(parts["B"].uri)[1])
    with pytest.raises(DataContractError, match=r"is gone from the bucket of storage\.root: .*`dvc repro -f`"):
        parts["B"].read()


def refused(folder: Path, where: AbstractContextManager[object]) -> None:
    """Work on files of the driver, which lie there, and on a file that would be written there."""
    writer = Writer(str(folder), in_bucket=False)
    part, rows = writer.write("A", work.frame([1])), Rows(Bars, folder / "A.parquet", "A")
    with where:
        for task, given in (
            (SymbolTask(work.fragile, writer), (1,)),
            (OnTables(work.heights), (part,)),
            (work.unsent, [rows]),
        ):
            with pytest.raises(ConfigurationError, match=r"does not see it: set storage\.root to"):
                engine.run(task, {"B": given}, "working")
    assert not (folder / "B.parquet").exists()


def test_work_for_a_driver_whose_files_are_not_seen_reads_and_writes_none(tmp_path: Path):
    """As a machine of a cluster works, in this process."""
    refused(tmp_path, on_worker(tmp_path / "of the driver's machine"))


@pytest.mark.journey  # a scheduler and workers are started
def test_a_machine_that_does_not_see_the_driver_s_files_reads_and_writes_none(
    tmp_path: Path, two_workers: Cluster, monkeypatch: pytest.MonkeyPatch
):
    """It may hold files of the same names, of another run: they are there in this test."""
    monkeypatch.setenv("ENGINE", two_workers.engine)
    monkeypatch.setattr(cluster_engine, "marker", lambda folder: nullcontext(folder / "of the driver's machine"))
    refused(tmp_path, nullcontext())


def test_a_failing_partition_leaves_the_folder_as_it_was(tmp_path: Path):
    def write(number: int) -> None:
        with staged(tmp_path / "bars", HERE) as stage:
            parts = engine.run(
                SymbolTask(work.fragile, stage.writer), {"A": (number,), "B": (3,), "C": (1,)}, "writing"
            )
            stage.keep(part for part, _ in parts.values())

    (tmp_path / "bars").mkdir()
    (tmp_path / "bars/A.parquet").write_bytes(b"of an earlier run")
    before = digests(tmp_path)
    with pytest.raises(DataContractError, match=r"^B: the file of 2024-03 is empty"):
        write(1)
    assert digests(tmp_path) == before


def test_work_on_a_table_that_breaks_its_contract_names_the_symbol_and_the_first_bad_row(tmp_path: Path):
    bars = fetch_bars("S000", [], SOURCE, CALENDAR)[0]
    checked = check_one_symbol("S000", bars, dialect=DIALECT, calendar=CALENDAR, quality=QUALITY)[0]
    row = checked.height // 2
    broken = checked.with_columns(m=pl.when(pl.int_range(pl.len()) >= row).then(-1).otherwise("m").cast(pl.Int32))
    with staged(tmp_path / "bars", HERE) as stage:
        part = replace(stage.writer.write("S000", broken), table=Bars)
        count, first = broken.height - row, checked["ts"][row]
        told = f"S000: table Bars breaks its contract in rows by rule {{'m|min': {count}}}, first at ts {first}."
        with pytest.raises(DataContractError, match=f"^{re.escape(told)}$"):
            engine.run(SymbolTask(lambda _, table: (table, 0), stage.writer), {"S000": (part,)}, "failing")


def test_what_a_killed_process_left_behind_is_not_kept(tmp_path: Path):
    with staged(tmp_path / "bars", HERE) as stage:
        one = stage.writer.write("A", pl.DataFrame({"x": [1]}))
        (Path(stage.writer.target) / ".half.tmp").write_bytes(b"half")
        stage.keep([one])
    assert set(digests(tmp_path)) == {"bars/A.parquet"}


def test_ten_years_of_a_symbol_are_as_many_files_as_one(tmp_path: Path):
    """So 5,000 symbols are 5,000 files an out, whatever their span; questions beyond 6,000 are lines of one file."""
    for years in (1, 10):
        with staged(tmp_path / f"{years}", HERE) as stage:
            stage.keep([stage.writer.write("A", pl.DataFrame({"x": range(years * 252 * 390)}))])
        assert len(list((tmp_path / f"{years}").iterdir())) == 1


def counting(notes: Path, folder: Path) -> dict[str, tuple[Partition, int]]:
    with staged(folder, HERE) as stage:
        given = {f"S{number:02}": (notes, number) for number in range(12)}
        found = engine.run(SymbolTask(work.counted, stage.writer), given, "counting")
        stage.keep(part for part, _ in found.values())
    return found


def in_background(then, notes: Path) -> threading.Thread:
    """Once two partitions are at work: this, and let all go on."""

    def act() -> None:
        until(lambda: len(list(notes.glob("S*"))) >= 2)
        then()
        (notes / "go").touch()

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


@pytest.mark.torture
def test_a_killed_worker_loses_nothing_and_repeats_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (notes := tmp_path / "notes").mkdir()
    with cluster(tmp_path) as running:
        monkeypatch.setenv("ENGINE", running.engine)
        in_background(lambda: running.kill(running.workers[0]), notes)
        found = counting(notes, tmp_path / "out")
    assert [number for _, number in found.values()] == list(range(12))
    assert set(digests(tmp_path / "out")) == {f"S{number:02}.parquet" for number in range(12)}
    executions = [path.name.split("-")[0] for path in notes.glob("S*")]
    assert 12 < len(executions) <= 12 + 2 * 2
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


@pytest.mark.torture
def test_a_killed_scheduler_is_one_clear_error_and_the_next_run_is_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (notes := tmp_path / "notes").mkdir()
    with cluster(tmp_path) as running:
        monkeypatch.setenv("ENGINE", running.engine)
        monkeypatch.setattr(cluster_engine, "CONNECT_SEC", 2)
        in_background(lambda: running.kill(running.scheduler), notes)
        with pytest.raises(ConfigurationError, match=r"the Dask cluster at tcp://.* was lost; nothing was written"):
            counting(notes, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setenv("ENGINE", "loop")
    counting(notes, tmp_path / "out")
    assert len(digests(tmp_path / "out")) == 12
