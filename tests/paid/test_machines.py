"""Two machines, each with a cache of its own, and one DVC remote between them: a folder, or a Cloud Storage server."""

import asyncio
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from stages.errors import BudgetStop, ConfigurationError
from stages.io.bucket_store import BucketStore, open_remote
from stages.io.clock import SystemClock
from stages.io.object_store import LocalStore, ObjectStore
from stages.io.workspace import Remote
from stages.paid import backend
from stages.paid.checks import forget_refused
from stages.paid.locks import Attempts, home_of
from stages.paid.records import checked, path_of
from stages.paid.reservations import ReservationLog, held
from stages.paid.units import Units
from tests.paid.test_pricing import priced
from tests.support.contexts import ContextFactory, asked, questions
from tests.support.crowd import exit_codes, is_stopped, start, start_stage, until
from tests.support.gcs_server import BUCKET, gcs_server
from tests.support.timegpt_server import TimeGPTServer


def bucket_at(url: str, prefix: str) -> ObjectStore:
    options = {"endpointurl": url, "allow_anonymous_login": True, "projectname": "test"}
    return open_remote(Remote(name="team", url=f"gs://{BUCKET}/{prefix}", options=options))


pytestmark = pytest.mark.xdist_group("buyers")  # one fork server


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.journey)])  # the same over HTTP
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return LocalStore(tmp_path / "remote")
    return bucket_at(request.getfixturevalue("gcs"), tmp_path.name)


