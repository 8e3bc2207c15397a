"""The price of evidence: what simulated days say agrees with a closed form, and with what real days cost."""

from dataclasses import replace

import numpy as np
import pytest

from stages.worth import price_of_evidence
from stages.worth.evidence import wealth
from stages.worth.price_of_evidence import (
    PARTS,
    PATHS,
    Setup,
    Wait,
    _line,
    before_you_buy,
    more_sessions,
    price_of_a_call,
    sessions_to_know,
    waits,
)
from stages.worth.verdict import Terms, judge

SD = 0.049
TERMS = Terms(delta=0.03, alpha=0.05, prior_studies=0, min_days=10, planned_sessions=120, s0=SD)
SETUP = Setup(symbols=["AAPL"], snapshots=8, calls_a_session=8, sessions_before=0, calls_before=0, price_per_call=None)
SDS = {"close": 0.032, "usual": SD, "far": 0.083}
PAIR = ("persistence", "free_mix")


def terms(**changes: float) -> Terms:
    return Terms(**(vars(TERMS) | changes))


def closed_form(ratio: float, kappa: float) -> float:
    """Days until E reaches 20: the bet's growth a day, and what learning which bet to make costs."""
    bet = min(ratio, 0.2375)
    return (np.log(20.0) + kappa) / (bet * ratio - bet**2 * (1 + ratio**2) / 2)


@pytest.mark.parametrize(("ratio", "kappa"), [(0.3, 0.5), (0.4, 0.7), (0.6, 0.85), (0.8, 0.85), (1.0, 0.85)])
def test_the_median_day_agrees_with_the_closed_form(ratio: float, kappa: float):
    # delta is next to nothing, so that evidence alone decides
    alone = terms(delta=1e-6, planned_sessions=300, min_days=1, s0=1.0)
    [wait] = waits(1.0, alone, [ratio])
    assert wait.median == pytest.approx(closed_form(ratio, kappa), rel=0.06)


def test_without_an_advantage_the_wait_is_that_of_the_asked_advantage():
    [none] = waits(SD, TERMS, [0.0])
    assert none.median == pytest.approx(closed_form(0.03 / SD, 0.85), rel=0.06)
    assert (none.worth, none.not_worth) == (pytest.approx(0.0, abs=0.01), pytest.approx(1.0, abs=0.01))


def test_a_larger_advantage_is_known_sooner_and_days_that_differ_more_take_longer():
    at = {wait.advantage: wait for wait in waits(SD, TERMS)}
    assert at[0.10].median < at[0.05].median < at[0.03].median
    assert at[0.10].late < at[0.05].late
    assert at[0.10].worth == 1.0
    assert 0.7 < at[0.03].worth < 0.9, "an estimate near what was asked hovers"
    assert at[0.01].not_worth > 0.8
    assert at[0.01].worth < 0.05
    assert [wait.median for wait in waits(0.083, terms(s0=0.083), [0.05])] > [at[0.05].median]


def test_a_long_plan_is_simulated_some_paths_at_a_time(monkeypatch: pytest.MonkeyPatch):
    at_once = []
    monkeypatch.setattr(price_of_evidence, "wealth", lambda x: at_once.append(len(x)) or wealth(x))
    waits(SD, TERMS, [0.05])
    more_sessions(np.full(5, 0.01), TERMS)
    assert max(at_once) * PARTS == sum(at_once) / 4 == PATHS  # two kinds of evidence, twice


def test_what_is_not_known_by_the_end_of_the_plan_has_no_day():
    [wait] = waits(SD, terms(planned_sessions=20), [0.01])
    assert (wait.median, wait.late) == (None, None)


def test_the_plan_agrees_with_days_that_are_drawn_one_after_the_other():
    rng = np.random.default_rng(3)
    days = [judge(0.05 + SD * rng.standard_normal(40), TERMS).decided for _ in range(40)]
    observed = np.median([np.inf if day is None else day + 1 for day in days])
    [wait] = waits(SD, TERMS, [0.05])
    assert wait.median == pytest.approx(observed, rel=0.2)


