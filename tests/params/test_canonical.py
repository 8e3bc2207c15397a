"""Params in canonical form: a schema that grows or renames moves no id, and every other change does."""

from pathlib import Path

import yaml

from stages.params.canonical import FIRST_NAMES, IDLE, NEUTRAL, RETIRED, canonical, digest
from stages.trading.strategy import SECTIONS

ROOT = Path(__file__).parents[2]
EARLIER = ROOT / "tests/runs/earlier_trials/params.yaml"  # of the default study, when ids first had this form


def test_a_key_at_the_value_it_had_before_it_existed_is_left_out():
    assert canonical({"quality": {"halt_min_trading_share": 0.5, "max_gap_min": 5}}) == {"quality": {"max_gap_min": 5}}
    assert canonical({"quality": {"halt_min_trading_share": 0.4}}) == {"quality": {"halt_min_trading_share": 0.4}}


def test_a_section_of_nothing_but_such_keys_is_left_out_and_an_empty_one_is_not():
    assert canonical({"quality": {"halt_min_trading_share": 0.5}, "costs": {"tick_size": {}}}) == {
        "costs": {"tick_size": {}}
    }


def test_a_key_that_was_removed_stands_in_the_form_as_it_always_stood():
    before = {"source": {"kind": "parquet", "close_includes_auction": None}}
    assert canonical({"source": {"kind": "parquet", "price_scale": 1.0}}) == canonical(before) == before
    assert canonical({"source": {"kind": "parquet", "close_includes_auction": True}}) != before
    assert canonical({"source": {}}) == {"source": {}}


def test_a_renamed_key_goes_by_its_first_name():
    assert canonical({"quality": {"outlier_floor_share": 0.02}}) == {"quality": {"outlier_floor": 0.02}}
    assert canonical({"quality": {"outlier_floor": 0.02}}) == {"quality": {"outlier_floor": 0.02}}


def test_the_same_word_in_another_section_is_another_key():
    assert canonical({"rules": {"outlier_floor_share": 1, "plant": "wave"}}) == {
        "rules": {"outlier_floor_share": 1, "plant": "wave"}
    }


def test_a_key_that_left_the_schema_stands_at_its_last_value_once_its_successor_is_stated():
    old = {"split_ratios": [2, 3, 4, 5, 8, 10, 15, 20], "split_tolerance_share": 0.02}
    new = {"split_max_ratio": 50, "split_tolerance_nights": 3.0}
    assert canonical({"quality": old}) == canonical({"quality": new})
    assert canonical({"quality": new | {"split_max_ratio": 30}}) != canonical({"quality": new})
    assert canonical({"quality": {"split_ratios": [2]}}) == {"quality": {"split_ratios": [2]}}
    assert canonical({"quality": {"max_gap_min": 5}}) == {"quality": {"max_gap_min": 5}}


def test_where_nothing_is_sent_the_clock_is_no_choice_and_where_something_is_it_is_one():
    for clock in ("none", "artificial"):
        assert canonical({"requests": {"clock": clock}, "forecaster": {"base_url": None}}) == {
            "forecaster": {"base_url": None}
        }
    bought = {"forecaster": {"base_url": "https://api.nixtla.io"}}
    assert canonical({"requests": {"clock": "none"}} | bought) == {"requests": {"clock": "none"}} | bought
    assert canonical({"requests": {"clock": "artificial"}} | bought) == bought
    assert canonical({"requests": {"clock": "none"}}) == {"requests": {"clock": "none"}}, "nobody says who answers"


def test_every_key_of_the_tables_belongs_to_a_section_that_ids_cover():
    assert {path.partition(".")[0] for path in (*NEUTRAL, *FIRST_NAMES, *IDLE, *RETIRED)} <= {*SECTIONS}


def keys_of(section: dict, path: str) -> set[str]:
    """Every key below `path`, groups of params included."""
    below = (keys_of(value, f"{path}.{key}") for key, value in section.items() if isinstance(value, dict))
    return {f"{path}.{key}" for key in section}.union(*below)


