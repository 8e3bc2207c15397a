"""Disks that are full, fill up in the wrong instant, may not be written, or lie; and caches that several users share.

Small disks are real file systems in memory; the tests that need the rights to mount one say so when they lack them.
"""

import os
import shutil
import subprocess
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.errors import ConfigurationError
from stages.outside.paid.answers import path_of
from stages.outside.paid.ledger import DAYS
from stages.outside.places import Folder, make_folder
from tests.outside.shops import ShopKeeper, asked, questions, states
from tests.outside.timegpt_server import TimeGPTServer


def fill(disk: Path) -> None:
    """Write until nothing more fits."""
    with (disk / "somebody else's").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_a_disk_without_room_for_the_answer_buys_nothing(small_disk: Path, keeper: ShopKeeper, server: TimeGPTServer):
    keeper.root = small_disk / "forecasts"
    with pytest.raises(ConfigurationError, match="the disk is full: make room and run again"):
        keeper.backend().answer([asked()])
    assert server.sent == 0
    assert states(keeper) == {}


def test_a_disk_that_fills_up_while_the_answer_is_on_its_way_loses_nothing(
    large_disk: Path, keeper: ShopKeeper, server: TimeGPTServer
):
    keeper.root = large_disk / "forecasts"
    server.on_arrival = lambda: fill(large_disk)
    answers = keeper.backend().answer(questions(["AAA", "BBB", "CCC"], range(1)))
    assert len(answers) == 3
    assert states(keeper) == {"answered": 1}
    assert len(keeper.backend(mode="offline").answer(questions(["AAA", "BBB", "CCC"], range(1)))) == 3


def test_a_read_only_store_still_answers_and_buys_nothing(small_disk: Path, keeper: ShopKeeper, server: TimeGPTServer):
    paid = ShopKeeper(keeper.root, server.url).backend().answer([asked()])
    shutil.copytree(keeper.root, small_disk / "forecasts")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    keeper.root, keeper.know_model = small_disk / "forecasts", False
    for mode in ("offline", "online"):
        again = keeper.backend(mode=mode).answer([asked()])
        assert again.keys() == paid.keys()
    with pytest.raises(ConfigurationError, match="the file system is read-only"):
        keeper.backend().answer([asked("BBB")])
    assert server.sent == 1


def test_a_record_that_cannot_be_read_is_told_in_one_sentence(keeper: ShopKeeper, server: TimeGPTServer):
    (keeper.root / path_of(asked().question.key)).mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"\.json could not be read: Is a directory"):
        keeper.backend().answer([asked()])
    assert server.sent == 0


def test_a_damaged_answer_is_said_and_bought_again_within_the_budget(
    keeper: ShopKeeper, server: TimeGPTServer, capfd: pytest.CaptureFixture[str]
):
    keeper.backend().answer([asked()])
    (keeper.root / path_of(asked().question.key)).write_bytes(b"torn")
    keeper.backend().answer([asked()])
    assert server.sent == 2
    assert "is damaged" in capfd.readouterr().err
    assert len(list((keeper.root / "quarantine").iterdir())) == 1


def test_a_damaged_seat_counts_and_stops_nobody(keeper: ShopKeeper, server: TimeGPTServer):
    keeper.backend().answer([asked()])
    for path in (keeper.root / DAYS).glob("*/*"):
        path.write_bytes(b"\x00torn")
    keeper.backend(per_day=2).answer([asked("BBB")])
    assert states(keeper) == {"answered": 2}
    assert keeper.shop(per_day=2).ledger.left_today() == 0


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
    place = Folder(tmp_path)
    assert synced(monkeypatch, lambda: place.create("seat", b"x")) == ["sync file", "name", "sync folder"]


def test_a_new_folder_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert synced(monkeypatch, lambda: make_folder(tmp_path / "a" / "b")) == ["sync folder"] * 2


class TestUsersOfOneCache:
    NOBODY = 65534

    def test_what_lies_in_the_cache_is_open_to_whom_the_cache_is_open(self, keeper: ShopKeeper):
        keeper.root.parent.chmod(0o2775)
        keeper.root = keeper.root.parent / "shared"
        keeper.backend().answer([asked()])
        for path in keeper.root.rglob("*"):
            assert path.stat().st_mode & 0o7777 == (0o2775 if path.is_dir() else 0o664), path

    @pytest.mark.skipif(os.geteuid() != 0, reason="acting as two users needs privileges")
    def test_two_users_share_answers_and_budget(self, keeper: ShopKeeper, server: TimeGPTServer):
        with tempfile.TemporaryDirectory() as open_to_all:  # the folders of pytest are closed to other users
            Path(open_to_all).chmod(0o777)
            keeper.root = Path(open_to_all) / "forecasts"
            keeper.backend(cooldown_sec=0.01).answer([asked("AAA")])
            child = os.fork()
            if not child:
                try:
                    os.setuid(self.NOBODY)
                    keeper.backend(cooldown_sec=0.01).answer([asked("AAA"), asked("BBB")])
                    os._exit(0)
                except BaseException:
                    traceback.print_exc()
                    os._exit(1)
            assert os.waitpid(child, 0)[1] == 0
            assert server.series_billed.total() == 2
            assert keeper.shop(per_day=3).ledger.left_today() == 1
