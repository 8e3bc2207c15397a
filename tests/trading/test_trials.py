"""What counts as a trial: a combo in its context; what the trials before this grid say of luck."""

import copy
from math import sqrt

import pytest
import yaml

from stages.trading.trials import (
    Entry,
    _per_session,
    context_of,
    earlier_contexts_of,
    evaluated,
    judged_worth,
    looks,
    opened,
    prior_sharpe_var,
    prior_studies,
    prior_trials,
    renamed,
)
from tests.architecture.dependencies import ROOT

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
EARLIER = yaml.safe_load((ROOT / "tests/runs/earlier_trials/params.yaml").read_text())  # of the default study
FAMILY = (PARAMS["source"]["name"], PARAMS["report"]["study"])


def judged(params: dict, *combos: str, sharpe: float | str | None = None, sessions: int | str = 60) -> Entry:
    return evaluated(params, [{"combo": combo, "sharpe": sharpe, "sessions": sessions} for combo in combos])


def scored(**sharpes: float | None) -> Entry:
    """Combos of one grid by their annual Sharpe ratios."""
    return evaluated(PARAMS, [{"combo": name, "sharpe": ratio, "sessions": 63} for name, ratio in sharpes.items()])


def with_value(path: str, value: object) -> dict:
    document = copy.deepcopy(PARAMS)
    *parents, last = path.split(".")
    section = document
    for name in parents:
        section = section[name]
    assert last in section
    section[last] = value
    return document


def test_three_variants_were_tried_and_two_of_them_are_in_this_grid():
    log = [judged(PARAMS, "a", "b"), judged(PARAMS, "b", "c")]
    assert prior_trials(log, judged(PARAMS, "a", "c", "d").variants, FAMILY) == 1


def test_the_same_variant_logged_twice_counts_once():
    entry = judged(PARAMS, "b", "a", "b")
    assert entry == judged(PARAMS, "a", "b")
    assert prior_trials([entry, entry], [], FAMILY) == 2


def test_another_study_another_source_and_openings_are_no_trials_of_this_one():
    other = [judged(with_value("report.study", "x"), "a"), judged(with_value("source.name", "x"), "a")]
    assert prior_trials([*other, opened(PARAMS, "s1")], [], FAMILY) == 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source.synthetic.seed", 1),
        ("universe.last_session", "2024-12-31"),
        ("requests.first_session", "2024-11-01"),  # a choice of days
        ("requests.history_days", [20]),
        ("forecaster.name", "ewma_fhs"),
        ("calibration.window_sessions", 7),
        ("split.holdout_sessions", 20),
    ],
)
def test_the_same_combo_in_another_context_is_another_trial(path, value):
    log = [judged(PARAMS, "a"), judged(with_value(path, value), "a")]
    assert prior_trials(log, judged(PARAMS, "a").variants, FAMILY) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sweep.prior_trials", 99),
        ("sweep.prior_sharpe_var", 9.9),
        ("split.open_holdout", "s00000000abc"),
        ("split.walk_forward", {"first_train_sessions": 30, "fold_sessions": 5}),
        ("api.mode", "online"),
        ("gates.rmae_lt", 0.5),
        ("rules.k_sigma", 9.0),  # what the combo's own id names
        ("calibration.method", "identity"),
        ("universe.whitelist", []),
        ("calibration.methods", ["identity", "cqr"]),  # only a combo's own method changes what it earns
        ("quality.outlier_mads", 12),  # params say 12.0
        ("requests.last_session", "2025-01-31"),  # a study that grows step by step
        ("forecaster.trained_until", "2024-01-31"),  # what is said of the model changes no forecast
        ("forecaster.files_sha256", "0" * 64),  # a program that is not asked
        ("worth.delta", 0.01),
    ],
)
def test_what_judges_buys_or_is_named_by_the_combo_makes_no_new_trial(path, value):
    assert context_of(with_value(path, value)) == context_of(PARAMS)


def test_the_count_does_not_depend_on_the_order_of_the_log():
    log = [judged(PARAMS, str(n), str(n + 1)) for n in range(5)]
    now = log[2].variants
    assert prior_trials(log, now, FAMILY) == prior_trials(reversed(log), now, FAMILY) == 4


def before_the_thresholds_were_params() -> dict:
    """The params that the default study had before four thresholds became keys and two were renamed."""
    old = copy.deepcopy(EARLIER)
    quality, market = old["quality"], old["source"]["synthetic"]
    for name in ("halt_min_trading_share", "label_min_volume_ratio", "label_min_volume_sessions"):
        del quality[name]
    del quality["off_tick_tolerance_ticks"], market["ou_half_life_min"], market["plant"], old["split"]["walk_forward"]
    quality["outlier_floor"] = quality.pop("outlier_floor_share")
    quality["split_tolerance"] = quality.pop("split_tolerance_share")
    return old


def test_a_schema_that_grows_makes_no_new_trial():
    """A key that is new in one of these sections belongs into the table of neutral values."""
    assert context_of(before_the_thresholds_were_params()) == context_of(EARLIER) == context_of(PARAMS)


