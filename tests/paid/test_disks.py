"""Disks that are full, fill up in the wrong instant, may not be written, or lie; and caches that several users share.

Small disks are real file systems in memory; the tests that need the rights to mount one say so when they lack them.
"""

import errno
import os
import shutil
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from stages.errors import ConfigurationError, PipelineError
from stages.io.object_store import LocalStore, make_folder
from stages.paid.backend import PaidBackend
from stages.paid.budget_report import calls_of
from stages.paid.records import path_of
from stages.paid.reservations import DAYS
from tests.paid.test_notes import NESTED
from tests.support.contexts import ContextFactory, asked, questions, states
from tests.support.timegpt_server import TimeGPTServer


def fill(disk: Path) -> None:
    """Write until nothing more fits."""
    with (disk / "somebody else's").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_a_disk_without_room_for_the_answer_buys_nothing(
    small_disk: Path, contexts: ContextFactory, server: TimeGPTServer
):
    contexts.root = small_disk / "forecasts"
    with pytest.raises(ConfigurationError, match="the disk is full: make room and run again"):
        contexts.backend().answer([asked()])
    assert server.sent == 0
    assert states(contexts) == {}


def test_a_disk_that_fills_up_while_the_answer_is_on_its_way_loses_nothing(
    large_disk: Path, contexts: ContextFactory, server: TimeGPTServer
):
    contexts.root = large_disk / "forecasts"
    server.on_arrival = lambda: fill(large_disk)
    answers = contexts.backend().answer(questions(["AAA", "BBB", "CCC"], range(1)))
    assert len(answers) == 3
    assert states(contexts) == {"answered": 1}
    assert len(contexts.backend(mode="offline").answer(questions(["AAA", "BBB", "CCC"], range(1)))) == 3


def test_a_read_only_store_still_answers_and_buys_nothing(
    small_disk: Path, contexts: ContextFactory, server: TimeGPTServer
):
    paid = ContextFactory(contexts.root, server.url).backend().answer([asked()])
    shutil.copytree(contexts.root, small_disk / "forecasts")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    contexts.root, contexts.know_model = small_disk / "forecasts", False
    for mode in ("offline", "online"):
        again = contexts.backend(mode=mode).answer([asked()])
        assert again.keys() == paid.keys()
    with pytest.raises(ConfigurationError, match="the file system is read-only"):
        contexts.backend().answer([asked("BBB")])
    assert server.sent == 1


