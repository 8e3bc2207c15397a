"""The answer store: immutable, checked on every read, shared through a second place."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import BudgetStop, ConfigurationError
from stages.io.object_store import LocalStore, StoreUnreachable
from stages.paid import answer_store, shared_answers
from stages.paid.answer_store import SHARED_WITH, AnswerStore
from stages.paid.records import Record, path_of, record_of
from tests.support.contexts import asked


def record(symbol: str = "AAA", value: float = 1.0) -> Record:
    return record_of(
        asked(symbol).question,
        values_bp=[[value * level] * 20 for level in range(5)],
        mean_bp=[0.0] * 20,
        sdk="nixtla 0.9.0",
        call="2026-11-22/0000-0",
        series_in_call=1,
        company=1,
        input_tokens=7,
        paid_utc="2026-11-22T12:00:00.000000Z",
    )


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "local")


@pytest.fixture
def remote(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "remote")


class DownAfter:
    """A place that dies after some calls."""

    def __init__(self, objects: LocalStore, calls: int) -> None:
        self.objects, self.calls = objects, calls

    def __getattr__(self, name: str):
        self.calls -= 1
        if self.calls < 0:
            raise StoreUnreachable("nobody answers")
        return getattr(self.objects, name)


def test_an_answer_lies_under_its_questions_md5(local: LocalStore):
    AnswerStore(local, None).keep(record())
    key = asked("AAA").question.key
    assert local.read(f"{key[:2]}/{key[2:]}.json") == record().encode()
    assert AnswerStore(local, None).get([key]) == {key: record()}


def test_the_first_answer_stands(local: LocalStore):
    store = AnswerStore(local, None)
    store.share(store.keep(record(value=1.0)))
    assert store.share(store.keep(record(value=2.0))) == record(value=1.0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_flipped_byte_is_ever_believed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    local = LocalStore(tmp_path_factory.mktemp("store"))
    content = bytearray(record().encode())
    at = data.draw(st.integers(0, len(content) - 2))  # the final newline says nothing
    content[at] ^= data.draw(st.integers(1, 255))
    local.create(path_of(record().key), bytes(content))
    found = AnswerStore(local, None).get([record().key])
    assert found == {} or found == {record().key: record()}


def test_a_damaged_answer_is_moved_away_and_said(local: LocalStore, capfd: pytest.CaptureFixture[str]):
    local.create(path_of(record().key), b"{}")
    store = AnswerStore(local, None)
    assert store.get([record().key]) == {}
    assert f"{record().key} is damaged" in capfd.readouterr().err
    assert local.names("quarantine") == [f"{record().key}-0.json"]
    assert store.share(store.keep(record())) == record()


def test_an_answer_under_anothers_name_is_damaged(local: LocalStore):
    local.create(path_of(asked("BBB").question.key), record("AAA").encode())
    assert [name for name, _ in AnswerStore(local, None).damaged()] == [path_of(asked("BBB").question.key)]


def test_verify_finds_every_damaged_record_and_no_other(local: LocalStore):
    store = AnswerStore(local, None)
    for symbol in ("AAA", "BBB", "CCC"):
        store.share(store.keep(record(symbol)))
    assert list(store.damaged()) == []
    path = local.root / path_of(record("BBB").key)
    path.write_bytes(path.read_bytes().replace(b"4.0", b"4.5"))
    assert [name for name, _ in store.damaged()] == [path_of(record("BBB").key)]


def test_an_answer_bought_here_is_found_there(tmp_path: Path, remote: LocalStore):
    AnswerStore(LocalStore(tmp_path / "here"), remote).share(record())
    there = AnswerStore(LocalStore(tmp_path / "there"), remote)
    assert there.get([record().key]) == {record().key: record()}
    assert there.hits_remote == 1
    assert AnswerStore(LocalStore(tmp_path / "there"), None).get([record().key]) == {record().key: record()}


def test_the_second_buyer_adopts_the_first_ones_answer(tmp_path: Path, remote: LocalStore):
    here, there = (AnswerStore(LocalStore(tmp_path / name), remote) for name in ("here", "there"))
    here.share(here.keep(record(value=1.0)))
    assert there.share(there.keep(record(value=2.0))) == record(value=1.0)
    assert there.get([record().key]) == {record().key: record(value=1.0)}


def test_the_remotes_good_copy_replaces_a_damaged_one(local: LocalStore, remote: LocalStore):
    AnswerStore(local, remote).share(AnswerStore(local, None).keep(record()))
    (local.root / path_of(record().key)).write_bytes(b"torn")
    assert AnswerStore(local, remote).get([record().key]) == {record().key: record()}


def of_a_later_version(one: Record) -> bytes:
    """The same answer with a field that this version does not know."""
    facts = json.loads(one.encode())
    facts.pop("sha256")
    facts["output_tokens"] = 20
    told = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    facts["sha256"] = hashlib.sha256(told.encode()).hexdigest()
    return json.dumps(facts).encode()


def test_what_a_later_version_adds_to_a_record_is_no_damage(local: LocalStore, remote: LocalStore):
    remote.create(path_of(record().key), of_a_later_version(record()))
    assert AnswerStore(local, remote).get([record().key]) == {record().key: record()}
    assert remote.names("quarantine") == []


class ReadOnly(LocalStore):
    """A remote of which we may only read."""

    def create(self, name: str, content: bytes, *, durable: bool = True) -> bool:
        raise ConfigurationError("this user has no right to")


def test_damage_on_a_read_only_remote_stops_no_run(local: LocalStore, remote: LocalStore):
    for symbol in ("AAA", "BBB"):
        AnswerStore(local, remote).share(record(symbol))
    (remote.root / path_of(record("AAA").key)).write_bytes(b"torn")
    found = AnswerStore(local, ReadOnly(remote.root)).get([record("AAA").key, record("BBB").key])
    assert found == {record("BBB").key: record("BBB")}


def test_a_remote_that_takes_nothing_is_still_read_and_given_later_what_is_left(
    local: LocalStore, remote: LocalStore, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    AnswerStore(LocalStore(tmp_path / "there"), remote).share(record("BBB"))
    AnswerStore(local, None).keep(record("AAA"))
    store = AnswerStore(local, ReadOnly(remote.root))
    store.share_again()
    assert store.get([record("BBB").key]) == {record("BBB").key: record("BBB")}
    assert capfd.readouterr().err.count("this run still reads it, and a later one shares what is left") == 1
    AnswerStore(local, remote).share_again()
    assert remote.read(path_of(record("AAA").key)) == record("AAA").encode()


def test_a_store_that_may_only_be_read_still_hears_the_remote(
    local: LocalStore, remote: LocalStore, capfd: pytest.CaptureFixture[str]
):
    AnswerStore(LocalStore(local.root / "other"), remote).share(record())
    local.create(record().key[:2], b"not a folder")
    assert AnswerStore(local, remote).get([record().key]) == {record().key: record()}
    assert "is used but could not be kept here" in capfd.readouterr().err


def test_a_remote_that_fails_costs_no_answer_and_is_caught_up(
    local: LocalStore, remote: LocalStore, capfd: pytest.CaptureFixture[str]
):
    store = AnswerStore(local, DownAfter(remote, 0))
    assert store.share(store.keep(record())) == record()
    assert "does not share answers now" in capfd.readouterr().err
    assert remote.names(record().key[:2]) == []

    AnswerStore(local, remote).share_again()
    assert remote.read(path_of(record().key)) == record().encode()
    assert local.names("unshared") == []


def test_what_was_bought_before_there_was_a_remote_is_shared_with_it(local: LocalStore, remote: LocalStore):
    store = AnswerStore(local, None)
    store.share(store.keep(record()))
    AnswerStore(local, remote).share_again()
    assert remote.read(path_of(record().key)) == record().encode()
    assert local.names("unshared") == []


def test_another_remote_is_given_what_an_earlier_one_has(local: LocalStore, remote: LocalStore, tmp_path: Path):
    store = AnswerStore(local, remote)
    store.share(store.keep(record()))
    store.share_again()
    moved_to = LocalStore(tmp_path / "another remote")
    AnswerStore(local, moved_to).share_again()
    assert moved_to.read(path_of(record().key)) == record().encode()


def test_a_remote_that_has_all_already_is_written_nothing(local: LocalStore, remote: LocalStore):
    """Each refused write of ten thousand answers would take a request, and its reading another."""
    for symbol in ("AAA", "BBB"):
        store = AnswerStore(local, remote)
        store.share(store.keep(record(symbol)))
    local.create(f"unshared/{record().key}", b"")
    store = AnswerStore(local, ReadOnly(remote.root))
    store.share_again()
    assert store.shared.takes, "nothing was refused"
    assert local.names("unshared") == []
    assert local.read(SHARED_WITH) == store.shared.objects.address.encode()


def test_progress_is_shown_where_a_remote_is_read_and_given_what_it_lacks(
    local: LocalStore, remote: LocalStore, monkeypatch: pytest.MonkeyPatch
):
    shown: list[str] = []
    for module in (answer_store, shared_answers):
        monkeypatch.setattr(module, "progress", lambda items, label: shown.append(label) or items)
    store = AnswerStore(local, remote)
    store.share(record("BBB"))
    store.keep(record())
    assert list(store.mend_remote()) == []
    assert shown == ["reading the remote", "sharing"]
    assert remote.read(path_of(record().key)) == record().encode()


def test_a_remote_that_must_share_stops_the_run_with_the_answer_kept(local: LocalStore, remote: LocalStore):
    store = AnswerStore(local, DownAfter(remote, 0), must_share=True)
    with pytest.raises(BudgetStop, match=r"api.remote_down is stop. Nothing is lost"):
        store.share(store.keep(record()))
    assert AnswerStore(local, None).get([record().key]) == {record().key: record()}


def test_what_the_pipeline_sees_does_not_depend_on_when_or_how_it_was_bought():
    ours = record().answer()
    theirs = replace(record(), paid_utc="2027-01-01T00:00:00.000000Z", call="other", company=9, sdk="other").answer()
    assert (ours.key, ours.source) == (theirs.key, theirs.source)
    assert (ours.values_bp == theirs.values_bp).all()


def test_without_a_remote_there_is_nothing_to_mend(local: LocalStore, monkeypatch: pytest.MonkeyPatch):
    """All answers were just read by `damaged`: they are not read a second time."""
    store = AnswerStore(local, None)
    store.keep(record())
    monkeypatch.setattr(local, "read", pytest.fail)
    assert list(store.mend_remote()) == []