def test_an_entry_of_an_older_log_goes_by_the_names_of_today():
    old = before_the_thresholds_were_params()
    first = earlier_contexts_of(old)[0]
    entry = Entry(*FAMILY, variants=(f"{first}-a", "0000beef-b"))
    opening = Entry(*FAMILY, opening="s-old")
    contexts = dict.fromkeys(earlier_contexts_of(old), context_of(old))
    assert (first, earlier_contexts_of(EARLIER)[0]) == ("a8cfd1d0", "b5ded847")  # as logs have them
    assert renamed(entry, contexts, {}).variants == (f"{context_of(PARAMS)}-a", "0000beef-b")
    assert renamed(opening, contexts, {"s-old": "s-new"}).opening == "s-new"
    assert renamed(opening, contexts, {}) == opening


def test_trials_that_were_logged_under_the_asked_span_are_those_of_the_growing_study():
    asked = with_value("requests.last_session", "2025-01-31")
    logged = Entry(*FAMILY, variants=(f"{earlier_contexts_of(asked)[1]}-a",))
    assert earlier_contexts_of(asked)[1] == "527fab6e", "as logs have it"
    contexts = dict.fromkeys(earlier_contexts_of(asked), context_of(asked))
    assert renamed(logged, contexts, {}).variants == judged(PARAMS, "a").variants


def test_a_score_is_the_sharpe_ratio_over_its_error_without_skill():
    # An annual ratio of sqrt(252) is 1 a session; over 63 sessions that is sqrt(63) standard errors of 1/sqrt(63).
    entry = scored(a=sqrt(252), b=None, c=-sqrt(252) / 2)
    scores = {variant.split("-")[1]: score for variant, score in entry.scores.items()}
    assert scores == {"a": pytest.approx(sqrt(63)), "c": pytest.approx(-sqrt(63) / 2)}
    assert scored(a=1.0).sharpes == (0.062994079,), "1 / 15.874508, in nine decimals"


def test_each_ratio_stays_with_its_variant_in_whatever_order_the_rows_come():
    assert scored(b=4.0, a=2.0, c=6.0) == scored(a=2.0, b=4.0, c=6.0)


def test_the_variance_of_scores_is_that_of_all_distinct_trials():
    # In standard errors: 1, 2 and 3; their variance is 1. One ratio of one error is sqrt(252 / 63) = 2 a year.
    log = [scored(a=2.0, b=4.0), scored(b=4.0, c=6.0), scored(d=None)]
    assert prior_sharpe_var(log, FAMILY) == pytest.approx(1.0)
    assert prior_sharpe_var(reversed(log), FAMILY) == prior_sharpe_var(log, FAMILY)
    assert prior_sharpe_var([scored(a=2.0, b=4.0, c=8.0)], FAMILY) == 2.3333, "7/3, of 1, 2 and 4, in four decimals"
    assert prior_sharpe_var(log, ("another", "study")) is None
    assert prior_sharpe_var([scored(a=2.0, b=4.0)], FAMILY) == 0.5, "of 1 and 2"
    assert prior_sharpe_var([scored(a=2.0)], FAMILY) is None


def test_equal_variants_do_not_lower_the_variance_of_scores():
    assert prior_sharpe_var([scored(a=2.0, b=4.0, c=6.0, d=6.0, e=6.0)], FAMILY) == pytest.approx(1.0)


def test_a_trial_that_was_logged_twice_counts_by_its_larger_score():
    log = [scored(a=2.0, b=4.0), scored(a=-6.0)]
    assert prior_sharpe_var(log, FAMILY) == prior_sharpe_var([scored(a=-6.0, b=4.0)], FAMILY)


def test_entries_from_before_ratios_were_logged_count_and_say_nothing_of_the_variance():
    old = Entry(*FAMILY, variants=("x-a", "x-b"))
    assert prior_trials([old], [], FAMILY) == 2
    assert prior_sharpe_var([old, scored(a=2.0)], FAMILY) is None


def test_rows_of_a_table_read_as_text_are_the_same_entry():
    assert judged(PARAMS, "a", sharpe=1.5) == judged(PARAMS, "a", sharpe="1.5", sessions="60")
    assert judged(PARAMS, "a", sharpe=None) == judged(PARAMS, "a", sharpe="")


def test_a_study_of_worth_counts_once_for_its_forecaster_and_source_and_at_every_length_it_was_looked_at():
    other = with_value("forecaster.model", "x"), with_value("source.name", "x")
    five, ten, none = ({"sessions_before": 0, "sessions_after": days} for days in (5, 10, 0))
    log = [judged_worth(PARAMS, name, days) for name, days in (("w1", five), ("w1", ten), ("w1", ten), ("w2", none))]
    log += [*(judged_worth(params, "w3", five) for params in other), judged(PARAMS, "a")]
    family = PARAMS["source"]["name"], PARAMS["forecaster"]["model"]

    assert [prior_studies(log, now, *family) for now in ("w1", "w2", "w4")] == [1, 1, 2]
    assert [looks(log, name) for name in ("w1", "w2", "w4")] == [2, 0, 0]


def test_an_entry_that_states_no_sessions_is_no_look():
    assert looks([Entry(*FAMILY, worth="w1")], "w1") == 0
    assert evaluated(PARAMS, []) == Entry(*FAMILY)


def test_a_ratio_of_a_session_has_nine_decimals_and_no_zero_has_a_sign():
    """An annual one over the root of 252 sessions, 15.874508; none was told in some entries."""
    assert [_per_session(told) for told in ("1.0", 1, "", None)] == [0.062994079, 0.062994079, None, None]
    assert str(_per_session(-1e-10)) == "0.0"
