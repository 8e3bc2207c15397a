"""What counts as a trial: a combo in its context; the count of trials before this grid."""

import copy

import pytest
import yaml

from stages.backtesting.trials import Entry, context_of, evaluated, opened, prior_trials
from tests.architecture.dependencies import ROOT

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


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
    log = [evaluated(PARAMS, ["a", "b"]), evaluated(PARAMS, ["b", "c"])]
    assert prior_trials(log, evaluated(PARAMS, ["a", "c", "d"])) == 1


def test_the_same_variant_logged_twice_counts_once():
    entry = evaluated(PARAMS, ["b", "a", "b"])
    assert entry == evaluated(PARAMS, ["a", "b"])
    assert prior_trials([entry, entry], evaluated(PARAMS, [])) == 2


def test_another_study_another_source_and_openings_are_no_trials_of_this_one():
    other = [evaluated(with_value("report.study", "x"), ["a"]), evaluated(with_value("source.name", "x"), ["a"])]
    assert prior_trials([*other, opened(PARAMS, "s1")], evaluated(PARAMS, [])) == 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source.synthetic.seed", 1),
        ("universe.last_session", "2024-12-31"),
        ("requests.history_days", [20]),
        ("forecaster.name", "ewma_fhs"),
        ("calibration.window_sessions", 7),
        ("split.holdout_sessions", 20),
    ],
)
def test_the_same_combo_in_another_context_is_another_trial(path, value):
    log = [evaluated(PARAMS, ["a"]), evaluated(with_value(path, value), ["a"])]
    assert prior_trials(log, evaluated(PARAMS, ["a"])) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sweep.prior_trials", 99),
        ("split.open_holdout", "s00000000abc"),
        ("split.walk_forward", {"first_train_sessions": 30, "fold_sessions": 5}),
        ("api.mode", "online"),
        ("gates.rmae_lt", 0.5),
        ("rules.k_sigma", 9.0),  # what the combo's own id names
        ("calibration.method", "identity"),
        ("universe.whitelist", []),
    ],
)
def test_what_judges_buys_or_is_named_by_the_combo_makes_no_new_trial(path, value):
    assert context_of(with_value(path, value)) == context_of(PARAMS)


def test_the_count_does_not_depend_on_the_order_of_the_log():
    log = [evaluated(PARAMS, [str(n), str(n + 1)]) for n in range(5)]
    now = Entry(*log[0].family, variants=log[2].variants)
    assert prior_trials(log, now) == prior_trials(reversed(log), now) == 4