@pytest.fixture
def machines(
    tmp_path: Path, server: TimeGPTServer, remote: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> list[ContextFactory]:
    """Two, which look for each other's answers more often than once a second."""
    monkeypatch.setattr(backend, "POLL_SEC", 0.125)
    return [ContextFactory(tmp_path / name, server.url, remote) for name in ("a", "b")]


def test_what_one_machine_bought_costs_the_other_nothing(machines: list[ContextFactory], server: TimeGPTServer):
    a, b = machines
    a.backend().answer(questions(["AAA", "BBB"], range(3)))
    b.backend().answer(questions(["AAA", "BBB"], range(3)))
    assert server.sent == 3
    b.backend().answer(questions(["AAA", "BBB"], range(4)))
    assert server.sent == 4
    assert b.backend(mode="offline").answer(questions(["AAA"], range(4)))


def flip_a_bit(remote: ObjectStore, key: str) -> bytes:
    """Damage a record where it lies; its bytes from now on."""
    sound = remote.read(path_of(key))
    assert sound is not None
    damaged = bytes([*sound[:200], sound[200] ^ 1, *sound[201:]])
    assert remote.swap(path_of(key), sound, damaged)
    return damaged


@pytest.mark.parametrize("scope", ["machine", "remote"])
def test_a_damaged_answer_on_the_remote_is_bought_once_by_all_and_mended(
    scope: str, tmp_path: Path, server: TimeGPTServer, remote: ObjectStore
):
    first, *later = (ContextFactory(tmp_path / name, server.url, remote, api={"scope": scope}) for name in "abcd")
    first.backend().answer([asked("AAA"), asked("BBB")])
    key = asked("AAA").question.key
    damaged = flip_a_bit(remote, key)
    for contexts in later:
        contexts.backend().answer([asked("AAA"), asked("BBB")])
    assert server.sent == 2
    assert checked(key, remote.read(path_of(key)) or b"")
    (aside,) = (name for name in remote.names("quarantine") if name.endswith(".json"))
    assert aside.startswith(key)
    assert remote.read(f"quarantine/{aside}") == damaged


def test_a_machine_with_a_sound_copy_mends_the_remote(
    machines: list[ContextFactory], server: TimeGPTServer, remote: ObjectStore
):
    """One that buys nothing finds the damage; the run of one that has the answer puts it back; the first is served."""
    a, b = machines
    a.backend().answer([asked()])
    flip_a_bit(remote, asked().question.key)
    with pytest.raises(BudgetStop, match="no stored answer"):
        b.backend(mode="offline").answer([asked()])
    a.backend(mode="offline").answer([asked()])
    assert len(b.backend(mode="offline").answer([asked()])) == 1
    assert server.sent == 1


def test_verify_reads_the_remote_mends_it_and_names_what_is_sound_nowhere(
    machines: list[ContextFactory], server: TimeGPTServer, remote: ObjectStore
):
    a, b = machines
    a.backend().answer([asked("AAA")])
    b.backend().answer([asked("BBB")])
    keys = [asked(symbol).question.key for symbol in ("AAA", "BBB")]
    for key in keys:
        flip_a_bit(remote, key)
    assert list(a.context().store.mend_remote()) == [keys[1]]
    assert list(b.context().store.mend_remote()) == []
    assert all(checked(key, remote.read(path_of(key)) or b"") for key in keys)


def lose(remote: ObjectStore, name: str) -> None:
    """Delete an object of a remote."""
    if isinstance(remote, BucketStore):
        remote.fs.rm(f"{remote.root}/{name}")
    else:
        assert isinstance(remote, LocalStore)
        remote.at(name).unlink()


def test_verify_gives_a_remote_what_it_lost(
    machines: list[ContextFactory], server: TimeGPTServer, remote: ObjectStore, capsys: pytest.CaptureFixture[str]
):
    """A bucket that was deleted, and made again under its name: no colleague has to buy what is here."""
    a, b = machines
    wanted = questions(["AAA", "BBB"], range(2))
    a.backend().answer(wanted)
    for answer in wanted:
        lose(remote, path_of(answer.question.key))
    with pytest.raises(BudgetStop, match="4 of 4 questions have no stored answer"):
        b.backend(mode="offline").answer(wanted)
    assert list(a.context().store.mend_remote()) == []
    assert "4 answers that the remote lacked lie there now" in capsys.readouterr().err
    assert len(b.backend(mode="offline").answer(wanted)) == 4
    assert list(a.context().store.mend_remote()) == []
    assert "lacked" not in capsys.readouterr().err
    assert server.sent == 2


def test_the_price_counts_a_damaged_answer_of_the_remote_as_unanswered(
    machines: list[ContextFactory], server: TimeGPTServer, remote: ObjectStore
):
    a, b = machines
    wanted = questions(["AAA", "BBB"], range(3))
    a.backend().answer(wanted)
    flip_a_bit(remote, wanted[0].question.key)
    told, before = priced(wanted, b.context().store), server.sent
    assert (told.local, told.remote, told.missing, told.requests) == (0, 5, 1, 1)
    b.backend().answer(wanted)
    assert server.sent - before == told.requests


def test_the_models_facts_are_bought_once_for_all_machines(machines: list[ContextFactory], server: TimeGPTServer):
    for number, contexts in enumerate(machines):
        contexts.know_model = False
        contexts.backend().answer(questions(["AAA"], range(number + 1)))
    assert server.requests == {"model_params": 1, "forecast": 2}


def test_one_budget_spans_both(machines: list[ContextFactory], server: TimeGPTServer):
    a, b = machines
    a.backend(scope="remote", per_day=4).answer(questions(["AAA"], range(3)))
    with pytest.raises(BudgetStop, match="4 of 4 requests"):
        b.backend(scope="remote", per_day=4).answer(questions(["BBB"], range(3)))
    assert server.sent == 4


def test_a_buyer_that_died_holds_its_key_until_a_person_releases_it(
    machines: list[ContextFactory], remote: ObjectStore, server: TimeGPTServer, clock: Any
):
    key = asked().question.key
    Attempts(remote, "the dead", 3).begin({key: 0}, "2026-11-22/0000-0")
    told = rf"1 question is held by other machines .* by run the dead\).*make release KEY={key}"
    with pytest.raises(BudgetStop, match=told):
        machines[0].backend(clock, scope="remote").answer([asked()])
    assert server.sent == 0

    Attempts(remote, "a person", 3).release(key)
    assert len(machines[0].backend(clock, scope="remote").answer([asked()])) == 1


def test_racing_machines_ask_whole_snapshots_and_pay_once(machines: list[ContextFactory], server: TimeGPTServer):
    """Four symbols a snapshot, five snapshots: five requests, whoever sends them, and no key is paid twice."""
    server.seconds = 0.02
    wanted, got = questions(["AAA", "BBB", "CCC", "DDD"], range(5)), []
    threads = [
        threading.Thread(target=lambda k=contexts: got.append(k.backend(scope="remote").answer(wanted)))
        for contexts in machines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [len(answers) for answers in got] == [20, 20]
    assert [len(body["series"]["sizes"]) for body in server.bodies] == [4] * 5
    assert server.billed == 5


def test_a_key_held_by_a_dead_run_keeps_no_other_question_of_its_snapshot_unbought(
    machines: list[ContextFactory], remote: ObjectStore, server: TimeGPTServer, clock: Any
):
    held = asked("BBB").question.key
    Attempts(remote, "the dead", 3).begin({held: 0}, "2026-11-22/0000-0")
    with pytest.raises(BudgetStop, match=rf"1 question is held .*make release KEY={held}"):
        machines[0].backend(clock, scope="remote").answer(questions(["AAA", "BBB", "CCC"], range(1)))
    assert [len(body["series"]["sizes"]) for body in server.bodies] == [2]
    assert sum(clock.waited) == machines[0].context().api.timeout_sec


def test_what_was_refused_to_one_machine_is_asked_by_none_until_it_is_released(
    machines: list[ContextFactory], remote: ObjectStore, server: TimeGPTServer
):
    key = asked().question.key
    server.next("422")
    for told in ("422", "was refused before"):
        for one in machines if told != "422" else machines[:1]:
            with pytest.raises(ConfigurationError, match=told):
                one.backend(scope="remote").answer([asked()])
    assert server.sent == 1
    assert [forget_refused(remote, key), forget_refused(remote, key)] == [[key], []]
    server.next("422")
    with pytest.raises(ConfigurationError, match="422"):
        machines[1].backend(scope="remote").answer([asked()])
    assert forget_refused(remote, key) == [key]
    assert len(machines[0].backend(scope="remote").answer([asked()])) == 1


def test_a_run_that_stops_at_what_another_machine_let_go_of_says_what_is_left(
    machines: list[ContextFactory], remote: ObjectStore, server: TimeGPTServer
):
    other, key = Attempts(remote, "another", 3), asked().question.key
    begun = other.begin({key: 0}, "2026-11-22/0000-0")
    clock = During(lambda: other.end(begun, "unknown"))
    with pytest.raises(BudgetStop, match=r"1 answer was bought and kept in this run\. Left: 1 question in 1 request"):
        machines[0].backend(clock, scope="remote", per_run=1).answer(questions(["AAA"], range(2)))
    assert server.sent == 1


def test_what_another_machine_lets_go_of_is_bought_in_the_same_run(
    machines: list[ContextFactory], remote: ObjectStore, server: TimeGPTServer
):
    other, key = Attempts(remote, "another", 3), asked().question.key
    begun = other.begin({key: 0}, "2026-11-22/0000-0")
    clock = During(lambda: other.end(begun, "unknown"))
    assert len(machines[0].backend(clock, scope="remote").answer([asked()])) == 1
    assert server.sent == 1


class During(SystemClock):
    """A clock in whose first wait something happens."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self.happens: Callable[[], object] | None = happens

    def wait(self, seconds: float) -> None:
        if self.happens and seconds:
            happens, self.happens = self.happens, None
            happens()


def test_what_arrives_on_the_remote_during_a_cooldown_is_not_bought_again(
    machines: list[ContextFactory], server: TimeGPTServer, capsys: pytest.CaptureFixture[str]
):
    """Under the default scope: a look at the remote stands directly before each request, and the run warns once."""
    a, b = machines
    clock = During(lambda: a.backend().answer(questions(["AAA"], range(1, 3))))
    b.backend(clock, cooldown_sec=100).answer(questions(["AAA"], range(3)))
    assert server.sent == 3
    b.backend(cooldown_sec=0).answer(questions(["AAA"], range(3)))  # buys nothing, so it has nothing to warn of
    warnings = [line for line in capsys.readouterr().err.splitlines() if "api.scope: remote prevents this" in line]
    assert len(warnings) == 2


def test_a_buyer_ends_its_own_attempt_never_the_one_that_followed(
    machines: list[ContextFactory], remote: ObjectStore, server: TimeGPTServer, clock: Any
):
    """Released by a person and taken by another machine while the first is in flight: the first does not try again."""
    key, other = asked().question.key, Attempts(remote, "another", 3)

    def released_and_taken() -> None:
        server.on_arrival = lambda: None
        assert other.release(key) == [key]
        assert other.begin({key: 1}, "2026-11-22/0007-0")

    server.on_arrival = released_and_taken
    server.always("503")
    with pytest.raises(BudgetStop, match="by run another"):
        machines[0].backend(clock, scope="remote").answer([asked()])
    assert server.sent == 1
    assert other.latest(key).is_open
    endings = [name for name in remote.names(f"attempts/{key}") if not name.endswith("json")]
    assert endings == ["0000.released", "0000.unknown"]


def test_of_two_that_begin_at_once_one_takes_all_keys_and_the_other_none(remote: ObjectStore):
    a, b = Attempts(remote, "a", 3), Attempts(remote, "b", 3)
    wanted = {"k1": 0, "k2": 0, "k3": 0}
    assert b.begin({"k2": 0}, "d/0") is not None
    assert a.begin(wanted, "d/1") is None
    assert a.free(["k1", "k2", "k3"], all_or_none=True) is None
    assert a.free(["k1", "k2", "k3"], all_or_none=False) == {"k1": 1, "k3": 0}


def test_an_attempt_of_this_store_that_is_over_is_not_ended_once_more(remote: ObjectStore):
    here = Attempts(remote, "a", 3, home="here")
    assert not here.latest("k").is_open, "none yet"
    here.end(here.begin({"k": 0}, "d/0"), "refunded")
    assert here.free(["k"], all_or_none=False) == {"k": 1}
    assert (here.latest("k").endings, here.latest("k").is_open) == ({"refunded"}, False)


@pytest.mark.parametrize(
    ("api", "ends", "paid"), [({"max_attempts": 2}, 0, 2), ({"max_attempts": 1, "timeout_sec": 0.1}, 4, 1)]
)
def test_what_a_killed_run_of_the_same_store_held_is_free_again_and_counts(
    api: dict[str, Any], ends: int, paid: int, tmp_path: Path, server: TimeGPTServer
):
    """One that may not ask again waits for the time limit of a request, whether the answer still arrives."""
    contexts = ContextFactory(tmp_path / "a", server.url, LocalStore(tmp_path / "remote"))
    buyer = start(contexts, ["AAA", "BBB"], range(1), stop_at="sent", scope="remote")
    until(lambda: is_stopped(buyer))
    buyer.kill()
    assert exit_codes([buyer]) == [-signal.SIGKILL]
    told = tmp_path / "told"
    again = start_stage(contexts, ["AAA", "BBB"], range(1), told, scope="remote", **api)
    assert exit_codes([again]) == [ends]
    assert "an earlier run of this store ended while it was buying" in told.read_text()
    assert ("may have been paid 1 times" in told.read_text()) == (ends == 4)
    assert server.billed == paid


def test_a_copied_store_is_another_buyer(tmp_path: Path):
    store = LocalStore(tmp_path / "store")
    assert home_of(store) == home_of(store)
    shutil.copytree(store.root, tmp_path / "copy")
    assert home_of(LocalStore(tmp_path / "copy")) != home_of(store)


@pytest.mark.parametrize("left", ["open", "unknown"])
def test_one_release_frees_all_keys_of_a_request(
    left: str, machines: list[ContextFactory], remote: ObjectStore, server: TimeGPTServer, clock: Any
):
    """Held by a buyer that died, or paid up to the limit; the reservation knows which keys travelled together."""
    wanted = questions(["AAA", "BBB", "CCC"], range(1))
    keys = sorted(one.question.key for one in wanted)
    ledger, dead = machines[0].context(clock, scope="remote").ledger, Attempts(remote, "the dead", 1)
    reservation = ledger.reserve({"keys": keys}, Units(1))
    begun = dead.begin(dict.fromkeys(keys, 0), reservation.call)
    if left == "unknown":
        dead.end(begun, left)
    with pytest.raises(BudgetStop, match="3 questions are held"):
        machines[1].backend(clock, scope="remote", max_attempts=1).answer(wanted)
    assert sorted(Attempts(remote, "a person", 3).release(keys[1])) == keys
    assert len(machines[1].backend(clock, scope="remote", max_attempts=1).answer(wanted)) == 3
    assert server.sent == 1


def test_attempts_that_may_have_been_paid_end_at_the_limit(
    machines: list[ContextFactory], server: TimeGPTServer, clock: Any
):
    server.always("503")
    for _ in range(3):
        with pytest.raises(BudgetStop):
            machines[0].backend(clock, scope="remote", max_attempts=2).answer([asked()])
    assert server.sent == 2


def test_a_call_that_never_left_does_not_use_up_attempts(
    machines: list[ContextFactory], server: TimeGPTServer, clock: Any
):
    for _ in range(4):
        with pytest.raises(BudgetStop):
            machines[0].backend(clock, scope="remote", per_run=0).answer([asked()])
    assert len(machines[0].backend(clock, scope="remote").answer([asked()])) == 1


class Fault(ThreadingHTTPServer):
    """A proxy before the bucket: the n-th create is lost on its way back, or answered 503 although it happened."""

    daemon_threads = True
    target = ""
    kind = ""
    creates = 0
    broken: frozenset[int] = frozenset()
    reads_broken = 0


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Fault

    def log_message(self, *_: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        if self.server.reads_broken > 0 and "alt=media" in self.path:
            self.server.reads_broken -= 1
            self._say(503, b"{}", {})
            return
        self._forward()

    def do_POST(self) -> None:
        self.server.creates += 1
        if self.server.creates not in self.server.broken:
            self._forward()
            return
        self._upstream()
        if self.server.kind == "lost":
            self.connection.close()
            self.close_connection = True
        else:
            self._say(503, b'{"error": {"code": 503}}', {})

    def _upstream(self) -> httpx.Response:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {k: v for k, v in self.headers.items() if k.lower() not in {"host", "content-length"}}
        return httpx.request(self.command, self.server.target + self.path, content=body, headers=headers)

    def _forward(self) -> None:
        reply = self._upstream()
        self._say(reply.status_code, reply.content, {"Content-Type": reply.headers.get("Content-Type", "")})

    def _say(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def fault(gcs: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fault]:
    from gcsfs import retry  # here: the import takes long

    monkeypatch.setattr(retry, "asyncio", SimpleNamespace(sleep=lambda _: asyncio.sleep(0)))  # not for seconds
    proxy = Fault(("127.0.0.1", 0), _Proxy)
    proxy.target = gcs
    threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield proxy
    proxy.shutdown()
    proxy.server_close()


@pytest.mark.parametrize("kind", ["lost", pytest.param("503", marks=pytest.mark.torture)])
@pytest.mark.parametrize("reads_broken", [pytest.param(0, marks=pytest.mark.torture), 1])
def test_a_faulty_bucket_gives_each_reservation_once_also_the_last(
    kind: str, reads_broken: int, fault: Fault, gcs: str, tmp_path: Path
):
    """Creates 1 and 3 happen but are not told; three reservations are wanted of three, then a fourth is refused."""
    fault.kind, fault.broken, fault.reads_broken = kind, frozenset({1, 3}), reads_broken
    objects = bucket_at(f"http://127.0.0.1:{fault.server_address[1]}", tmp_path.name)
    assert isinstance(objects, BucketStore)
    row = ReservationLog(objects, "budget/days/2026-11-22")
    taken = [row.take(row.taken(), f"nonce {number}".encode()) for number in range(3)]
    assert taken == ["0000-0", "0001-0", "0002-0"]
    assert held(ReservationLog(bucket_at(gcs, tmp_path.name), "budget/days/2026-11-22").taken()) == 3


def test_a_remote_that_dies_during_a_run_stops_the_budget_and_keeps_the_answers(
    tmp_path: Path, server: TimeGPTServer, clock: Any
):
    with gcs_server(tmp_path / "log") as url:
        contexts = ContextFactory(tmp_path / "a", server.url, bucket_at(url, "dvc"))
        contexts.backend(clock, scope="remote").answer(questions(["AAA"], range(2)))
        backend = contexts.backend(clock, scope="remote")
    with pytest.raises(BudgetStop):
        backend.answer(questions(["AAA"], range(3)))
    assert server.sent == 2
    assert contexts.context().store.local.read(path_of(asked("AAA", 1).question.key)) is not None


@pytest.mark.parametrize("step", ["free", "begin"])
def test_locks_that_do_not_answer_end_the_run_before_anything_is_sent(
    step: str, tmp_path: Path, server: TimeGPTServer, monkeypatch: pytest.MonkeyPatch
):
    def down(*_: Any, **__: Any) -> None:
        raise OSError("connection reset")

    backend = ContextFactory(tmp_path / "a", server.url, LocalStore(tmp_path / "remote")).backend(scope="remote")
    monkeypatch.setattr(Attempts, step, down)
    with pytest.raises(BudgetStop, match=r"the locks on the remote do not answer \(connection reset\)"):
        backend.answer(questions(["AAA"], range(1)))
    assert server.sent == 0


def test_keys_are_begun_in_sorted_order(tmp_path: Path):
    """Machines that want the same keys conflict at the first one."""
    attempts = Attempts(LocalStore(tmp_path), "one", 3)
    begun = attempts.begin({"cc": 0, "aa": 0, "bb": 0}, "2026-11-22/0000-0")
    assert [one.key for one in begun or ()] == ["aa", "bb", "cc"]
