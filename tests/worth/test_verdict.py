"""The verdict: the first day that holds decides, and nothing later undoes it."""

import math

import numpy as np
import pytest

from stages.worth.evidence import log_e_values, running_means
from stages.worth.verdict import State, Terms, decide, judge

TERMS = Terms(delta=0.03, alpha=0.05, prior_studies=0, min_days=10, planned_sessions=120, s0=0.05)
NOISE = 0.05 * np.random.default_rng(7).standard_normal(120)


def terms(**changes: float) -> Terms:
    return Terms(**(vars(TERMS) | changes))


def test_every_state_from_days_that_show_it():
    assert judge(np.full(30, 0.09), TERMS).state is State.WORTH_IT
    assert judge(np.zeros(30), TERMS).state is State.NOT_WORTH_IT
    assert judge(np.zeros(12), TERMS).state is State.NOT_YET_KNOWN
    assert judge(np.zeros(12), terms(planned_sessions=12)).state is State.NOT_SHOWN
    assert judge(np.array([]), TERMS).state is State.NOT_YET_KNOWN


def test_ties_are_not_worth_it_and_exactly_what_was_asked_is_worth_it_on_day_nineteen():
    for advantage, state in ((0.0, State.NOT_WORTH_IT), (0.03, State.WORTH_IT)):
        found = judge(np.full(40, advantage), TERMS)
        assert (found.state, found.decided, found.days) == (state, 18, 19)


def test_the_figures_are_those_of_the_deciding_day_and_stick():
    good, bad = np.full(15, 0.09), np.full(60, -0.2)
    early, late = judge(good, TERMS), judge(np.concatenate([good, bad]), TERMS)

    assert late.state is early.state is State.WORTH_IT
    for name in ("decided", "days", "estimate", "interval", "log_e_better", "log_e_small", "most_better", "most_small"):
        assert getattr(late, name) == getattr(early, name)
    assert late.estimate == pytest.approx(0.09)
    assert late.by_day.mean[-1] < 0
    assert len(late.by_day.x) == 75


def test_the_verdict_does_not_depend_on_the_steps_in_which_days_came():
    x = NOISE + 0.05
    whole = judge(x, TERMS)
    assert whole.decided is not None
    for step in (3, 7):
        looks = [judge(x[:days], TERMS) for days in range(step, whole.days + step, step)]
        assert [found.state for found in looks[:-1]] == [State.NOT_YET_KNOWN] * (len(looks) - 1)
        assert (looks[-1].state, looks[-1].decided) == (whole.state, whole.decided)


def test_surely_better_and_surely_by_too_little_is_not_worth_it():
    found = judge(np.full(60, 0.015), TERMS)
    assert found.state is State.NOT_WORTH_IT
    assert found.most_better >= math.log(20.0)
    assert found.interval[0] > 0
    assert found.interval[1] < 0.03


def test_evidence_that_was_once_enough_counts_when_the_estimate_comes_back():
    # E against "at most zero" reaches 20 on day 2 only; the mean reaches delta on day 3, of two days at least.
    better, small = np.log([1.0, 20.0, 2.0, 2.0]), np.zeros(4)
    day, worth = decide(better, small, np.array([0.1, 0.02, 0.03, 0.1]), terms(min_days=2))
    assert (day, worth) == (2, True)

    day, worth = decide(small, better, np.array([0.1, 0.02, 0.03, 0.1]), terms(min_days=4))
    assert (day, worth) == (3, False)

    for below, decided in ((6e-10, (-1, False)), (4e-10, (1, True))):
        found = decide(better, small, np.full(4, 0.03 - below), terms(min_days=2))
        assert found == decided, "in nine decimals, just below what was asked, and what was asked"

    day, worth = decide(small, small, np.zeros(4), terms(min_days=2))
    assert (day, worth) == (-1, False)


def test_nothing_is_decided_before_the_least_number_of_days():
    assert judge(np.full(9, 0.5), TERMS).state is State.NOT_YET_KNOWN
    assert judge(np.full(9, 0.5), TERMS).most_better > math.log(20.0)
    assert judge(np.full(10, 0.5), TERMS).decided == 9


def test_days_behind_the_planned_end_do_not_count():
    x = np.concatenate([np.zeros(15), np.full(100, 0.09)])
    found = judge(x, terms(planned_sessions=15))
    assert found.state is State.NOT_SHOWN
    assert len(found.by_day.x) == found.days == 15
    assert judge(x, terms(planned_sessions=115)).decided is not None, "more days planned, the same evidence goes on"


def test_each_earlier_study_raises_what_is_needed_by_one_over_alpha():
    assert terms(prior_studies=2).threshold == pytest.approx(60.0)
    x = np.full(60, 0.03)
    once, thrice = judge(x, TERMS), judge(x, terms(prior_studies=2))
    assert once.log_e_better >= math.log(20.0) > once.by_day.log_e_better[17]
    assert thrice.log_e_better >= math.log(60.0) > thrice.by_day.log_e_better[thrice.days - 2]
    assert thrice.days > once.days


def test_the_interval_holds_zero_exactly_until_the_evidence_says_better():
    found = judge(NOISE + 0.03, TERMS)
    by_day = found.by_day
    bounded = ~np.isnan(by_day.lower)
    assert bounded.sum() > 100
    assert np.array_equal(by_day.lower[bounded] > 0.0, by_day.log_e_better[bounded] >= math.log(20.0))


def test_at_no_advantage_the_verdict_is_hardly_ever_worth_it_and_mostly_not_worth_it():
    x = 0.05 * np.random.default_rng(8).standard_normal((1_000, 120))
    evidence = log_e_values(x, 0.0, 0.05), log_e_values(x, 0.03, 0.05, sign=-1)
    day, worth = decide(*evidence, running_means(x), TERMS)
    assert worth.mean() <= 0.05
    assert ((day >= 0) & ~worth).mean() >= 0.9
