"""The study's id: what makes another study, and what a growing one may change."""

import copy

import pytest
import yaml

from stages.trading.trials import Entry, judged_worth, looks, prior_studies
from stages.worth.study_id import study_id
from tests.architecture.dependencies import ROOT

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


def id_of(*changes: tuple[str, str, object]) -> str:
    document = copy.deepcopy(PARAMS)
    for section, key, value in changes:
        assert key in document[section]
        document[section][key] = value
    return study_id(document)


@pytest.mark.parametrize(
    "change",
    [
        ("requests", "last_session", "2025-01-31"),
        ("universe", "last_session", "2025-12-31"),
        ("worth", "planned_sessions", 60),
        ("worth", "planned_sd", 0.1),
        ("worth", "prior_studies", 3),
        ("worth", "price_per_call", 0.01),
        ("worth", "notional", 1e6),
        ("worth", "horizon_min", 10),  # what null means here
        ("rules", "k_sigma", 0.9),
        ("costs", "fees_bps", 1.0),
        ("gates", "rmae_lt", 0.5),
        ("calibration", "methods", ["identity", "cqr"]),
    ],
)
def test_a_study_may_grow_and_learn_its_prices(change):
    assert id_of(change) == id_of()


@pytest.mark.parametrize(
    "change",
    [
        ("worth", "delta", 0.01),
        ("worth", "alpha", 0.1),
        ("worth", "horizon_min", 5),
        ("worth", "candidates", ["persistence"]),
        ("worth", "eta", 1.0),
        ("universe", "symbols", ["STRONG"]),
        ("requests", "snapshots_et", ["10:30"]),
        ("requests", "first_session", "2024-11-01"),  # a choice of days
        ("forecaster", "model_epoch", "2"),
        ("forecaster", "trained_until", "2024-01-31"),
        ("calibration", "method", "aci"),
        ("source", "name", "other"),
    ],
)
def test_another_question_is_another_study(change):
    assert id_of(change) != id_of()


def days(after: int, before: int = 0) -> dict[str, int]:
    """`training` of `worth.json`."""
    return {"sessions_before": before, "sessions_after": after}


def test_the_answers_of_another_history_are_another_study():
    asked = ("requests", "history_days", [40, 10])
    assert id_of(asked, ("rules", "history_days", 40)) == id_of(asked)
    assert id_of(asked, ("rules", "history_days", 10)) != id_of(asked)


def test_another_program_is_another_study_only_where_it_is_a_candidate():
    version, candidates = ("forecaster", "files_sha256", "0" * 64), ("worth", "candidates", ["har", "command"])
    assert id_of(version) == id_of()
    assert id_of(version, candidates) != id_of(candidates)


def test_where_money_decides_the_rule_and_its_costs_are_part_of_the_question():
    money = ("worth", "decide_by", "money")
    assert id_of(money) != id_of()
    assert id_of(money, ("rules", "k_sigma", 0.9)) != id_of(money)
    assert id_of(money, ("costs", "fees_bps", 1.0)) != id_of(money)
    assert id_of(money, ("worth", "price_per_call", 0.01)) == id_of(money)


def test_other_studies_of_the_same_source_and_forecaster_are_counted_once_each():
    other = copy.deepcopy(PARAMS)
    other["forecaster"]["model"] = "ewma_fhs"
    log = [
        *(judged_worth(PARAMS, name, days(10)) for name in ("w1", "w2", "w2", "w3")),
        judged_worth(other, "w4", days(10)),
    ]
    log.append(Entry(PARAMS["source"]["name"], "x", variants=("a",)))
    assert prior_studies(log, "w3", PARAMS["source"]["name"], "seasonal") == 2
    assert prior_studies(log, "w9", PARAMS["source"]["name"], "seasonal") == 3
    assert prior_studies(log, "w1", "another source", "seasonal") == 0


def test_a_study_was_looked_at_as_often_as_it_was_judged_at_another_length():
    log = [judged_worth(PARAMS, "w1", days(sessions)) for sessions in (10, 15, 15, 20)]
    log += [judged_worth(PARAMS, "w2", days(30)), Entry("a source", "a study", variants=("a",), sessions=40)]
    log.append(Entry("a source", "a study", worth="w1", forecaster="seasonal"))  # older than this count
    assert looks(log, "w1") == 3
    assert looks(log, "w3") == 0


def test_steps_within_the_training_are_looks_too():
    """Gates judge its days, which are no evidence of worth."""
    log = [judged_worth(PARAMS, "w1", days(after, before)) for after, before in ((0, 5), (0, 10), (5, 10), (5, 10))]
    assert looks(log, "w1") == 3
