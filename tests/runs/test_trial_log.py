"""The trial log: nothing is forgotten, nothing counts twice, and a kill leaves all of an entry or nothing."""

from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from stages.io.object_store import LocalStore, StoreRefused, StoreUnreachable
from stages.runs.trial_log import TrialLog
from stages.trading.trials import Entry
from tests.support.crowd import CONTEXT, append

pytestmark = pytest.mark.xdist_group("buyers")  # one fork server
MANY = 40


def entry(*variants: str, opening: str | None = None) -> Entry:
    return Entry("market", "study", variants=variants, opening=opening)


def appender(folder: Path) -> tuple[BaseProcess, Connection]:
    """A process that adds entries, and hears from it after each."""
    hears, tells = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=append, args=(folder, MANY, tells))
    process.start()
    tells.close()
    return process, hears


def ended(appending: tuple[BaseProcess, Connection]) -> int | None:
    """Its exit code, once it has ended."""
    process, _ = appending
    process.join(60)
    return process.exitcode


def files(folder: Path) -> list[str]:
    return LocalStore(folder).names("trials")


@pytest.fixture
def log(tmp_path: Path) -> TrialLog:
    return TrialLog(LocalStore(tmp_path), None)


def test_what_was_added_is_there_and_adding_it_again_changes_nothing(log: TrialLog, tmp_path: Path):
    assert log.add(entry("a", "b"))
    assert log.add(entry(opening="s1"))
    before = {name: (tmp_path / "trials" / name).read_bytes() for name in files(tmp_path)}
    assert not log.add(entry("a", "b"))
    assert not log.add(entry(opening="s1"))
    assert sorted(log.entries(), key=repr) == sorted([entry("a", "b"), entry(opening="s1")], key=repr)
    assert {name: (tmp_path / "trials" / name).read_bytes() for name in files(tmp_path)} == before


@pytest.mark.parametrize("told", [5, *(pytest.param(n, marks=pytest.mark.torture) for n in range(MANY))])
def test_killed_at_any_moment_it_holds_whole_entries_and_goes_on(tmp_path: Path, told: int):
    killed = process, hears = appender(tmp_path)
    for _ in range(told):
        hears.recv()
    process.kill()
    ended(killed)
    survivors = TrialLog(LocalStore(tmp_path), None).entries()
    assert told <= len(survivors) <= MANY
    assert all(len(one.variants) == 50 for one in survivors)

    assert ended(appender(tmp_path)) == 0
    assert len(TrialLog(LocalStore(tmp_path), None).entries()) == MANY


def test_two_processes_appending_the_same_entries_leave_each_once(tmp_path: Path):
    processes = [appender(tmp_path) for _ in range(2)]
    assert [ended(one) for one in processes] == [0, 0]
    assert len(files(tmp_path)) == MANY
    assert len(set(TrialLog(LocalStore(tmp_path), None).entries())) == MANY


def test_of_many_threads_adding_one_entry_one_finds_it_new(log: TrialLog):
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(log.add, [entry("a")] * 32)) == 1


def test_a_damaged_entry_is_reported_does_not_count_and_is_mended_by_adding_it_again(
    log: TrialLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    log.add(entry("a"))
    (damaged,) = (tmp_path / "trials").glob("*.json")
    damaged.write_bytes(damaged.read_bytes()[:20])
    assert log.entries() == []
    assert "damaged" in capsys.readouterr().err
    log.add(entry("a"))
    assert log.entries() == [entry("a")]


def test_what_one_machine_tried_counts_on_the_other(tmp_path: Path):
    shared = LocalStore(tmp_path / "shared")
    here, there = (TrialLog(LocalStore(tmp_path / name), shared) for name in ("here", "there"))
    here.add(entry("a"))
    TrialLog(LocalStore(tmp_path / "there"), None).add(entry("b"))  # offline for a while
    there.exchange()
    here.exchange()
    assert set(here.entries()) == set(there.entries()) == {entry("a"), entry("b")}


@pytest.mark.parametrize("kept", [0, 20])
def test_a_damaged_entry_is_never_shared_and_comes_back_from_the_remote(tmp_path: Path, kept: int, capsys):
    """Else it would take the name of the sound one, for every machine and for good."""
    shared, here = LocalStore(tmp_path / "shared"), TrialLog(LocalStore(tmp_path / "here"), None)
    here.add(entry("a"))
    (damaged,) = (tmp_path / "here/trials").glob("*.json")
    sound = damaged.read_bytes()
    damaged.write_bytes(sound[:kept])
    assert here.entries() == []
    assert "is damaged: it does not count" in capsys.readouterr().err

    TrialLog(here.local, shared).exchange()
    assert files(tmp_path / "shared") == []

    TrialLog(LocalStore(tmp_path / "there"), shared).add(entry("a"))
    TrialLog(here.local, shared).exchange()
    assert damaged.read_bytes() == sound


class Gone(LocalStore):
    """A remote that fails so."""

    def __init__(self, root: Path, failure: Exception) -> None:
        super().__init__(root)
        self.failure = failure

    def create(self, name: str, content: bytes) -> bool:
        raise self.failure

    def names(self, folder: str) -> list[str]:
        raise self.failure


@pytest.mark.parametrize("failure", [StoreUnreachable("nobody answers"), StoreRefused("log in")])
def test_a_remote_that_is_down_stops_no_run_and_loses_no_answer(
    failure: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    log = TrialLog(LocalStore(tmp_path / "here"), Gone(tmp_path / "shared", failure))
    assert log.add(entry("a"))
    log.exchange()
    assert log.entries() == [entry("a")]
    assert "shares it later" in capsys.readouterr().err
    shared = LocalStore(tmp_path / "shared")
    TrialLog(LocalStore(tmp_path / "here"), shared).exchange()
    assert TrialLog(shared, None).entries() == [entry("a")]
