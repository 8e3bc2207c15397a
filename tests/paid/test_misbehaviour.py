"""A service that misbehaves in every way it can: state of the reservation, sentence, and the healthy run after it.

The number of requests is always the server's own count.
"""

import traceback
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.errors import BudgetStop, ConfigurationError, DataContractError, PipelineError
from stages.paid.responses import UnreadableAnswer
from stages.paid.timegpt import _read
from tests.support.contexts import ContextFactory, asked, everything_under, questions, states
from tests.support.timegpt_server import NEVER_SEEN, STATUS, WRONG, TimeGPTServer


@dataclass(frozen=True)
class End:
    """How such a run ends: exit code, requests sent, state of each reservation, a part of the sentence."""

    code: int
    sent: int
    state: str
    told: str


UNSOUND = "is unsound: {}"
IN_VAIN = "no answer came within api.timeout_sec 0.3, so the request counts: key"
NO_ANSWER = "no answer came ({}"
NOT_AN_ANSWER = "the service's response is not an answer ({}"

ENDS = {
    "308": End(5, 1, "refused", "says 308: the service redirects to another address"),
    "401": End(5, 1, "refused", "says 401: check NIXTLA_API_KEY"),
    "401_echo": End(5, 1, "refused", "says 401: check NIXTLA_API_KEY"),
    "400_echo": End(5, 1, "refused", "says 400: the service refuses the question itself"),
    "500_too_short": End(5, 1, "refused", "says 500: a series is too short for the model"),
    "401_too_short": End(5, 1, "refused", "says 401: check NIXTLA_API_KEY"),
    "402": End(4, 1, "refused", "says 402: the account's quota or credit is used up"),
    "403": End(5, 1, "refused", "says 403: check NIXTLA_API_KEY"),
    "400": End(5, 1, "refused", "says 400: the service refuses the question itself"),
    "404": End(5, 1, "refused", "says 404: the service refuses the question itself"),
    "413": End(5, 1, "refused", "says 413: the service refuses the question itself"),
    "422": End(5, 1, "refused", "says 422: the service refuses the question itself"),
    "429": End(4, 3, "refused", "says 429: the service asks for fewer requests"),
    "429_quota": End(4, 1, "refused", "says 429: the account's quota or credit is used up"),
    "429_retry_after": End(4, 3, "refused", "says 429: the service asks for fewer requests"),
    "429_until": End(4, 3, "refused", "says 429: the service asks for fewer requests"),
    "429_long_enough": End(4, 3, "refused", "says 429: the service asks for fewer requests"),
    "429_too_short": End(4, 3, "refused", "says 429: the service asks for fewer requests"),
    "429_for_ever": End(4, 1, "refused", "asks to wait 1e+300 s"),
    "429_long_wait": End(4, 1, "refused", "asks to wait 3600 s"),
    "408": End(4, 3, "unknown", "says 408: run again later"),
    "409": End(4, 3, "unknown", "says 409: run again later"),
    "500": End(4, 2, "unknown", "says 500: the service failed"),
    "502": End(4, 3, "unknown", "says 502: run again later"),
    "503": End(4, 3, "unknown", "says 503: run again later"),
    "504": End(4, 3, "unknown", "says 504: run again later"),
    "hang": End(5, 1, "unknown", IN_VAIN),
    "drip": End(5, 1, "unknown", IN_VAIN),
    "drip_headers": End(5, 1, "unknown", IN_VAIN),
    "drop_before": End(4, 3, "unknown", NO_ANSWER.format("ReadError")),
    "drop_after": End(4, 3, "unknown", NO_ANSWER.format("ReadError")),
    "huge": End(2, 1, "unknown", "the response is longer than 50 MB"),
    "huge_unpacked": End(2, 1, "unknown", "the response is longer than 50 MB"),
    "garbage": End(2, 1, "unknown", NOT_AN_ANSWER.format("")),
    "garbage_echo": End(2, 1, "unknown", NOT_AN_ANSWER.format("")),
    "missing_intervals": End(2, 1, "unknown", NOT_AN_ANSWER.format("its intervals are null, not an object")),
    "wrong_length": End(2, 1, "unknown", NOT_AN_ANSWER.format("its mean holds 19 values, not 20")),
    "longer_bound": End(2, 1, "unknown", NOT_AN_ANSWER.format("its lo-90 holds 21 values, not 20")),
    "one_number": End(2, 1, "unknown", NOT_AN_ANSWER.format("its mean is the number 0.3, not a list of 20 numbers")),
    "nested": End(2, 1, "unknown", NOT_AN_ANSWER.format("its lo-90 holds 1 values, not 20")),
    "nulls": End(2, 1, "unknown", NOT_AN_ANSWER.format("its lo-0 holds null among its numbers")),
    "booleans": End(2, 1, "unknown", NOT_AN_ANSWER.format("its lo-90 holds false among its numbers")),
    "texts": End(2, 1, "unknown", NOT_AN_ANSWER.format("its mean holds a text among its numbers")),
    "infinite": End(2, 1, "unknown", NOT_AN_ANSWER.format("its lo-90 holds the number -inf among its numbers")),
    "absurd": End(2, 1, "unknown", UNSOUND.format("it says -1e+300 bp for minute 1, where at most ")),
    "implausible": End(2, 1, "unknown", UNSOUND.format("it says -9999 bp for minute 1, where at most ")),
    "crossed": End(2, 1, "unknown", UNSOUND.format("its quantiles cross")),
    "equal": End(2, 1, "unknown", UNSOUND.format("all its values are 0")),
}
NEVER_AGAIN = {"400", "400_echo", "404", "413", "422", "500_too_short"}
SLOW = {"hang", "drip", "drip_headers"}


