"""What a failure keeps of what came back, and how long the next attempt waits: at the exact limits."""

import httpx
import pytest
from nixtla.nixtla_client import ApiError

from stages.paid.failures import LONGEST_EVIDENCE, failure_of
from stages.paid.responses import UnreadableAnswer

KEY = "nixak-0123456789"


@pytest.mark.parametrize(("length", "told"), [(300, "x" * 300), (301, "x" * 300 + "…")])
def test_an_error_is_reported_in_at_most_300_characters(length: int, told: str):
    failure = failure_of(UnreadableAnswer("x" * length), sent=True, secrets=[KEY])
    assert f"is not an answer ({told}); it counts" in str(failure.error)


@pytest.mark.parametrize(("length", "kept"), [(1_000_000, 1_000_000), (1_000_001, 1_000_000)])
def test_of_a_reply_that_is_no_answer_a_million_characters_are_kept(length: int, kept: int):
    failure = failure_of(UnreadableAnswer("no answer"), sent=True, secrets=[KEY], reply="x" * length)
    assert (failure.state, failure.evidence) == ("unknown", "x" * kept)
    assert kept <= LONGEST_EVIDENCE


@pytest.mark.parametrize(
    "reply",
    ["x" * (LONGEST_EVIDENCE - 5) + KEY + "y" * 20, "x" + KEY * (2 * LONGEST_EVIDENCE // len(KEY) + 1)],
    ids=["once", "all the way"],
)
def test_a_key_at_the_end_of_what_is_kept_is_not_kept_in_part(reply: str):
    failure = failure_of(UnreadableAnswer("no answer"), sent=True, secrets=[KEY], reply=reply)
    assert "nixak" not in failure.evidence
    assert len(failure.evidence) <= LONGEST_EVIDENCE


def test_without_a_reply_the_error_itself_is_kept_or_its_kind_if_it_says_nothing():
    assert failure_of(UnreadableAnswer("torn"), sent=True, secrets=[]).evidence == "torn"
    assert failure_of(UnreadableAnswer(""), sent=True, secrets=[]).evidence == "UnreadableAnswer"


@pytest.mark.parametrize(
    ("status", "asked_sec", "waits_sec"), [(429, None, 10.0), (429, 3.0, 3.0), (503, None, 0.0), (503, 3.0, 3.0)]
)
def test_the_next_attempt_waits_as_long_as_the_service_asks_and_ten_seconds_where_there_were_too_many(
    status: int, asked_sec: float | None, waits_sec: float
):
    error = ApiError(status_code=status, body="")
    assert failure_of(error, sent=True, secrets=[], pause_sec=asked_sec).wait_sec == waits_sec


@pytest.mark.parametrize(
    ("error", "state", "again", "late"),
    [
        (httpx.ConnectError("x"), "refunded", 0, False),
        (httpx.ConnectTimeout("x"), "refunded", 0, False),
        (httpx.ProxyError("407 Proxy Authentication Required"), "refunded", 0, False),
        (httpx.ReadTimeout("x"), "unknown", 0, True),
        (httpx.RemoteProtocolError("x"), "unknown", 99, False),
        (UnreadableAnswer("x"), "unknown", 0, False),
    ],
)
def test_only_a_request_that_never_left_is_refunded_and_only_a_broken_line_is_tried_again(
    error: Exception, state: str, again: int, late: bool
):
    failure = failure_of(error, sent=True, secrets=[])
    assert (failure.state, failure.again, failure.late) == (state, again, late)


@pytest.mark.parametrize(
    ("statuses", "treated", "remedy"),
    [
        ((301, 302, 303, 307, 308), ("refused", 0, False, False), "correct forecaster.base_url"),
        ((401, 403), ("refused", 0, False, False), "check NIXTLA_API_KEY"),
        ((402,), ("refused", 0, False, False), "quota or credit"),
        ((400, 413, 422), ("refused", 0, True, True), "refuses the question itself"),
        ((404,), ("refused", 0, True, False), "refuses the question itself"),
        ((429,), ("refused", 99, False, False), "raise api.cooldown_sec"),
        ((500,), ("unknown", 1, False, False), "the service failed"),
        ((408, 409, 502, 503, 504), ("unknown", 99, False, False), "run again later"),
        ((300, 304, 309, 405, 501, 505), ("unknown", 0, False, False), "see the service's documentation"),
    ],
)
def test_what_each_status_means_for_the_next_attempt(statuses: tuple[int, ...], treated: tuple[object, ...], remedy):
    """Its state for the ledger, how many more attempts, whether never again alone, and whether a smaller one may do."""
    for status in statuses:
        failure = failure_of(ApiError(status_code=status, body=""), sent=True, secrets=[])
        assert (failure.state, failure.again, failure.never, failure.smaller) == treated
        assert f"says {status}: " in str(failure.error)
        assert remedy in str(failure.error)