def test_a_record_that_cannot_be_read_is_reported_in_one_sentence(contexts: ContextFactory, server: TimeGPTServer):
    (contexts.root / path_of(asked().question.key)).mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"\.json could not be read: a folder lies where a file should"):
        contexts.backend().answer([asked()])
    assert server.sent == 0


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """A folder that takes no new file, from any user, while its neighbours do."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], capture_output=True)
    if mount.returncode:
        pytest.skip("mounting needs privileges")
    yield
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("folder", [asked("BBB").question.key[:2], "unshared"])
def test_an_answer_that_could_not_be_kept_is_never_paid(folder: str, contexts: ContextFactory, server: TimeGPTServer):
    """The shard of the second of three answers: the request they share is not sent, in any of four runs."""
    with unwritable(contexts.root / folder):
        for _ in range(4):
            with pytest.raises(
                ConfigurationError, match=f"{folder} could not be written: the file system is read-only"
            ):
                contexts.backend().answer(questions(["AAA", "BBB", "CCC"], range(1)))
    assert server.sent == 0
    assert states(contexts) == {}
    assert len(contexts.backend().answer(questions(["AAA", "BBB", "CCC"], range(1)))) == 3


def test_a_damaged_record_that_cannot_be_moved_is_not_bought_again(
    contexts: ContextFactory, server: TimeGPTServer, monkeypatch: pytest.MonkeyPatch
):
    contexts.backend().answer([asked()])
    (contexts.root / path_of(asked().question.key)).write_bytes(b"torn")
    (contexts.root / "quarantine").write_text("not a folder")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="cannot be moved out of the way"):
            contexts.backend().answer([asked()])
    assert server.sent == 1


def test_facts_that_could_not_be_kept_are_never_paid(contexts: ContextFactory, server: TimeGPTServer):
    contexts.know_model = False
    with unwritable(contexts.root / "models"):
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="models could not be written"):
                contexts.backend().answer([asked()])
    assert server.sent == 0


def break_shard(contexts: ContextFactory, symbol: str) -> None:
    """A shard becomes something that is no folder."""
    shard = contexts.root / asked(symbol).question.key[:2]
    shutil.rmtree(shard)
    shard.write_text("not a folder")


class TestKeepingFailsAfterTheAnswerCame:
    def test_what_the_store_does_not_take_lies_beside_and_comes_home(
        self, contexts: ContextFactory, server: TimeGPTServer, capfd: pytest.CaptureFixture[str]
    ):
        wanted = questions(["AAA", "BBB", "CCC"], range(1))
        server.on_arrival = lambda: break_shard(contexts, "BBB")
        bought = contexts.backend().answer(wanted)
        server.on_arrival = lambda: None
        (rescued,) = (contexts.root / "rescued").iterdir()
        assert f"1 answer just paid cannot be kept: {contexts.root}" in capfd.readouterr().err
        assert states(contexts) == {"answered": 1}

        still = contexts.backend(mode="offline").answer(wanted)  # the shard is still broken: used from where it lies
        assert rescued.exists()
        (contexts.root / asked("BBB").question.key[:2]).unlink()
        again = contexts.backend(mode="offline").answer(wanted)
        assert f"1 rescued answers were moved from {rescued} into the store" in capfd.readouterr().err
        assert not rescued.exists()
        for answers in (still, again, contexts.backend(mode="offline").answer(wanted)):
            assert {k: a.values_bp.tolist() for k, a in answers.items()} == {
                k: a.values_bp.tolist() for k, a in bought.items()
            }
        assert server.sent == 1

    def test_a_store_that_disappears_makes_nothing_be_paid_twice(
        self, contexts: ContextFactory, server: TimeGPTServer, tmp_path: Path
    ):
        def taken_away() -> None:
            contexts.root.rename(tmp_path / "elsewhere")
            contexts.root.write_text("not a folder")

        contexts.rescue = (tmp_path / "not here", tmp_path / "here")
        (tmp_path / "not here").write_text("not a folder")
        server.on_arrival = taken_away
        assert len(contexts.backend().answer([asked()])) == 1
        server.on_arrival = lambda: None
        (rescued,) = (tmp_path / "here").iterdir()
        assert (tmp_path / "here").stat().st_mode & 0o777 == 0o700
        contexts.root.unlink()
        (tmp_path / "elsewhere").rename(contexts.root)
        assert contexts.context().store.restore_rescued().keys() == {asked().question.key}
        assert not rescued.exists()
        assert len(contexts.backend(mode="offline").answer([asked()])) == 1
        assert server.sent == 1

    def test_where_nothing_takes_them_it_is_said_and_the_run_has_them(
        self, contexts: ContextFactory, server: TimeGPTServer, capfd: pytest.CaptureFixture[str]
    ):
        (contexts.root / "rescued").mkdir(parents=True)
        (contexts.root / "rescued").rmdir()
        (contexts.root / "rescued").write_text("not a folder")
        server.on_arrival = lambda: break_shard(contexts, "AAA")
        assert len(contexts.backend().answer([asked()])) == 1
        assert "They could not be saved elsewhere" in capfd.readouterr().err

    def test_a_rescued_answer_is_checked_like_any_other(self, contexts: ContextFactory, server: TimeGPTServer):
        server.on_arrival = lambda: break_shard(contexts, "AAA")
        contexts.backend().answer([asked()])
        (rescued,) = (contexts.root / "rescued").iterdir()
        damaged = rescued.read_bytes().replace(b"nixtla", b"nixtlb")
        rescued.write_bytes(damaged)
        assert contexts.context().store.restore_rescued() == {}
        assert not rescued.exists()
        assert (contexts.root / "quarantine" / rescued.name).read_bytes() == damaged


@pytest.mark.parametrize("lasting", [False, True])
def test_whichever_write_fails_no_answer_is_paid_twice(
    lasting: bool, contexts: ContextFactory, server: TimeGPTServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each write of a run fails in turn (once, or with all later ones); then a sound run buys the rest."""
    paid = failures_at_each_write(contexts, server, tmp_path, monkeypatch, snapshots=1, lasting=lasting)
    assert len(paid) > 8
    assert set(paid) == {1}


def failures_at_each_write(  # one table of faults
    contexts: ContextFactory,
    server: TimeGPTServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    snapshots: int,
    lasting: bool,
    call: str = "_written",
) -> list[int]:
    """How many requests were billed when the n-th call to the disk of the store failed first, for every n there is."""
    wanted, paid = questions(["AAA", "BBB"], range(snapshots)), []
    while True:
        number = len(paid)
        contexts.root, contexts.rescue = tmp_path / f"store {number}", (tmp_path / f"rescue {number}",)
        context, before = contexts.context(), server.billed
        with monkeypatch.context() as patch, suppress(PipelineError):
            calls = failing_at(patch, contexts.root, call, number, lasting=lasting)
            PaidBackend(context).answer(wanted)
        if len(calls) <= number:  # none was left to fail
            return paid
        assert len(contexts.backend().answer(wanted)) == len(wanted)
        paid.append(server.billed - before)