def test_every_misbehaviour_of_the_stand_in_is_tried():
    by_hand = {"hang", "drop_before", "drop_after", "drip", "drip_headers", "huge", "garbage"}
    by_hand |= {"huge_unpacked", "garbage_echo"}
    told_in_company_only = {"dependent"}  # see test_packing
    assert set(ENDS) == (set(STATUS) | set(WRONG) | by_hand) - told_in_company_only


@pytest.mark.parametrize("behaviour", ENDS)
def test_each_misbehaviour_ends_in_its_state_and_its_sentence(
    behaviour: str, contexts: ContextFactory, server: TimeGPTServer, clock: Any
):
    expected = ENDS[behaviour]
    patience = {"timeout_sec": 0.3} if behaviour in SLOW else {}
    server.always(behaviour)
    with pytest.raises(PipelineError) as failure:
        contexts.backend(clock, **patience).answer([asked()])
    assert (failure.value.exit_code, server.sent) == (expected.code, expected.sent)
    assert expected.told in str(failure.value)
    assert states(contexts) == {expected.state: expected.sent}
    assert not list(contexts.root.glob("??/*.json"))
    seen = "".join(traceback.format_exception(failure.value)) + everything_under(contexts.root)
    assert [form for form in NEVER_SEEN if form in seen] == []

    server.always(None)
    if behaviour in NEVER_AGAIN:
        with pytest.raises(ConfigurationError, match=r"was refused before: .*make release KEY="):
            contexts.backend(clock).answer([asked()])
        assert server.sent == expected.sent
    else:
        assert len(contexts.backend(clock, timeout_sec=30).answer([asked()])) == 1


def test_a_passing_trouble_is_retried_on_reservations_of_its_own(contexts: ContextFactory, server: TimeGPTServer):
    server.next("503", "drop_after", "ok")
    assert len(contexts.backend().answer([asked()])) == 1
    assert server.sent == 3
    assert states(contexts) == {"unknown": 2, "answered": 1}


