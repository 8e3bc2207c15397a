"""The rules between sections: each broken one is told with its values and what to change."""

from copy import deepcopy

import pytest

from stages.configuration.compose import compose, to_yaml
from stages.errors import ConfigurationError
from stages.params.study import Study, problems
from tests.architecture.dependencies import ROOT
from tests.support.programs import run_module


@pytest.fixture(scope="module")
def default():
    return compose()


def changed(document, changes):
    """A copy with dotted keys set to other values."""
    copy = deepcopy(document)
    for name, value in changes.items():
        *parents, last = name.split(".")
        section = copy
        for parent in parents:
            section = section[parent]
        section[last] = value
    return copy


def test_the_default_study_has_no_problem_and_every_section_its_model(default):
    assert problems(default) == []
    assert Study.parse(default).rules.k_sigma == default["rules"]["k_sigma"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"universe.context_symbol": "SPY"}, "no source.synthetic.amplitude_bp for ['SPY'] of universe"),
        ({"costs.tick_size": {"STRONG": 0.01}}, "no costs.tick_size for ['NULL', 'WEAK'] of universe.whitelist"),
        ({"rules.horizon_min": 7}, "[7] of rules.horizon_min are not among requests.horizons_min [5, 10, 15, 20]"),
        (
            {"worth.candidates": ["seasonal"]},
            "worth.candidates ['seasonal'] names only the asked forecaster, which is not part of the free mix",
        ),
        (
            {"worth.candidates": ["persistence", "command"]},
            "names command, a program of yours, but forecaster.command is []: state forecaster.command and",
        ),
        (
            {"worth.decide_by": "money", "worth.notional": 1e4, "universe.whitelist": []},
            "worth.decide_by: money compares what the rule earns, but universe.whitelist is []",
        ),
        ({"worth.notional": 1e-300}, "= 1e-300: Input should be greater than or equal to 0.01"),  # money in no float
        ({"rules.history_days": 10}, "[10] of rules.history_days are not among requests.history_days [40]"),
        ({"sweep.grid.history_days": [40, 60]}, "[60] of sweep.grid.history_days"),
        ({"sweep.grid.horizon_min": [10, 30]}, "[30] of sweep.grid.horizon_min"),
        ({"rules.horizon_min_by_symbol": {"STRONG": 6}}, "[6] of rules.horizon_min_by_symbol"),
        ({"rules.horizon_min_by_symbol": {"NVDA": 5}}, "['NVDA'] of rules.horizon_min_by_symbol"),
        ({"requests.snapshots_et": ["15:41"]}, "the 20 minutes of requests.horizons_min end after the close"),
        ({"requests.snapshots_et": ["09:39"]}, "sigma_5m is not known at requests.snapshots_et '09:39'"),
        ({"features.sigma_min_obs": 30, "features.sigma_window_min": 16}, "needs 16 bars of the session"),
        ({"features.names": ["ret_1m"]}, "features.names ['ret_1m'] lacks sigma_5m, the volatility"),
        ({"features.required": ["ret_2m"]}, "['ret_2m'] of features.required"),
        ({"requests.hist_exog": ["mood"]}, "['mood'] of requests.hist_exog are not among features.names"),
        ({"requests.futr_exog": ["mood"]}, "['mood'] of requests.futr_exog"),
        ({"sweep.grid.method": ["oracle"]}, "['oracle'] of sweep.grid.method"),
        (
            {"split.holdout_sessions": None, "split.holdout_from": "2024-09-03"},
            "split.holdout_from 2024-09-03 leaves no session to search, since the record begins on 2024-09-03",
        ),
        (
            {"split.walk_forward": {"first_train_sessions": 130, "fold_sessions": 5}},
            "split.walk_forward.first_train_sessions 130 and split.embargo_sessions 1 leave no session to trade",
        ),
        (  # 61 weekdays until 31 March, of which 30 are held out and one is embargo
            {
                "requests.first_session": "2025-01-06",
                "split.walk_forward": {"first_train_sessions": 29, "fold_sessions": 5},
            },
            "leave no session to trade: at most 30 are searched",
        ),
        ({"split.holdout_from": "2025-02-03"}, "split.holdout_sessions = 30 and split.holdout_from = 2025-02-03"),
    ],
)
def test_a_rule_between_sections_is_reported_with_its_values(default, changes, said):
    found = problems(changed(default, changes))
    assert any(said in sentence for sentence in found), found


def test_a_walk_forward_that_a_later_begin_leaves_one_session_to_trade_is_possible(default):
    walk = {"split.walk_forward": {"first_train_sessions": 28, "fold_sessions": 5}}
    assert problems(changed(default, {"requests.first_session": "2025-01-06"} | walk)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features.names": ["ret_1m", "sigma_5m", "mood"]}, "features.names holds ['mood'], which are not in the cat"),
        (
            {"features.names": ["ret_1m", "sigma_5m", "context_ret_1m@XLK"]},
            "universe.context_symbols []: add the symbol",
        ),
        ({"requests.futr_exog": ["rv_5m"]}, "requests.futr_exog names ['rv_5m'], whose future values are not known"),
        ({"quality.halts": "nope"}, "there is no conf/halts/nope.csv, which quality.halts names"),
    ],
)
def test_the_first_stage_refuses_what_a_later_one_could_not_build(default, changes, said, tmp_path):
    for folder in ("conf", "stages"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "params.yaml").write_text(to_yaml(changed(default, changes)))
    told = run_module(tmp_path, "stages.list_source")
    assert told.returncode == 5
    assert said in told.stderr