def failing_at(patch: pytest.MonkeyPatch, root: Path, call: str, number: int, *, lasting: bool) -> list[Path]:
    """Have a call to the disk fail below `root`, from the n-th one; the calls so far."""
    owner = {"_written": LocalStore, "mkdir": Path}.get(call, os)
    real, calls = getattr(owner, call), []

    def failing(*given: Any, **options: Any) -> Any:
        path = Path(f"/proc/self/fd/{given[0]}").readlink() if call == "fsync" else Path(given[owner is LocalStore])
        if path.is_relative_to(root):
            calls.append(path)
            if len(calls) > number if lasting else len(calls) == number + 1:
                raise OSError(errno.EIO, "Input/output error")
        return real(*given, **options)

    patch.setattr(owner, call, failing)
    return calls


@pytest.mark.parametrize("damage", [b"torn", NESTED], ids=["torn", "nested"])
def test_a_damaged_answer_is_said_and_bought_again_within_the_budget(
    damage: bytes, contexts: ContextFactory, server: TimeGPTServer, capfd: pytest.CaptureFixture[str]
):
    contexts.backend().answer([asked()])
    (contexts.root / path_of(asked().question.key)).write_bytes(damage)
    contexts.backend().answer([asked()])
    assert server.sent == 2
    assert "is damaged" in capfd.readouterr().err
    assert len(list((contexts.root / "quarantine").iterdir())) == 1


@pytest.mark.parametrize("damage", [b"\x00torn", NESTED], ids=["torn", "nested"])
def test_a_damaged_reservation_counts_and_stops_no_run(damage: bytes, contexts: ContextFactory, server: TimeGPTServer):
    contexts.backend().answer([asked()])
    for path in (contexts.root / DAYS).glob("*/*"):
        path.write_bytes(damage)
    contexts.backend(per_day=2).answer([asked("BBB")])
    assert states(contexts) == {"answered": 2}
    ledger = contexts.context(per_day=2).ledger
    assert ledger.left_today() == 0
    assert [call.get("damaged", False) for call in calls_of(ledger.objects)] == [True, False]


def synced(monkeypatch: pytest.MonkeyPatch, action: Callable[[], Any]) -> list[str]:
    """The order in which an action syncs and names files."""
    seen: list[str] = []
    real = {name: getattr(os, name) for name in ("fsync", "link")}

    def fsync(handle: int) -> None:
        target = Path(f"/proc/self/fd/{handle}").resolve()
        seen.append("sync folder" if target.is_dir() else "sync file")
        real["fsync"](handle)

    def link(*names: Any) -> None:
        real["link"](*names)
        seen.append("name")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    action()
    return seen


def test_a_file_is_on_the_disk_before_its_name_and_its_name_before_we_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    objects = LocalStore(tmp_path)
    assert synced(monkeypatch, lambda: objects.create("seat", b"x")) == ["sync file", "name", "sync folder"]


def test_a_new_folder_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert synced(monkeypatch, lambda: make_folder(tmp_path / "a" / "b")) == ["sync folder"] * 2


class TestUsersOfOneCache:
    NOBODY = 65534

    def test_what_lies_in_the_cache_is_open_to_whom_the_cache_is_open(self, contexts: ContextFactory):
        contexts.root.parent.chmod(0o2775)
        contexts.root = contexts.root.parent / "shared"
        contexts.backend().answer([asked()])
        for path in contexts.root.rglob("*"):
            assert path.stat().st_mode & 0o7777 == (0o2775 if path.is_dir() else 0o664), path

    def test_a_folder_is_not_there_before_it_is_open_to_whom_the_cache_is_open(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """Two processes make `a` at once: while the first gives it its rights, the second makes a folder in it."""
        tmp_path.chmod(0o2775)
        chmod, others = Path.chmod, [tmp_path / "a" / "theirs"]

        def slow(path: Path, mode: int) -> None:
            if others:
                make_folder(others.pop())
            chmod(path, mode)

        monkeypatch.setattr(Path, "chmod", slow)
        mask = os.umask(0o077)
        try:
            make_folder(tmp_path / "a" / "ours")
        finally:
            os.umask(mask)
        rights = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o7777 for path in tmp_path.rglob("*")}
        assert rights == dict.fromkeys(["a", "a/ours", "a/theirs"], 0o2775)

    @pytest.mark.skipif(os.geteuid() != 0, reason="acting as two users needs privileges")
    def test_two_users_share_answers_and_budget(self, contexts: ContextFactory, server: TimeGPTServer):
        with tempfile.TemporaryDirectory() as open_to_all:  # the folders of pytest are closed to other users
            Path(open_to_all).chmod(0o777)
            contexts.root = Path(open_to_all) / "forecasts"
            contexts.backend(cooldown_sec=0.01).answer([asked("AAA")])
            child = os.fork()
            if not child:
                try:
                    os.setuid(self.NOBODY)
                    contexts.backend(cooldown_sec=0.01).answer([asked("AAA"), asked("BBB")])
                    os._exit(0)
                except BaseException:
                    traceback.print_exc()
                    os._exit(1)
            assert os.waitpid(child, 0)[1] == 0
            assert server.series_billed.total() == 2
            assert contexts.context(per_day=3).ledger.left_today() == 1
