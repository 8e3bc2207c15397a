"""What a user asks about money: budget, spend, verify, release."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from stages.errors import BudgetStop, ConfigurationError
from stages.io.object_store import LocalStore
from stages.paid.checks import forget_refused
from stages.paid.ledger import RUNS
from stages.paid.records import checked, path_of
from stages.paid.reservations import DAYS
from tests.paid.test_disks import break_shard
from tests.support.contexts import ContextFactory, asked, questions
from tests.support.fixtures import FakeClock
from tests.support.programs import run_module
from tests.support.timegpt_server import TimeGPTServer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    (folder / ".dvc").mkdir(parents=True)
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return folder


@pytest.fixture
def context(workspace: Path, server: TimeGPTServer) -> ContextFactory:
    """Buys into the workspace's own store."""
    return ContextFactory(workspace / ".dvc/cache/forecasts", server.url)


def ask(workspace: Path, verb: str, *arguments: str) -> tuple[int, str]:
    done = run_module(workspace, "stages", verb, *arguments)
    return done.returncode, done.stdout + done.stderr


def test_a_standing_limit_holds_against_params(workspace: Path, context: ContextFactory, server: TimeGPTServer):
    assert "None" not in ask(workspace, "budget")[1]  # no standing limit yet, and none a minute
    code, told = ask(workspace, "budget", "3")
    assert code == 0
    assert "3 requests left today" in told
    with pytest.raises(BudgetStop, match="3 of 3 requests"):
        context.backend(per_day=1000).answer(questions(["AAA"], range(5)))
    assert server.sent == 3
    assert "3 counted  (3 answered)" in ask(workspace, "budget")[1]
    assert (workspace / "artifacts/api_budget.json").is_file()


def test_spend_tells_runs_and_requests(workspace: Path, context: ContextFactory):
    context.backend().answer(questions(["AAA", "BBB"], range(2)))
    context.backend().answer(questions(["AAA", "BBB"], range(2)))
    code, told = ask(workspace, "spend")
    assert code == 0
    assert "2 runs, 2 requests counted" in told
    assert "4 questions, 0.0 % hits, 4 bought; requests: 2 answered" in told
    assert "4 questions, 100.0 % hits, 0 bought; requests: none" in told
    assert "answered  forecast 2024-09-03T1430Z: 2 series, 2200 rows, 2,200 input tokens, 280 output tokens" in told


def test_spend_tells_requests_of_an_earlier_version_and_damaged_ones(workspace: Path, context: ContextFactory):
    notes = [{"kind": "forecast", "snapshots": [], "series": 2, "rows": 2200, "run": "earlier"}, {"kind": "forecast"}]
    for number, note in enumerate(notes):
        LocalStore(context.root).create(f"{DAYS}/2026-11-22/{number:04d}-0.json", json.dumps(note).encode())
    code, told = ask(workspace, "spend")
    assert (code, "with a damaged record; it counts" in told) == (0, 1)
    assert "2 requests counted, 2,200 tokens at most, without 1 with a damaged record\n" in told


def test_spend_says_of_which_days_and_runs_its_sums_are(workspace: Path, context: ContextFactory):
    """One request of ten rows on each of 33 days, and 51 runs: the last 31 days and 50 runs are shown."""
    note = {"kind": "forecast", "snapshots": [], "series": 1, "rows": 10, "run": "a"}
    store = LocalStore(context.root)
    for day in range(33):
        store.create(f"{DAYS}/{date(2026, 10, 1) + timedelta(day)}/0000-0.json", json.dumps(note).encode())
    for run in range(51):
        store.create(f"{RUNS}/{run:03d}.json", b"{}", durable=False)
    head = ask(workspace, "spend")[1].splitlines()[0]
    assert head == (
        "spend: 50 runs, 31 requests counted, 310 tokens at most (the latest 50 of 51 runs and the latest 31 of 33 "
        "days with requests)"
    )


def test_verify_names_a_damaged_answer(workspace: Path, context: ContextFactory):
    context.backend().answer(questions(["AAA", "BBB"], range(2)))
    code, told = ask(workspace, "verify")
    assert (code, told.partition(" seconds")[0]) == (0, "verify: answers=4 damaged=0")
    victim = sorted(context.root.glob("??/*.json"))[1]
    victim.write_bytes(victim.read_bytes()[:-40])
    code, told = ask(workspace, "verify")
    assert code == 2
    assert f"{victim.parent.name}/{victim.name}" in told


@pytest.mark.parametrize("key", ["../../../../keep", "/keep", "0" * 31, "0" * 31 + "G", "0" * 32 + "\n", "-x", ""])
@pytest.mark.parametrize("command", ["drop", "release"])
def test_a_key_is_never_a_path(workspace: Path, key: str, command: str):
    kept = workspace / "keep.txt"
    kept.write_text("mine")
    (workspace / ".dvc/cache/forecasts/refused").mkdir(parents=True, exist_ok=True)
    code, told = ask(workspace, command, "--", key)
    assert code == 5
    assert "is not 32 hexadecimal digits" in told
    assert kept.exists()


def test_drop_says_what_it_throws_away_and_asks_for_a_second_word(
    workspace: Path, context: ContextFactory, server: TimeGPTServer
):
    wanted = questions(["AAA"], range(2))
    context.backend().answer(wanted)
    key = wanted[0].question.key
    code, told = ask(workspace, "drop", key)
    assert code == 0
    assert "AAA at 2024-09-03T14:30:00Z, 1100 rows, 20 minutes ahead, by timegpt-2.1 at stand-in" in told
    assert "which carried 1 series (1,100 input tokens in all)" in told
    assert f"nothing was dropped: `make drop KEY={key} ARGS=--yes` does it" in told
    assert len(context.backend(mode="offline").answer(wanted)) == 2

    code, told = ask(workspace, "drop", key, "--yes")
    assert code == 0
    assert "dropped: it lies in quarantine/" in told
    with pytest.raises(BudgetStop, match="1 of 2 questions have no stored answer"):
        context.backend(mode="offline").answer(wanted)
    assert len(context.backend().answer(wanted)) == 2
    assert server.sent == 3


