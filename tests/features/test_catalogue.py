"""The catalogue names every feature, and refuses what it cannot build."""

import polars as pl
import pytest

from stages.errors import ConfigurationError, DataContractError
from stages.features.catalogue import FEATURES, build_features, require_buildable
from stages.features.context import Context
from stages.questions.market import EVENT
from tests.docs.feature_table import PAGE, table
from tests.features.made_bars import events_of, features_params, made_calendar, random_bars, usable_of

CALENDAR = made_calendar(3, n_bars=40)


def build(missing=0.0, context=None, **changes):
    bars = {"A": random_bars(CALENDAR, 1, missing)}
    return build_features(bars, usable_of(CALENDAR, "A"), CALENDAR, features_params(**changes), Context(context))


def test_a_run_gets_the_features_it_names_in_that_order_as_floats():
    frame = build(names=["sigma_5m", "minute", "ret_1m"])["A"]
    assert frame.columns == ["ts", "known_at", "session", "m", "sigma_5m", "minute", "ret_1m"]
    assert frame.dtypes[4:] == [pl.Float64] * 3


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, feature in FEATURES.items()
        if not feature.lookback_sessions(features_params()) and name != "minutes_to_event"  # most days have none
    ],
)
def test_a_feature_is_known_from_its_look_back_on(name):
    frame = build(names=[name], required=[], context="A")["A"]
    behind = frame.filter(pl.col("m") >= FEATURES[name].lookback_bars(features_params()))
    assert behind[name].null_count() == 0


def test_only_what_the_calendar_knows_is_known_ahead():
    """A clock feature is the same whatever the market does and whoever announces; every other one is not."""
    params = features_params(names=list(FEATURES), required=[], volume_norm_sessions=1)
    one, other = (
        build_features({"A": random_bars(CALENDAR, seed)}, usable_of(CALENDAR, "A"), CALENDAR, params, around)["A"]
        for seed, around in ((1, Context("A")), (2, Context("A", events_of(CALENDAR))))
    )
    assert {name for name in FEATURES if one[name].equals(other[name])} == {
        name for name, feature in FEATURES.items() if feature.known_ahead
    }


@pytest.mark.parametrize("name", ["context_ret_1m@XLF", "ret_1m@XLK", "context_ret_2m@XLK", "context_ret_1m@"])
def test_a_name_with_a_symbol_is_one_of_the_context_and_of_a_symbol_that_is_named(name):
    around = Context("A", others=("XLK",))
    with pytest.raises(ConfigurationError, match=f"features.names holds .'{name}'"):
        require_buildable(features_params(names=[name], required=[]), around)
    require_buildable(features_params(names=["context_ret_1m@XLK"], required=[]), around)


def test_whole_numbers_have_no_decimals_amounts_nine_and_shares_and_waves_twelve():
    """Decimals are part of a question's digest: another number of them asks everything anew. Shares and returns have
    twelve; name a feature of another kind here.
    """
    whole = {"event_today", "event_fomc", "event_cpi", "event_earnings", "minute", "minutes_to_close", "is_half",
             "bucket_open", "bucket_mid", "bucket_close", "day_of_week"}  # fmt: skip
    amounts = {"atr", "vwap_30m", "z_vwap", "volume_norm"}
    expected = dict.fromkeys(FEATURES, 12) | dict.fromkeys(whole, 0) | dict.fromkeys(amounts, 9)
    assert {name: one.decimals for name, one in FEATURES.items()} == expected | {"minutes_to_event": 6}


def test_what_was_announced_is_what_is_called_an_event():
    """By this name `Market.ahead` knows that the snapshot's value stands for the minutes ahead."""
    assert {name for name, feature in FEATURES.items() if feature.announced} == {
        name for name in FEATURES if name.startswith(EVENT)
    }


def test_an_unknown_name_is_refused_with_those_that_exist():
    with pytest.raises(ConfigurationError, match=r"features.names holds \['sigma_6m'\].*'sigma_5m'"):
        build(names=["ret_1m", "sigma_6m"])


def test_a_required_feature_must_be_built():
    with pytest.raises(ConfigurationError, match=r"features.required holds \['rv_5m'\]"):
        build(names=["ret_1m"], required=["rv_5m"])


def test_a_context_feature_needs_a_context_symbol():
    with pytest.raises(ConfigurationError, match=r"context_ret_1m.*universe.context_symbol is null"):
        build(names=["ret_1m", "context_ret_1m"])


def test_a_required_feature_that_is_often_unknown_stops_the_run():
    with pytest.raises(
        DataContractError, match=r"A: required feature volume_norm is unknown on \d+.*features.max_null_share 5%"
    ):
        build(missing=0.5, names=["volume_norm"], required=["volume_norm"], volume_norm_sessions=1)


def test_minutes_within_the_look_back_do_not_count_as_unknown():
    build(names=["ret_15m", "sigma_5m"], required=["ret_15m", "sigma_5m"], max_null_share=0.0)


def test_the_page_of_features_is_made_from_the_catalogue():
    assert PAGE.read_text().endswith(table()), "run `make features-page`"


def test_a_feature_that_looks_back_over_bars_is_carried_and_any_other_voids_the_question():
    """As docs/FEATURES.md says of all."""
    assert [FEATURES[name].exog_policy for name in ("ret_1m", "ret_5m", "minute")] == ["void", "carry", "void"]
    carried = {name for name, feature in FEATURES.items() if feature.lookback_bars(features_params())}
    assert {name for name, feature in FEATURES.items() if feature.exog_policy == "carry"} == carried
