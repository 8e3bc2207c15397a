"""Small facts beside the answers: a damaged one is told, counts as missing and gives way to the next sound one."""

import json

import pytest

from stages.errors import ConfigurationError
from stages.io.clock import SystemClock
from stages.io.object_store import LocalStore
from stages.paid.answer_store import AnswerStore
from stages.paid.batch_invariance import path_of_proof
from stages.paid.client import ModelFacts
from stages.paid.limits import set_standing_limit
from stages.paid.model_facts import parse_facts, path_of_facts, read_note, write_note
from tests.paid.test_answers import local, remote
from tests.support.contexts import ContextFactory, asked, questions
from tests.support.timegpt_server import TimeGPTServer

__all__ = ["local", "remote"]
NAME = "models/abc.json"
NESTED = b"[" * 100_000  # deeper than Python reads
SOUND = b'{"horizon": 20, "input_size": 500}'
DAMAGED = [
    b"",
    b"{",
    b"[]",
    b"3",
    b'{"input_size": "x", "horizon": 20}',
    b'{"horizon": 20}',
    b'{"independent": "yes"}',
    pytest.param(NESTED, id="nested"),
    pytest.param(b'{"independent": true, "largest_difference": 1%s, "key": "k"}' % (b"0" * 400), id="huge"),
]


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_note_is_reported_and_replaced(damage: bytes, local: LocalStore, capfd: pytest.CaptureFixture[str]):
    local.create(NAME, damage)
    store = AnswerStore(local, None)
    assert read_note(store, NAME, parse_facts) is None
    assert "the note models/abc.json is damaged" in capfd.readouterr().err
    write_note(store, NAME, SOUND, parse_facts)
    assert read_note(store, NAME, parse_facts) == ModelFacts(500, 20)


def test_the_sound_copy_of_one_side_mends_the_other(local: LocalStore, remote: LocalStore):
    local.create(NAME, b"torn")
    remote.create(NAME, SOUND)
    assert read_note(AnswerStore(local, remote), NAME, parse_facts) == ModelFacts(500, 20)
    assert local.read(NAME) == SOUND
    remote.replace(NAME, b"torn")
    write_note(AnswerStore(local, remote), NAME, SOUND, parse_facts)
    assert remote.read(NAME) == SOUND


def test_of_two_damaged_copies_neither_replaces_the_other(local: LocalStore, remote: LocalStore):
    local.create(NAME, b"torn")
    remote.create(NAME, b"rotten")
    assert read_note(AnswerStore(local, remote), NAME, parse_facts) is None
    assert (local.read(NAME), remote.read(NAME)) == (b"torn", b"rotten")


def test_a_sound_note_stands(local: LocalStore):
    store = AnswerStore(local, None)
    for size in (b"500", b"600"):
        write_note(store, NAME, SOUND.replace(b"500", size), parse_facts)
    assert read_note(store, NAME, parse_facts) == ModelFacts(500, 20)


def test_damaged_facts_of_a_model_cost_one_request_once(contexts: ContextFactory, server: TimeGPTServer):
    (contexts.context().store.local.root / path_of_facts(asked().question)).write_bytes(b"torn")
    for number in range(2):
        contexts.backend().answer([asked(snapshot=number)])
    assert server.requests == {"model_params": 1, "forecast": 2}


def test_whatever_is_written_beside_the_answers_names_its_facts_in_order(contexts: ContextFactory):
    """Equal facts are equal bytes then, whichever version wrote them."""

    def require_order(pairs: list[tuple[str, object]]) -> None:
        assert [name for name, _ in pairs] == sorted(name for name, _ in pairs)

    contexts.know_model = False
    set_standing_limit(contexts.context().store.local, 100, SystemClock())
    contexts.backend().prove_independence(questions(["AAA"], range(3)))
    files = [path for path in contexts.root.rglob("*") if path.is_file() and path.read_bytes().startswith(b"{")]
    for path in files:
        json.loads(path.read_bytes(), object_pairs_hook=require_order)
    assert {path.relative_to(contexts.root).parts[0] for path in files} >= {"budget", "models", "proofs"}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_proof_is_no_proof_and_the_remedy_named_works(
    damage: bytes, contexts: ContextFactory, server: TimeGPTServer
):
    wanted = questions(["AAA", "BBB"], range(3))
    contexts.backend().prove_independence(wanted)
    (contexts.root / path_of_proof(wanted[0].question)).write_bytes(damage)
    more = questions(["AAA", "BBB"], range(5))
    with pytest.raises(
        ConfigurationError, match=r"needs a proof .* `make prove-independence`, which asks the service once"
    ):
        contexts.backend(pack="snapshots").answer(more)
    contexts.backend().prove_independence(wanted)
    assert len(contexts.backend(pack="snapshots").answer(more)) == 10
