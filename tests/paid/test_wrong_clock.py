"""A machine's clock that runs ahead or is set back: no day is spent twice, and nobody waits a year.

The number of requests is always the server's own count.
"""

from typing import Any

import pytest

from stages.commands.spending import _compared
from stages.errors import BudgetStop, ConfigurationError
from tests.support.contexts import ContextFactory, asked, questions
from tests.support.timegpt_server import TimeGPTServer

DAY_SEC = 24 * 3600
YEAR_SEC = 365 * DAY_SEC


@pytest.fixture
def righted(contexts: ContextFactory, clock: Any) -> ContextFactory:
    """Three requests were sent in 2027; then the clock was set right."""
    clock.wait(YEAR_SEC)
    contexts.backend(clock).answer(questions(["AAA"], range(3)))
    clock.wait(-YEAR_SEC)
    return contexts


def test_nothing_is_sent_until_the_user_says_which_clock_is_right(righted: ContextFactory, clock: Any):
    with pytest.raises(BudgetStop, match=r"requests of 2027-11-22.*`make budget CLOCK=right` counts .* on 2026-11-22"):
        righted.backend(clock).answer([asked("BBB")])


def test_requests_of_a_clock_that_ran_ahead_count_today(righted: ContextFactory, server: TimeGPTServer, clock: Any):
    ledger = righted.context(clock, per_day=5).ledger
    assert ledger.days.right_clock("a run") == {"2027-11-22": 3}
    assert ledger.days.right_clock("a run") == {}
    assert ledger.left_today() == 2
    with pytest.raises(BudgetStop, match="2026-11-22 has seen 5 of 5 requests"):
        righted.backend(clock, per_day=5).answer(questions(["BBB"], range(5)))
    assert server.sent == 5


def test_requests_of_a_clock_that_ran_ahead_stand_in_the_month_compared_with_the_vendor(
    righted: ContextFactory, clock: Any
):
    """And again in the month of 2027, as its limits count them."""
    ledger = righted.context(clock).ledger
    ledger.days.right_clock("a run")
    righted.backend(clock).answer([asked("BBB")])
    assert "vendor counts 4 requests this month, the ledger 4 in 2026-11" in _compared({"month": {"used": 4}}, ledger)
    clock.wait(YEAR_SEC)
    assert "the ledger 3 in 2027-11" in _compared({"month": {"used": 4}}, ledger)


def test_tomorrow_is_a_whole_day_and_the_day_itself_counts_them_again(righted: ContextFactory, clock: Any):
    righted.context(clock).ledger.days.right_clock("a run")
    clock.wait(DAY_SEC)
    assert righted.context(clock, per_day=5).ledger.left_today() == 5
    clock.wait(YEAR_SEC - DAY_SEC)
    assert righted.context(clock, per_day=5).ledger.left_today() == 2


def test_accepting_a_slow_clock_spends_no_day_twice(contexts: ContextFactory, server: TimeGPTServer, clock: Any):
    contexts.backend(clock, per_day=3).answer(questions(["AAA"], range(3)))
    clock.wait(-DAY_SEC)
    contexts.context(clock).ledger.days.right_clock("a run")
    for _ in range(2):
        with pytest.raises(BudgetStop, match="has seen 3 of 3 requests"):
            contexts.backend(clock, per_day=3).answer([asked("BBB")])
        clock.wait(DAY_SEC)
    assert server.sent == 3


def test_days_without_a_request_stop_no_run(contexts: ContextFactory, server: TimeGPTServer, clock: Any):
    """A certificate that a wrong clock finds expired ends in a refund."""
    there, contexts.url = contexts.url, "http://127.0.0.1:9"
    clock.wait(YEAR_SEC)
    with pytest.raises(ConfigurationError, match="cannot be reached"):
        contexts.backend(clock).answer([asked()])
    clock.wait(-YEAR_SEC)
    contexts.url = there
    assert len(contexts.backend(clock).answer([asked()])) == 1


def test_a_minute_is_no_longer_for_requests_of_a_clock_that_ran_ahead_within_the_day(
    contexts: ContextFactory, clock: Any
):
    """A clock that is up to a minute ahead, as another machine's may be, still counts."""
    for ahead_sec, waited_sec in ((5 * 3600, 0), (30, 90), (60, 120), (61, 0), (-59, 1), (-60, 0)):
        clock.wait(ahead_sec)
        contexts.backend(clock, per_minute=2).answer(questions([f"A{ahead_sec}"], range(2)))
        clock.wait(-ahead_sec)
        before = clock.now()
        contexts.backend(clock, per_minute=2).answer([asked(f"B{ahead_sec}")])
        assert (clock.now() - before).total_seconds() == waited_sec
        clock.wait(120)


def test_a_service_with_another_date_is_reported_once(
    contexts: ContextFactory, server: TimeGPTServer, capfd: pytest.CaptureFixture[str]
):
    server.headers = {"Date": "Mon, 22 Nov 2027 12:00:00 GMT"}
    contexts.backend().answer(questions(["AAA"], range(2)))
    assert capfd.readouterr().err.count("and the service's 2027-11-22 12:00Z: if ours is wrong") == 1