def test_a_program_is_compared_with_another_than_itself():
    asked = compose(overrides=["forecaster=command"])
    assert problems(changed(asked, {"worth.candidates": ["command", "har"]})) == []
    (said,) = problems(changed(asked, {"worth.candidates": ["command"]}))
    assert "worth.candidates ['command'] names only the asked forecaster" in said


def test_a_horizon_that_ends_exactly_at_the_close_is_allowed(default):
    assert problems(changed(default, {"requests.snapshots_et": ["15:40"]})) == []


@pytest.mark.parametrize(("train", "refused"), [(77, False), (78, True)])
def test_a_walk_forward_is_refused_only_where_no_record_could_hold_it(default, train, refused):
    """150 weekdays without 40 of history, 30 held out and 1 embargoed are 79; another embargo lies within."""
    walk = {"split.walk_forward": {"first_train_sessions": train, "fold_sessions": 5}}
    assert bool(problems(changed(default, walk))) == refused


@pytest.mark.parametrize(("train", "refused"), [(77, False), (78, True)])
def test_a_walk_forward_may_begin_behind_the_shortest_history(default, train, refused):
    """Of the longer one no symbol may be good enough to trade; then the sweep compares those of 40, 79 sessions."""
    walk = {"split.walk_forward": {"first_train_sessions": train, "fold_sessions": 5}}
    histories = {"requests.history_days": [40, 60], "rules.history_days": 60, "sweep.grid.history_days": [40, 60]}
    assert bool(problems(changed(default, walk | histories))) == refused


@pytest.mark.parametrize(("days", "refused"), [(118, False), (119, True)])
def test_the_stated_history_is_asked_in_the_search_span(default, days, refused):
    """150 weekdays without 30 held out and 1 embargoed are 119: the last of them has 118 before it."""
    found = problems(changed(default, {"requests.history_days": [40, days], "rules.history_days": days}))
    assert bool(found) == refused
    assert not refused or "no session of the search span has rules.history_days 119 before it" in found[0]


MONTHS = {"split.holdout_sessions": None, "split.holdout_months": 5}


@pytest.mark.parametrize(("train", "refused"), [(43, False), (44, True)])
def test_a_walk_forward_does_not_walk_through_months_that_are_held_out(default, train, refused):
    """29 October to 31 December are 46 weekdays, of which one is embargo; another embargo lies within."""
    walk = {"split.walk_forward": {"first_train_sessions": train, "fold_sessions": 5}}
    found = problems(changed(default, MONTHS | {"split.holdout_months": 3} | walk))
    assert bool(found) == refused


@pytest.mark.parametrize(
    ("month", "changes", "refused"),
    [
        ("2025-03", {}, False),
        ("2024-01", {}, False),  # it may have been left behind
        ("2025-04", {}, True),
        ("2025-03", {"universe.last_session": "2025-02-28"}, True),
        ("2025-03", {"requests.last_session": "2025-02-28"}, True),
        ("2025-02", {"requests.last_session": "2025-02-28"}, False),
    ],
)
def test_an_opening_of_a_month_that_no_record_could_hold_out_is_refused_before_anything_is_asked(
    default, month, changes, refused
):
    opened = MONTHS | {"split.holdout_months": 2, "split.open_holdout": {month: "s1"}}
    found = problems(changed(default, opened | changes))
    assert bool(found) == refused
    assert not refused or f"split.open_holdout names {month}, but none behind" in found[0]


def test_a_record_without_a_session_to_search_is_no_matter_of_the_history(default):
    """Its bars may be checked all the same: nothing can be asked."""
    assert problems(changed(default, {"universe.last_session": "2024-09-13"})) == []


@pytest.mark.parametrize(("months", "refused"), [(5, False), (6, True)])
def test_months_that_are_held_out_leave_no_session_to_the_stated_history(default, months, refused):
    """29 to 31 October are the only ones before November with 40 weekdays before them; one is embargo."""
    histories = {"requests.history_days": [10, 40]}
    found = problems(changed(default, MONTHS | {"split.holdout_months": months} | histories))
    assert bool(found) == refused


def test_a_swept_history_need_not_be_asked_in_the_search_span(default):
    histories = {"requests.history_days": [40, 200], "sweep.grid.history_days": [40, 200]}
    assert problems(changed(default, histories)) == []


def test_a_snapshot_may_come_as_soon_as_the_volatility_is_known(default):
    assert problems(changed(default, {"requests.snapshots_et": ["09:40"]})) == []
    soon = {"requests.snapshots_et": ["09:35"], "features.sigma_window_min": 5}
    assert problems(changed(default, soon)) == []
    unscaled = {"requests.snapshots_et": ["09:35"], "calibration.scale": "none"}
    assert problems(changed(default, unscaled)) == [], "its answers are corrected and scored"


def test_a_holdout_may_begin_behind_the_record(default):
    ahead = changed(default, {"split.holdout_sessions": None, "split.holdout_from": "2026-01-02"})
    assert problems(ahead) == []


def test_all_problems_are_reported_at_once(default):
    broken = changed(default, {"rules.horizon_min": 7, "rules.history_days": 10})
    with pytest.raises(ConfigurationError, match=r"(?s)horizon_min.*history_days"):
        Study.parse(broken)


def test_unsound_sections_are_reported_before_rules_between_them(default):
    found = problems(changed(default, {"rules.k_sigma": -1, "rules.history_days": 10}))
    assert len(found) == 1
    assert "rules.k_sigma = -1" in found[0]


def test_an_unknown_section_is_reported(default):
    assert problems(default | {"extra": {}}) == ["extra is not a known section: remove it from conf/."]


def test_a_missing_section_is_reported(default):
    assert "no section 'costs'" in problems({name: value for name, value in default.items() if name != "costs"})[0]