@pytest.mark.parametrize(
    ("behaviour", "waited"),
    [("429_retry_after", 7.0), ("429_until", 40.0), ("429", 10.0)],
    ids=["seconds", "a date, read against the response's own", "no hint: the SDK's own pause"],
)
def test_the_service_is_given_the_pause_it_asks_for(
    behaviour: str, waited: float, contexts: ContextFactory, server: TimeGPTServer, clock: Any
):
    server.next(behaviour, "ok")
    contexts.backend(clock).answer([asked()])
    assert clock.waited == [waited]


def test_retries_stop_at_the_budget(contexts: ContextFactory, server: TimeGPTServer):
    server.always("503")
    with pytest.raises(BudgetStop):
        contexts.backend(per_day=2).answer([asked()])
    assert server.sent == 2


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Date", "Sun, 22 Nov 2026 12:00:00 +99999999999999"),
        ("Retry-After", "Sun, 22 Nov 2026 12:00:00 +99999999999999"),
        ("Content-Type", "application/json; charset=utf-16"),
        ("Content-Type", "application/json; charset=hex"),
    ],
)
def test_no_header_costs_a_paid_answer(header: str, value: str, contexts: ContextFactory, server: TimeGPTServer):
    server.headers = {header: value}
    assert len(contexts.backend().answer([asked()])) == 1


def test_an_address_without_a_server_costs_nothing(contexts: ContextFactory, server: TimeGPTServer):
    contexts.url = "http://127.0.0.1:9"
    with pytest.raises(ConfigurationError, match=r"cannot be reached .* nothing was sent or counted"):
        contexts.backend(per_run=1).answer([asked()])
    assert states(contexts) == {"refunded": 1}


def test_an_unsound_answer_lies_in_quarantine_as_it_came(contexts: ContextFactory, server: TimeGPTServer):
    server.next("crossed")
    with pytest.raises(
        DataContractError, match=r"AAA at 2024-09-03 14:30Z \(key \w+\) is unsound: its quantiles cross"
    ):
        contexts.backend().answer([asked()])
    kept = list(contexts.root.glob("quarantine/call-*.txt"))
    assert len(kept) == 1
    assert "values_bp" in kept[0].read_text()


def test_one_unsound_series_voids_the_whole_reply(contexts: ContextFactory, server: TimeGPTServer):
    server.next("crossed")
    with pytest.raises(DataContractError):
        contexts.backend().answer(questions(["AAA", "BBB"], range(1)))
    assert not list(contexts.root.glob("??/*.json"))


def answered_as(ids: list[str]) -> pd.DataFrame:
    """What the SDK would return for one-symbol answers of 20 steps, in the order of `ids`."""
    columns = {"TimeGPT": 0.0, **{f"TimeGPT-q-{level}": float(level) for level in (5, 25, 50, 75, 95)}}
    return pd.DataFrame({"unique_id": np.repeat(ids, 20), **columns})


def test_answers_in_another_order_or_number_than_asked_are_refused():
    pair = questions(["AAA", "BBB"], range(1))
    assert _read(answered_as(["000000", "000001"]), pair, None).values_bp.shape == (2, 5, 20)
    for ids in (["000001", "000000"], ["000000"], ["000000", "000000"]):
        with pytest.raises(UnreadableAnswer, match="rows came back for 2 questions of 20 steps"):
            _read(answered_as(ids), pair, None)


@pytest.mark.parametrize("symbols", [["AAA"], ["AAA", "BBB"], ["AAA", "BBB", "CCC"]])
def test_series_swapped_by_the_service_itself_are_caught_by_the_proof_of_independence(
    symbols: list[str], contexts: ContextFactory, server: TimeGPTServer
):
    """No name travels, so a single reply cannot show it; the proof compares one series alone and in company."""
    server.always("swapped")
    assert not contexts.backend().prove_independence(questions(symbols, range(3)))
    with pytest.raises(ConfigurationError, match="answered one question differently in a batch"):
        contexts.backend(pack="snapshots").answer(questions(["AAA", "BBB"], range(3)))