def test_the_remaining_wait_follows_from_the_days_so_far():
    x = 0.05 + SD * np.random.default_rng(11).standard_normal(12)
    assert judge(x, TERMS).decided is None
    first, last = more_sessions(x, TERMS)
    assert 1 <= first < last
    assert more_sessions(x, terms(planned_sessions=12)) == (None, None)
    # days that are all alike go on all alike
    assert more_sessions(np.full(12, 0.03), TERMS) == (19 - 12 + _later(np.full(40, 0.03)),) * 2
    assert more_sessions(np.full(2, 0.03), TERMS) == (19 - 2 + _later(np.full(40, 0.03)),) * 2


@pytest.mark.parametrize("so_far", [[], [0.01]])
def test_before_the_second_day_the_planned_deviation_counts(so_far, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(price_of_evidence, "_noise", lambda days: np.ones((PATHS, days)))
    path = np.array([*so_far, *[sum(so_far) + SD] * 40])
    assert more_sessions(np.array(so_far), TERMS) == (judge(path, TERMS).days - len(so_far),) * 2


def test_the_quartiles_are_the_days_of_the_first_and_the_third_of_four_paths(monkeypatch: pytest.MonkeyPatch):
    x = 0.05 + SD * np.random.default_rng(11).standard_normal(12)
    levels = np.array([[1.0], [0.3], [-0.2], [-0.5]])
    monkeypatch.setattr(price_of_evidence, "PATHS", len(levels))
    monkeypatch.setattr(price_of_evidence, "_noise", lambda days: np.tile(levels, days))
    paths = x.mean() + x.std(ddof=1) * np.tile(levels, 108)
    decided = [judge(np.append(x, path), TERMS).decided + 1 - 12 for path in paths]
    assert decided == sorted(set(decided))
    assert more_sessions(x, TERMS) == (decided[0], decided[2])


@pytest.mark.parametrize("x", [[0.05], [0.02, 0.08]], ids=["one", "two"])
def test_two_days_so_far_have_a_deviation_and_one_takes_that_of_the_plan(x: list[float]):
    first, last = more_sessions(np.array(x), TERMS)
    assert 1 <= first < last


def _later(x: np.ndarray) -> int:
    """How much later than day nineteen, for a planned deviation other than 0.05."""
    return judge(x, TERMS).days - 19


def test_a_small_advantage_takes_seven_days_over_its_square():
    # An improvement of the annual Sharpe ratio by 1 is 0.063 a day: seven years of 252 sessions.
    assert sessions_to_know(0.063, 1.0) == pytest.approx(7 * 252, rel=0.01)
    assert sessions_to_know(-0.063, 1.0) == sessions_to_know(0.063, 1.0)
    assert sessions_to_know(0.0, 1.0) is None


def test_a_price_is_as_stated_or_that_of_the_tokens():
    assert price_of_a_call(0.01, 5.0, 1_000) == 0.01
    assert price_of_a_call(None, 5.0, 2_000) == pytest.approx(0.01)
    assert price_of_a_call(None, None, 2_000) is None
    assert price_of_a_call(None, 5.0, None) is None


def test_the_plan_in_words():
    lines = before_you_buy(SETUP, SDS, PAIR, TERMS)
    assert lines[0] == (
        "Before you buy (AAPL, 8 snapshots, 8 calls a session, at most 120 sessions = 960 calls; days vary by 4.9 %, "
        "as between persistence and the best free forecast):"
    )
    named = ["advantage 1 %", "advantage 3 %", "advantage 5 %", "advantage 10 %", "none at all"]
    assert [line.split(":")[0] for line in lines[1:]] == named
    [wait] = waits(SD, TERMS, [0.05])
    low, high = (waits(SDS[name], TERMS, [0.05])[0].median for name in ("close", "far"))
    assert lines[3] == (
        f"advantage 5 %: WORTH after about {wait.median} sessions ({low} to {high}), {8 * wait.median} calls; known at "
        "its end in 100 % of cases"
    )
    assert lines[5].startswith("none at all: NOT WORTH after about ")
    assert before_you_buy(SETUP, SDS, ("ewma_fhs", "har"), terms(planned_sessions=1))[0].endswith(
        "4.9 %, as between ewma_fhs and har):"
    )


@pytest.mark.parametrize(("worth", "not_worth", "verdict"), [(0.5, 0.5, "WORTH"), (0.49, 0.5, "NOT WORTH")])
def test_a_line_names_the_verdict_of_more_paths_and_of_as_many_the_better_one(worth, not_worth, verdict):
    wait = Wait(advantage=0.02, median=7, late=None, worth=worth, not_worth=not_worth)
    assert _line(wait, [], SETUP).startswith(f"advantage 2 %: {verdict} after about 7 sessions")


def test_an_end_of_the_range_that_lies_behind_the_plan_is_open():
    short = terms(planned_sessions=40)
    [three] = waits(SD, short, [0.03])
    [close] = waits(SDS["close"], short, [0.03])
    assert (
        f"after about {three.median} sessions ({close.median} or more), " in before_you_buy(SETUP, SDS, PAIR, short)[2]
    )
    far = before_you_buy(SETUP, {"close": 0.083, "usual": SD, "far": 0.09}, PAIR, short)[2]
    assert f"after about {three.median} sessions ({three.median} or more), {8 * three.median} calls; known at" in far


def test_a_longer_plan_begins_with_the_days_of_a_shorter_one():
    short, long = (waits(SD, terms(planned_sessions=sessions), [0.05, 0.10]) for sessions in (60, 120))
    assert [wait.median for wait in short] == [wait.median for wait in long]


def test_the_plan_counts_the_days_that_only_calibrate_and_money_where_a_price_is_stated():
    setup = Setup(
        symbols=["A", "B"],
        snapshots=4,
        calls_a_session=8,
        sessions_before=3,
        calls_before=14,
        price_per_call=0.5,
        price_before=1.25,
    )
    lines = before_you_buy(setup, SDS, PAIR, terms(planned_sessions=40))
    [wait] = waits(SD, terms(planned_sessions=40), [0.10])
    days = wait.median + 3
    assert f"{days} sessions" in lines[4]
    calls = 14 + 8 * wait.median
    assert f", {calls} calls, at a price of {1.25 + 8 * wait.median / 2:.2f};" in lines[4]
    assert f", {calls} calls, at a price of 1.25;" in _line(wait, (wait, wait), replace(setup, price_per_call=0.0))
    assert lines[1].startswith("advantage 1 %: not before the end of the plan; known at its end in ")
    assert lines[-1] == "The first 3 sessions (14 calls) bring no evidence yet; they are counted."


def test_where_only_one_pair_is_free_there_is_no_range_of_sessions():
    setup = Setup(symbols=["A"], snapshots=4, calls_a_session=4, sessions_before=0, calls_before=0, price_per_call=None)
    alike = dict.fromkeys(("close", "usual", "far"), SD)
    [wait] = waits(SD, terms(planned_sessions=40), [0.10])
    lines = before_you_buy(setup, alike, PAIR, terms(planned_sessions=40))
    assert lines[4].startswith(f"advantage 10 %: WORTH after about {wait.median} sessions, {4 * wait.median} calls; ")


def test_one_of_a_kind_is_no_plural():
    for before, most in ((0, "1 session = 1 call"), (1, "2 sessions = 2 calls")):
        asked = {"symbols": ["A"], "snapshots": 1, "calls_a_session": 1, "price_per_call": None}
        setup = Setup(**asked, sessions_before=before, calls_before=before)
        lines = before_you_buy(setup, SDS, PAIR, terms(planned_sessions=1))
        assert lines[0].startswith(f"Before you buy (A, 1 snapshot, 1 call a session, at most {most}; days")
    assert lines[-1] == "The first session (1 call) brings no evidence yet; it is counted."
