"""An answer that comes too late may be billed: it is asked for once, and not again unasked.

The number of requests is always the server's own count.
"""

from pathlib import Path

import pytest

from stages.errors import BudgetStop, ConfigurationError
from stages.io.object_store import LocalStore
from stages.paid.checks import release_late
from tests.support.contexts import ContextFactory, asked, questions, states
from tests.support.timegpt_server import TimeGPTServer

KEY = asked().question.key


@pytest.fixture
def slow(server: TimeGPTServer) -> TimeGPTServer:
    """Answers after half a second."""
    server.seconds = 0.5
    return server


def test_a_late_question_is_asked_once_and_the_error_says_what_may_have_been_billed(
    contexts: ContextFactory, slow: TimeGPTServer
):
    with pytest.raises(
        ConfigurationError, match=rf"key {KEY} may have been billed once .* raise api.timeout_sec \(to 0\.4, say\)"
    ):
        contexts.backend(timeout_sec=0.2).answer([asked()])
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"may have been billed once .* raise api.timeout_sec above 0\.2"):
            contexts.backend(timeout_sec=0.2).answer([asked()])
    assert (slow.sent, slow.billed) == (1, 1)
    assert states(contexts) == {"unknown": 1}


def test_a_shorter_timeout_is_refused_and_a_longer_one_asks_again(contexts: ContextFactory, slow: TimeGPTServer):
    with pytest.raises(ConfigurationError):
        contexts.backend(timeout_sec=0.2).answer([asked()])
    with pytest.raises(ConfigurationError, match=r"above 0\.2 \(to 0\.4, say\)"):
        contexts.backend(timeout_sec=0.1).answer([asked()])
    assert slow.sent == 1
    assert len(contexts.backend(timeout_sec=30).answer([asked()])) == 1
    assert slow.sent == 2


@pytest.mark.journey  # waits for the service until it is late
def test_each_time_in_vain_is_counted(contexts: ContextFactory, slow: TimeGPTServer):
    for timeout_sec, told in ((0.1, "once"), (0.2, "2 times"), (0.3, "3 times")):
        with pytest.raises(ConfigurationError, match=f"key {KEY} may have been billed {told}"):
            contexts.backend(timeout_sec=timeout_sec).answer([asked()])


@pytest.mark.journey  # waits for the service until it is late
def test_one_release_frees_all_keys_of_the_request(contexts: ContextFactory, slow: TimeGPTServer):
    slow.seconds, pair = 2, questions(["AAA", "BBB"], range(1))
    with pytest.raises(ConfigurationError):
        contexts.backend(timeout_sec=0.5).answer(pair)
    objects = contexts.context().store.local
    assert [release_late(objects, KEY), release_late(objects, KEY)] == [{one.question.key for one in pair}, set()]
    slow.seconds = 0
    assert len(contexts.backend(timeout_sec=10).answer(pair)) == 2


def test_another_snapshot_is_not_held_back(contexts: ContextFactory, slow: TimeGPTServer):
    with pytest.raises(ConfigurationError):
        contexts.backend(timeout_sec=0.2).answer([asked()])
    slow.seconds = 0
    assert len(contexts.backend(timeout_sec=5).answer([asked(snapshot=1)])) == 1
    with pytest.raises(ConfigurationError, match="may have been billed once"):
        contexts.backend(timeout_sec=0.2).answer([asked()])


@pytest.mark.parametrize("again", ["ask_canary", "prove_independence"])
def test_what_is_asked_a_second_time_and_comes_late_is_not_asked_again_either(
    again: str, contexts: ContextFactory, server: TimeGPTServer
):
    pair = questions(["AAA", "BBB"], range(1))
    contexts.backend().answer(pair)
    server.seconds = 0.5
    for _ in range(3):
        with pytest.raises(ConfigurationError, match="may have been billed once"):
            getattr(contexts.backend(timeout_sec=0.2), again)(pair)
    assert server.sent == 2
    server.seconds = 0
    assert getattr(contexts.backend(timeout_sec=5), again)(pair)


def test_machines_with_one_budget_know_of_each_others_late_requests(
    tmp_path: Path, contexts: ContextFactory, slow: TimeGPTServer
):
    remote = LocalStore(tmp_path / "remote")
    here, there = (ContextFactory(tmp_path / name, slow.url, remote=remote) for name in ("here", "there"))
    with pytest.raises(ConfigurationError, match="billed once"):
        here.backend(scope="remote", timeout_sec=0.2).answer([asked()])
    with pytest.raises(ConfigurationError, match="billed once"):
        there.backend(scope="remote", timeout_sec=0.2).answer([asked()])
    assert slow.sent == 1


def test_the_models_facts_that_come_late_say_so(contexts: ContextFactory, server: TimeGPTServer):
    contexts.know_model = False
    server.facts_seconds = 0.5
    with pytest.raises(
        BudgetStop, match=r"no answer came within api.timeout_sec .* raise api.timeout_sec and run again"
    ):
        contexts.backend(timeout_sec=0.2).answer([asked()])
    assert server.requests == {"model_params": 1}
