"""A stored answer that was thrown away: its very record is never used again, here or from the remote."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from stages.commands.answers import drop
from stages.errors import ConfigurationError
from stages.io.object_store import LocalStore
from stages.paid.answer_store import AnswerStore
from stages.paid.locks import Attempts
from stages.paid.pricing import keys_in
from stages.paid.records import path_of
from tests.paid.test_answers import ReadOnly, local, of_a_later_version, record, remote

__all__ = ["local", "remote"]
KEY = record().key


def test_a_dropped_answer_is_missing_and_lies_in_quarantine(local: LocalStore):
    store = AnswerStore(local, None)
    store.keep(record())
    store.drop(KEY)
    assert AnswerStore(local, None).get([KEY]) == {}
    assert local.read(f"quarantine/{KEY}-0.json") == record().encode()
    assert list(store.damaged()) == []
    assert keys_in(local, [KEY]) == set()


def test_only_the_dropped_record_itself_is_ignored(local: LocalStore):
    store = AnswerStore(local, None)
    store.keep(record(value=1e299))
    store.drop(KEY)
    store.keep(record(value=1e299))
    assert store.get([KEY]) == {}
    assert store.keep(record(value=2.0)) == record(value=2.0)
    assert store.get([KEY]) == {KEY: record(value=2.0)}


def test_the_remotes_copy_does_not_come_back(local: LocalStore, remote: LocalStore):
    store = AnswerStore(local, remote)
    store.share(store.keep(record()))
    store.drop(KEY)
    assert AnswerStore(local, remote).get([KEY]) == {}
    assert AnswerStore(local, remote).dropped.keys == {KEY}


def test_the_remotes_copy_does_not_come_back_in_the_bytes_of_a_later_version(local: LocalStore, remote: LocalStore):
    """The copy here holds what this version knows of it, so the two have not the same bytes."""
    remote.create(path_of(KEY), of_a_later_version(record()))
    AnswerStore(local, remote).get([KEY])
    AnswerStore(local, remote).drop(KEY)
    assert AnswerStore(local, remote).get([KEY]) == {}


def test_another_answer_of_the_remote_is_not_dropped_with_the_one_here(local: LocalStore, remote: LocalStore):
    AnswerStore(local, None).keep(record(value=1.0))
    remote.create(path_of(KEY), of_a_later_version(record(value=3.0)))
    AnswerStore(local, remote).drop(KEY)
    assert AnswerStore(local, remote).get([KEY]) == {KEY: record(value=3.0)}


def test_the_new_answer_takes_its_place_on_the_remote(local: LocalStore, remote: LocalStore, tmp_path: Path):
    store = AnswerStore(local, remote)
    store.share(store.keep(record(value=1.0)))
    store.drop(KEY)
    assert store.share(store.keep(record(value=2.0))) == record(value=2.0)
    assert AnswerStore(LocalStore(tmp_path / "there"), remote).get([KEY]) == {KEY: record(value=2.0)}
    assert [remote.read(f"quarantine/{name}") for name in remote.names("quarantine")] == [record(value=1.0).encode()]
    assert local.names("unshared") == []


def test_what_another_machine_bought_anew_is_adopted(local: LocalStore, remote: LocalStore):
    store = AnswerStore(local, remote)
    store.share(store.keep(record(value=1.0)))
    store.drop(KEY)
    remote.replace(path_of(KEY), record(value=3.0).encode())
    assert store.get([KEY]) == {KEY: record(value=3.0)}


def test_nothing_is_dropped_where_the_remote_does_not_let_its_key_go(
    local: LocalStore, remote: LocalStore, monkeypatch: pytest.MonkeyPatch
):
    """One budget for all machines, on a remote that may only be read."""
    store, budget = AnswerStore(local, remote), SimpleNamespace(objects=ReadOnly(remote.root))
    store.share(store.keep(record()))
    attempts = Attempts(remote, "a run", 3)
    attempts.end(attempts.begin({KEY: 0}, "2026-11-22/0000-0") or [], "answered")
    monkeypatch.setattr("stages.commands.answers.read_params", lambda _: SimpleNamespace(max_attempts=3))
    monkeypatch.setattr("stages.commands.answers.store_anywhere", lambda _: store)
    monkeypatch.setattr("stages.commands.answers.ledger_anywhere", lambda _: budget)
    with pytest.raises(ConfigurationError, match="no right"):
        drop(KEY, yes=True)
    assert store.get([KEY]) == {KEY: record()}
