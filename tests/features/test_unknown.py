"""Unknown values are counted: all of them, and those where the value should be known."""

import json

import polars as pl
import pytest

from stages.errors import DataContractError
from stages.features.catalogue import FEATURES, PerSymbol, build_features
from stages.features.context import Context
from stages.features.minutes import count_unknown, nulls_due, require_known, unknown_report
from tests.features.made_bars import features_params, made_calendar, random_bars, usable_of

CALENDAR = made_calendar(3, n_bars=4)
DAYS = CALENDAR["session"].to_list()


def frame(**values: list[float | None]) -> pl.DataFrame:
    minutes = pl.DataFrame({"session": [day for day in DAYS for _ in range(4)], "m": [0, 1, 2, 3] * 3})
    return minutes.with_columns(**{name: pl.Series(column, dtype=pl.Float64) for name, column in values.items()})


def test_three_sessions_of_four_minutes_by_hand():
    """`a` needs two bars and no session, `b` a session before; the second session was dropped by the gate."""
    a = [None, None, 1.0, None, *[None] * 4, None, None, None, 1.0]
    b = [None] * 4 + [None] * 4 + [1.0, 1.0, None, 1.0]
    counts = count_unknown(frame(a=a, b=b), (DAYS[0], DAYS[2]), {"a": (2, 0), "b": (0, 1)}, ("a",))
    assert counts == {
        "rows": 12,
        "rows_incomplete": 10,
        "features": {"a": {"nulls": 10, "due": 4, "nulls_due": 2}, "b": {"nulls": 9, "due": 4, "nulls_due": 1}},
    }


def test_a_symbol_without_a_usable_session_owes_nothing():
    counts = count_unknown(frame(a=[None] * 12), (), {"a": (0, 0)}, ())
    assert counts == {"rows": 12, "rows_incomplete": 0, "features": {"a": {"nulls": 12, "due": 0, "nulls_due": 0}}}
    require_known("A", counts, features_params(names=["ret_1m"], required=[]))
    owed = {"features": {"ret_1m": counts["features"]["a"]}}
    require_known("A", owed, features_params(names=["ret_1m"], required=["ret_1m"], max_null_share=0.0))


@pytest.mark.parametrize(("due", "nulls", "share"), [(1, 1, "100%"), (2, 1, "50%"), (4, 1, "25%")])
def test_the_share_that_is_unknown_is_one_of_the_minutes_on_which_it_was_due(due, nulls, share):
    counts = {"features": {"ret_1m": {"due": due, "nulls_due": nulls}}}
    exactly, less = (
        features_params(names=["ret_1m"], required=["ret_1m"], max_null_share=most)
        for most in (nulls / due, nulls / due - 0.01)
    )
    require_known("A", counts, exactly)
    with pytest.raises(DataContractError, match=f"unknown on {share} of its minutes"):
        require_known("A", counts, less)


def test_the_counts_are_those_of_the_file_and_the_same_every_time():
    """Against polars' own count of the very frame that is written, for every feature of the catalogue."""
    calendar = made_calendar(5, n_bars=40, half=(2,))
    params = features_params(names=list(FEATURES), required=["ret_1m", "sigma_5m"], max_null_share=1.0)
    build = PerSymbol(params, calendar, Context("A"))
    bars, usable = random_bars(calendar, 1, missing=0.2), usable_of(calendar, "A")["A"]
    built, counts = build("A", bars, usable, bars)

    for name, count in counts["features"].items():
        assert count["nulls"] == built[name].null_count(), name
        assert count["nulls_due"] <= min(count["due"], count["nulls"]), name
    whole = built.drop_nulls(["ret_1m", "sigma_5m"]).height
    assert counts["rows_incomplete"] == built.height - whole > 0
    report = unknown_report({"A": counts}, params)
    assert nulls_due(report) == sum(count["nulls_due"] for count in counts["features"].values())
    assert (report["schema_version"], report["required"], report["max_null_share"]) == (
        1,
        list(params.required),
        params.max_null_share,
    )
    assert json.dumps(report) == json.dumps(unknown_report({"A": build("A", bars, usable, bars)[1]}, params))


def test_one_unknown_minute_too_many_stops_the_run_and_one_fewer_does_not():
    """20 of 80 due minutes: a quarter is allowed, anything less is not."""
    calendar = made_calendar(2, n_bars=40)
    bars = random_bars(calendar, 1).with_columns(
        pl.when(pl.col("m") < 30).then("close"), is_filled=pl.col("is_filled") & (pl.col("m") < 30)
    )

    def build(share: float) -> None:
        params = features_params(names=["ret_1m"], required=["ret_1m"], max_null_share=share)
        build_features({"A": bars}, usable_of(calendar, "A"), calendar, params, Context())

    build(0.25)
    with pytest.raises(DataContractError, match=r"A: required feature ret_1m is unknown on 25%.*max_null_share 24.9%"):
        build(0.249)
    with pytest.raises(DataContractError, match=r"unknown on 25%.*max_null_share 0.01%"):
        build(0.0001)
