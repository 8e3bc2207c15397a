"""The id of a strategy: what changes it, what must not, and that anybody can compute it."""

import hashlib
import json
import re
from copy import deepcopy

import pytest

from stages.params.canonical import canonical
from stages.params.study import Study
from stages.trading.strategy import SECTIONS, strategy_id
from tests.trading.books import DOCUMENT

MANIFEST = {"files": [{"uri": "a.parquet", "md5": "0" * 32}]}
JUDGING = {"gates", "worth", "report", "sweep", "api", "storage"}


def id_of(changes=(), manifest=MANIFEST, trading=("STRONG",)):
    document = deepcopy(DOCUMENT)
    for section, key, value in changes:
        document[section][key] = value
    return strategy_id(Study.parse(document).document(), manifest, trading)


def test_the_strategy_id_is_the_start_of_the_sha256_of_its_canonical_values():
    stated = Study.parse(DOCUMENT).document()
    del stated["split"]["open_holdout"], stated["split"]["walk_forward"], stated["calibration"]["methods"]
    params = canonical({name: stated[name] for name in SECTIONS})
    document = {"manifest": MANIFEST, "params": params, "trading": ["STRONG"]}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    without_decimals = re.sub(r"\b(\d+)\.0\b", r"\1", text)
    assert id_of() == "s" + hashlib.sha256(without_decimals.encode()).hexdigest()[:11]


def test_params_written_before_a_key_existed_name_the_same_strategy():
    old = deepcopy(DOCUMENT)
    del old["quality"]["halt_min_trading_share"], old["source"]["synthetic"]["plant"]
    old["quality"]["outlier_floor"] = old["quality"].pop("outlier_floor_share")
    assert strategy_id(old, MANIFEST, ["STRONG"]) == id_of()
    old["quality"]["outlier_floor"] = 0.02
    assert strategy_id(old, MANIFEST, ["STRONG"]) != id_of()


def test_every_section_but_those_that_judge_show_propose_buy_or_store_is_covered():
    assert set(SECTIONS) == set(DOCUMENT) - JUDGING


def test_opening_the_holdout_does_not_change_the_id_that_opens_it():
    assert id_of([("split", "open_holdout", "s12345678901")]) == id_of([("split", "open_holdout", None)])


def test_a_program_that_is_only_a_free_candidate_changes_no_forecast_and_no_id():
    program = [("forecaster", "command", ["python", "a.py"]), ("forecaster", "files", ["a.py"])]
    assert id_of(program) == id_of()
    asked = [*program, ("forecaster", "name", "command"), ("forecaster", "model", "mine")]
    assert id_of([*asked, ("forecaster", "files_sha256", "0" * 64)]) != id_of(asked)


def test_what_a_vendor_says_of_training_data_changes_no_forecast_and_no_id():
    assert id_of([("forecaster", "trained_until", "2024-01-31")]) == id_of()


@pytest.mark.parametrize(
    "change",
    [
        ("source", "zone", "America/New_York"),
        ("universe", "whitelist", ["STRONG"]),
        ("quality", "max_gap_min", 4),
        ("features", "atr_window_min", 15),
        ("requests", "snapshots_et", ["10:30"]),
        ("forecaster", "model_epoch", "2"),
        ("calibration", "method", "widen"),
        ("split", "holdout_sessions", 29),
        ("rules", "k_sigma", 0.51),
        ("costs", "cost_mult", 1.1),
        ("portfolio", "delay_sensitivity_bars", 2),
    ],
)
def test_a_change_in_any_covered_section_is_another_strategy(change):
    assert id_of([change]) != id_of()


@pytest.mark.parametrize(
    "change",
    [
        ("gates", "oos_sharpe_gte", 0.1),
        ("report", "study", "x"),
        ("sweep", "prior_trials", 9),
        ("api", "mode", "online"),
        ("split", "walk_forward", {"first_train_sessions": 30, "fold_sessions": 5}),
        ("calibration", "methods", ["identity", "cqr"]),
        ("rules", "k_sigma", float(DOCUMENT["rules"]["k_sigma"])),
    ],
)
def test_how_it_is_judged_shown_or_bought_does_not_make_another_strategy(change):
    assert id_of([change]) == id_of()


def test_a_whole_number_is_the_same_written_with_or_without_its_decimals():
    assert id_of([("rules", "k_sigma", 1)]) == id_of([("rules", "k_sigma", 1.0)])


def test_other_bars_are_another_strategy():
    assert id_of(manifest={"files": []}) != id_of()


def test_a_gate_that_lets_another_symbol_in_makes_another_strategy():
    assert id_of(trading=("STRONG", "WEAK")) != id_of()
    assert id_of(trading=("STRONG", "WEAK")) == id_of(trading=("WEAK", "STRONG"))


def test_no_id_reads_as_a_number():
    assert all(id_of([("rules", "k_sigma", k / 100)]).startswith("s") for k in range(3))