def test_dropping_what_is_not_there_says_so(workspace: Path):
    code, told = ask(workspace, "drop", "0" * 32)
    assert (code, "no answer is stored under the key" in told) == (5, True)


def test_a_clock_that_is_right_again_is_said_to_the_budget(workspace: Path, context: ContextFactory, clock: FakeClock):
    clock.wait(100 * 365 * 24 * 3600)
    context.backend(clock).answer([asked()])
    code, told = ask(workspace, "budget")
    assert (code, "`make budget CLOCK=right`" in told) == (4, True)
    code, told = ask(workspace, "budget", "--clock", "right")
    assert code == 0
    assert "1 request of 2126-10-29, a day still to come, now count as today's" in told
    assert "99 requests left today" in told


def test_release_lets_a_late_key_be_bought(workspace: Path, context: ContextFactory, server: TimeGPTServer):
    server.seconds = 0.5
    with pytest.raises(ConfigurationError, match="may have been billed once"):
        context.backend(timeout_sec=0.2).answer(questions(["AAA", "BBB", "CCC"], range(1)))
    server.seconds = 0
    code, told = ask(workspace, "release", asked().question.key)
    assert code == 0
    assert "and 2 more of the same request may be bought again" in told
    assert len(context.backend(timeout_sec=5).answer([asked()])) == 1


def test_verify_brings_rescued_answers_home(workspace: Path, context: ContextFactory, server: TimeGPTServer):
    server.on_arrival = lambda: break_shard(context, "AAA")
    context.backend().answer(questions(["AAA", "BBB"], range(1)))
    (context.root / asked("AAA").question.key[:2]).unlink()
    code, told = ask(workspace, "verify")
    assert code == 0
    assert "1 rescued answers were moved from" in told
    assert "verify: answers=2 damaged=0" in told


def test_verify_mends_the_remote_and_names_what_is_sound_nowhere(
    workspace: Path, context: ContextFactory, server: TimeGPTServer
):
    (workspace / ".dvc/config").write_text("[core]\n    remote = team\n['remote \"team\"']\n    url = ../../team\n")
    context.remote = LocalStore(workspace.parent / "team/forecasts")
    (workspace.parent / "team").mkdir()
    context.backend().answer(questions(["AAA", "BBB"], range(1)))
    keys = {symbol: asked(symbol).question.key for symbol in ("AAA", "BBB")}
    for key in keys.values():
        (context.remote.root / path_of(key)).write_bytes(b"torn")
    (context.root / path_of(keys["BBB"])).unlink()
    code, told = ask(workspace, "verify")
    assert code == 2
    assert f"the remote's copy of {keys['AAA']} is mended" in told
    assert f"1 answers on the remote are damaged, and this clone has no sound copy (the first: {keys['BBB']})" in told
    assert checked(keys["AAA"], context.remote.read(path_of(keys["AAA"])) or b"")


def test_a_refusal_that_another_release_forgot_meanwhile_is_no_error(tmp_path: Path):
    class ForgottenMeanwhile(LocalStore):
        def read(self, name: str) -> bytes | None:
            content = super().read(name)
            (tmp_path / name).write_bytes(b"")
            return content

    LocalStore(tmp_path).create("refused/1.txt", b"the forecast service says 422")
    assert forget_refused(ForgottenMeanwhile(tmp_path), "1") == ["1"]


def test_keys_of_one_refusal_are_forgotten_together_whatever_the_service_said_of_each(tmp_path: Path):
    store = LocalStore(tmp_path)
    for key, said, refusal in (("1", "too long", "A"), ("2", "too short", "A"), ("3", "too long", "B")):
        store.create(f"refused/{key}.txt", f"{said}\nrefusal {refusal}\n".encode())
    assert forget_refused(store, "1") == ["1", "2"]
    assert [name for name in store.names("refused") if store.read(f"refused/{name}")] == ["3.txt"]
    assert forget_refused(store, "1") == []


def test_release_lets_a_refused_key_be_bought(workspace: Path, context: ContextFactory, server: TimeGPTServer):
    key = asked().question.key
    assert ask(workspace, "release", key)[0] == 5
    server.next("422")
    with pytest.raises(ConfigurationError, match="422"):
        context.backend().answer([asked()])
    assert ask(workspace, "release", key)[0] == 0
    assert len(context.backend().answer([asked()])) == 1


def test_one_release_frees_all_keys_of_one_refusal(workspace: Path, context: ContextFactory, server: TimeGPTServer):
    """Also of a refusal that an earlier version noted at every question of its request, in the same words."""
    server.always("422")
    with pytest.raises(ConfigurationError, match="422"):
        context.backend().answer(questions(["AAA", "BBB", "CCC", "DDD"], range(1)))
    refused = sorted(path.stem for path in context.root.glob("refused/*"))
    assert len(refused) == 2
    code, told = ask(workspace, "release", refused[1])
    assert code == 0
    assert told.startswith(f"release: {refused[1]} and 1 more of the same request may be bought again")
    for key in "123":
        (context.root / f"refused/{key * 32}.txt").write_text("the forecast service says 422" + "." * (key == "2"))
    assert "and 1 more" in ask(workspace, "release", "1" * 32)[1]
    assert [path.stem for path in context.root.glob("refused/*") if path.read_bytes()] == ["2" * 32]
