"""What a user asks about money: budget, spend, verify, release."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.outside.paid.records import checked, path_of
from stages.outside.places import Folder
from tests.outside.shops import ShopKeeper, asked, questions
from tests.outside.test_disks import break_shard
from tests.outside.timegpt_server import TimeGPTServer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    (folder / ".dvc").mkdir(parents=True)
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return folder


@pytest.fixture
def shop(workspace: Path, server: TimeGPTServer) -> ShopKeeper:
    """Buys into the workspace's own store."""
    return ShopKeeper(workspace / ".dvc/cache/forecasts", server.url)


def ask(workspace: Path, command: str, *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("DVC_ROOT", None)
    done = subprocess.run(
        [sys.executable, "-m", f"stages.commands.{command}", *arguments],
        cwd=workspace, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_standing_limit_holds_against_params(workspace: Path, shop: ShopKeeper, server: TimeGPTServer):
    code, told = ask(workspace, "budget", "3")
    assert code == 0
    assert "3 requests left today" in told
    with pytest.raises(Exception, match="3 of 3 requests"):
        shop.backend(per_day=1000).answer(questions(["AAA"], range(5)))
    assert server.sent == 3
    assert "3 counted  (3 answered)" in ask(workspace, "budget")[1]
    assert (workspace / "artifacts/api_budget.json").is_file()


def test_spend_tells_runs_and_requests(workspace: Path, shop: ShopKeeper):
    shop.backend().answer(questions(["AAA", "BBB"], range(2)))
    shop.backend().answer(questions(["AAA", "BBB"], range(2)))
    code, told = ask(workspace, "spend")
    assert code == 0
    assert "2 runs, 2 requests counted" in told
    assert "4 questions, 0.0 % hits, 4 bought; requests: 2 answered" in told
    assert "4 questions, 100.0 % hits, 0 bought; requests: none" in told
    assert "answered  forecast 2024-09-03T1430Z: 2 series, 2200 rows, 2240 tokens" in told


def test_verify_names_a_damaged_answer(workspace: Path, shop: ShopKeeper):
    shop.backend().answer(questions(["AAA", "BBB"], range(2)))
    code, told = ask(workspace, "verify")
    assert (code, told.partition(" seconds")[0]) == (0, "verify: answers=4 damaged=0")
    victim = sorted(shop.root.glob("??/*.json"))[1]
    victim.write_bytes(victim.read_bytes()[:-40])
    code, told = ask(workspace, "verify")
    assert code == 2
    assert f"{victim.parent.name}/{victim.name}" in told


def test_verify_brings_rescued_answers_home(workspace: Path, shop: ShopKeeper, server: TimeGPTServer):
    server.on_arrival = lambda: break_shard(shop, "AAA")
    shop.backend().answer(questions(["AAA", "BBB"], range(1)))
    (shop.root / asked("AAA").question.key[:2]).unlink()
    code, told = ask(workspace, "verify")
    assert code == 0
    assert "1 rescued answers came home" in told
    assert "verify: answers=2 damaged=0" in told


def test_verify_mends_the_remote_and_names_what_is_sound_nowhere(
    workspace: Path, shop: ShopKeeper, server: TimeGPTServer
):
    (workspace / ".dvc/config").write_text("[core]\n    remote = team\n['remote \"team\"']\n    url = ../../team\n")
    shop.remote = Folder(workspace.parent / "team/forecasts")
    (workspace.parent / "team").mkdir()
    shop.backend().answer(questions(["AAA", "BBB"], range(1)))
    keys = {symbol: asked(symbol).question.key for symbol in ("AAA", "BBB")}
    for key in keys.values():
        (shop.remote.root / path_of(key)).write_bytes(b"torn")
    (shop.root / path_of(keys["BBB"])).unlink()
    code, told = ask(workspace, "verify")
    assert code == 2
    assert f"the remote's copy of {keys['AAA']} is mended" in told
    assert f"1 answers of the remote are damaged and lie sound nowhere here, the first {keys['BBB']}" in told
    assert checked(keys["AAA"], shop.remote.read(path_of(keys["AAA"])) or b"")


def test_release_lets_a_refused_key_be_bought(workspace: Path, shop: ShopKeeper, server: TimeGPTServer):
    key = asked().question.key
    assert ask(workspace, "release", key)[0] == 5
    server.next("422")
    with pytest.raises(Exception, match="422"):
        shop.backend().answer([asked()])
    assert ask(workspace, "release", key)[0] == 0
    assert len(shop.backend().answer([asked()])) == 1