def test_a_key_that_is_new_since_ids_have_this_form_has_a_neutral_value():
    """Without one, every strategy id moves, and an opened holdout is sealed again."""
    then, now = (yaml.safe_load(path.read_text()) for path in (EARLIER, ROOT / "params.yaml"))
    new = {name: keys_of(now[name], name) - keys_of(then[name], name) - {*NEUTRAL} for name in SECTIONS}
    new = {name: keys for name, keys in new.items() if keys}
    assert new == {}, "say in stages/params/ what value of these changes nothing: Annotated[..., Neutral(value)]"


def test_numbers_are_the_same_with_and_without_decimals_and_truth_is_no_number():
    assert digest({"a": 12}, 8) == digest({"a": 12.0}, 8) != digest({"a": 12.5}, 8)
    assert digest({"a": True}, 8) != digest({"a": 1}, 8)


def test_neutral_values_and_tables_are_append_only():
    """What they say today; a line may be added below, never changed."""
    assert (
        NEUTRAL.items()
        >= {
            "split.walk_forward": None,
            "quality.halt_min_trading_share": 0.5,
            "source.bar_label_trusted": False,
            "quality.label_min_confidence": 0.99,
            "quality.label_min_volume_ratio": 1.5,
            "quality.label_min_volume_sessions": 10,
            "quality.off_tick_tolerance_ticks": 1e-06,
            "quality.halts": "market_wide",
            "quality.unlisted_halts": "drop",
            "quality.no_trade_minutes": "gap",
            "quality.quiet_max_min": 10,
            "quality.by_symbol": {},
            "source.synthetic.ou_half_life_min": 10.0,
            "source.synthetic.plant": "wave",
            "split.holdout_months": None,
            "universe.context_symbols": [],
            "requests.asked_horizon_min": None,
            "requests.exog_policy": {},
            "requests.clock": "artificial",
            "forecaster.finetune_steps": 0,
            "forecaster.finetune_depth": 1,
            "forecaster.finetune_loss": "default",
            "forecaster.finetuned_model_id": None,
            "forecaster.multivariate": False,
            "forecaster.clean_ex_first": True,
            "forecaster.command": [],
            "forecaster.files": [],
            "forecaster.files_sha256": None,
            "source.unit": None,
            "source.price_scale": 1.0,
            "source.stamp_format": None,
            "source.csv": None,
            "source.renames": {},
            "quality.corporate_actions": "none",
            "quality.night_floor_share": 0.15,
            "quality.night_mads": 8.0,
            "quality.night_scale_floor_share": 0.01,
            "quality.night_past_sessions": 60,
            "quality.split_tolerance_nights": 3.0,
            "quality.split_max_ratio": 50,
            "quality.jump_floor_share": 0.1,
            "quality.jump_mads": 20.0,
            "quality.jump_ceiling_ratio": 2.0,
            "quality.wick_floor_share": 0.03,
            "quality.wick_mads": 20.0,
            "quality.shared_min_share": 0.5,
            "quality.copy_min_share": 0.1,
            "quality.max_price": 1000000.0,
            "quality.print_step_ticks": 0.01,
            "quality.high_volume_ratio": 30.0,
            "forecaster.trained_until": None,
        }.items()
    )
    assert (
        RETIRED.items()
        >= {
            "quality.split_ratios": ([2, 3, 4, 5, 8, 10, 15, 20], "split_max_ratio"),
            "quality.split_tolerance_share": (0.02, "split_tolerance_nights"),
            "source.close_includes_auction": (None, "price_scale"),
        }.items()
    )
    assert (
        FIRST_NAMES.items()
        >= {
            "quality.outlier_floor_share": "quality.outlier_floor",
            "quality.split_tolerance_share": "quality.split_tolerance",
        }.items()
    )
