"""Every reason for which a signal is not traded, in the order in which the tests are made.

A flat day at 100.00; each scenario breaks one rule and as many later ones as it likes.
"""

import re
from dataclasses import replace
from datetime import date
from math import expm1, nextafter

import numpy as np
import polars as pl
import pytest

from stages.errors import ConfigurationError, DataContractError
from stages.tables.scores import Cell
from stages.trading import kernels
from stages.trading.rules import Reason
from stages.trading.simulate import simulate
from stages.trading.strategy import require_forecast, require_tradable
from stages.trading.trade_grid import Market
from tests.architecture.dependencies import ROOT
from tests.trading.loop import simulate_by_loop
from tests.trading.made_markets import FULL, METHOD, bars, calendar, forecast, strategy, table, trade_here

DAY = date(2024, 3, 13)
LONG, SHORT, FLAT = (5.0, 20.0, 36.0), (-36.0, -20.0, -5.0), (-5.0, 0.0, 5.0)
WEAK_LONG = (3.5, 4.0, 4.5)  # clears the costs of 3 bp, but moves less than half a sigma

both = pytest.mark.parametrize("trade", [simulate, simulate_by_loop], ids=["engine", "loop"])


def flat_day(filled=(), **changed) -> dict:
    prices = np.full((FULL, 4), 100.0)
    for minute, values in changed.items():
        prices[int(minute[1:])] = values
    return {"A": bars(DAY, prices, np.isin(np.arange(FULL), list(filled)))}


def decisions(trade, forecasts: list[dict], who=None, made_bars=None) -> list[str]:
    result = trade(made_bars or flat_day(), table(forecasts), calendar({DAY: FULL}), who or strategy("A"))
    return result.signals["decision"].to_list()


def asked(clock: str, quartiles=LONG, **changes) -> dict:
    return forecast("A", DAY, clock, quartiles, **changes)


TARGET_AT_1035 = {"m65": (100.0, 100.2, 100.0, 100.0)}


@both
def test_a_symbol_off_the_whitelist_is_refused_at_the_gate(trade):
    assert decisions(trade, [asked("10:30")], replace(strategy("A"), whitelist=())) == ["symbol_gate"]


@both
def test_a_cell_that_did_not_pass_its_gates_is_refused_at_the_gate(trade):
    other_horizon = frozenset({Cell("A", 40, 5, METHOD)})
    assert decisions(trade, [asked("10:30")], replace(strategy("A"), eligible=other_horizon)) == ["symbol_gate"]


@both
def test_a_forecast_that_could_not_be_calibrated_is_not_traded(trade):
    assert decisions(trade, [asked("10:30", calibrated=False)]) == ["not_calibrated"]


@both
def test_an_open_position_refuses_the_next_signal_of_either_side(trade):
    assert decisions(trade, [asked("10:30"), asked("11:30", SHORT)]) == ["long", "in_position"]


@both
def test_a_position_that_ends_within_the_bar_of_a_snapshot_was_still_open_then(trade):
    day = flat_day(m65=(100.0, 100.2, 100.0, 100.0))
    assert decisions(trade, [asked("10:30"), asked("10:35")], strategy("A", cooldown_bars=0), day)[1] == "in_position"


@both
@pytest.mark.parametrize(("clock", "said"), [("15:54", "long"), ("15:55", "after_time_stop")])
def test_no_entry_at_or_after_the_time_stop(trade, clock, said):
    assert decisions(trade, [asked(clock, FLAT if said != "long" else LONG)]) == [said]


@both
def test_an_entry_delayed_past_the_time_stop_is_after_it(trade):
    assert decisions(trade, [asked("15:54")], strategy("A", entry_delay_bars=1)) == ["after_time_stop"]


@both
def test_the_daily_cap_counts_entries_of_the_session(trade):
    day = flat_day(**TARGET_AT_1035)
    assert decisions(trade, [asked("10:30"), asked("14:45")], strategy("A", daily_trade_cap=1), day)[1] == "daily_cap"


@both
@pytest.mark.parametrize(("clock", "said"), [("10:40", "cooldown"), ("10:41", "long")])
def test_more_than_cooldown_bars_must_lie_between_exit_and_entry(trade, clock, said):
    assert decisions(trade, [asked("10:30"), asked(clock)], made_bars=flat_day(**TARGET_AT_1035)) == ["long", said]


@both
def test_a_new_session_starts_without_cap_or_cooldown(trade):
    days = [date(2024, 3, 13), date(2024, 3, 14)]
    prices = np.full((FULL, 4), 100.0)
    bar_array = {"A": bars(days[0], prices).vstack(bars(days[1], prices))}
    forecasts = table([forecast("A", day, "10:30", LONG) for day in days])
    result = trade(bar_array, forecasts, calendar(dict.fromkeys(days, FULL)), strategy("A", daily_trade_cap=1))
    assert result.signals["decision"].to_list() == ["long", "long"]


@both
def test_without_a_sigma_there_are_no_barriers(trade):
    assert decisions(trade, [asked("10:30", FLAT, sigma_5m=None)]) == ["no_sigma"]


@both
def test_a_quartile_that_does_not_clear_the_costs_is_refused(trade):
    assert decisions(trade, [asked("10:30", FLAT)]) == ["quantile_rule"]


@both
def test_a_median_below_k_sigma_is_refused(trade):
    assert decisions(trade, [asked("10:30", WEAK_LONG)], strategy("A", s_take=0.1)) == ["k_sigma"]


@both
def test_a_target_inside_the_costs_is_refused_by_its_expected_value(trade):
    assert decisions(trade, [asked("10:30")], strategy("A", s_take=0.2)) == ["ev"]


STRENGTH = 1e4 * expm1(20.0 / 1e4) / 10.0  # the median of LONG in sigmas of 10 bp
CERTAIN = (25.0, 25.0, 25.0)  # beyond a target of 3 bp for sure, and so worth its 3 bp less the costs of 3 bp


@both
@pytest.mark.parametrize(
    ("quartiles", "rules", "said"),
    [
        (LONG, {"k_sigma": STRENGTH}, "long"),
        (LONG, {"k_sigma": nextafter(STRENGTH, 9.0)}, "k_sigma"),
        (CERTAIN, {"s_take": 0.3}, "ev"),  # 0 exactly
        (CERTAIN, {"s_take": 0.3000001}, "long"),
    ],
)
def test_a_strength_of_exactly_k_enters_and_an_expected_value_of_exactly_zero_does_not(trade, quartiles, rules, said):
    who, forecasts = strategy("A", **rules), [asked("10:30", quartiles)]
    assert decisions(trade, forecasts, who) == [said]
    (book,) = trade_here([who], Market(flat_day(), table(forecasts), calendar({DAY: FULL})))
    assert book.trades == (said == "long")


@both
def test_without_a_real_bar_in_time_there_is_no_entry(trade):
    assert decisions(trade, [asked("10:30")], made_bars=flat_day(filled=[60, 61, 62])) == ["no_bar"]
    assert decisions(trade, [asked("10:30")], made_bars=flat_day(filled=[60, 61])) == ["long"]


def test_an_order_waits_until_it_can_no_longer_be_filled_though_it_never_is():
    """At 10:31 and 10:32 nobody knew that no bar would come; at 10:33 the order is over, and no cooldown follows."""
    day, who = flat_day(filled=[60, 61, 62]), strategy("A")
    forecasts = [asked(f"10:3{minute}") for minute in range(4)]
    said = ["no_bar", "in_position", "in_position", "long"]
    assert [decisions(trade, forecasts, who, day) for trade in (simulate, simulate_by_loop)] == [said, said]
    (book,) = trade_here([who], Market(day, table(forecasts), calendar({DAY: FULL})))
    (late,) = trade_here([who], Market(day, table(forecasts[:3]), calendar({DAY: FULL})))
    assert (book.trades, late.trades) == (1, 0)


def test_an_order_that_may_wait_for_one_minute_only_waits_until_that_minute_is_over():
    """The order of 10:30 is for the bar of 10:32, which nobody traded in."""
    day, who = flat_day(filled=[62]), strategy("A", entry_delay_bars=2, max_entry_delay_bars=0)
    forecasts = [asked(f"10:3{minute}") for minute in range(4)]
    said = ["no_bar", "in_position", "in_position", "long"]
    assert [decisions(trade, forecasts, who, day) for trade in (simulate, simulate_by_loop)] == [said, said]
    traded = [trade_here([who], Market(day, table(forecasts[:n]), calendar({DAY: FULL})))[0].trades for n in (3, 4)]
    assert traded == [0, 1]


@both
def test_an_order_behind_the_last_bar_of_a_record_is_never_filled(trade):
    assert decisions(trade, [asked("10:30")], strategy("A"), flat_day(filled=range(60, 390))) == ["no_bar"]


def test_an_order_for_a_minute_beyond_its_horizon_is_never_sent():
    who, forecasts = strategy("A", entry_delay_bars=10), [asked("10:30"), asked("10:31", horizon_min=10)]
    assert [decisions(trade, forecasts, who) for trade in (simulate, simulate_by_loop)] == [["no_bar", "no_bar"]] * 2


@both
def test_no_entry_once_the_horizon_has_passed(trade):
    assert decisions(trade, [asked("10:30")], strategy("A", entry_delay_bars=10)) == ["no_bar"]


@both
def test_costs_and_expected_value_stand_on_every_signal_that_takes_a_side(trade):
    result = trade(flat_day(), table([asked("10:30"), asked("14:45", FLAT)]), calendar({DAY: FULL}), strategy("A"))
    rows = result.signals.to_dicts()
    assert [row["cost_bp"] for row in rows] == pytest.approx([3.0, 3.0])
    assert rows[0]["ev_bp"] > 0.0
    assert rows[1]["ev_bp"] is None


@both
def test_a_symbol_without_stated_costs_is_listed_but_never_reckoned(trade):
    stranger = replace(strategy("B"), whitelist=())
    result = trade(flat_day(), table([asked("10:30")]), calendar({DAY: FULL}), stranger)
    assert result.signals.select("decision", "ev_bp", "cost_bp").row(0) == ("symbol_gate", None, None)


def test_the_page_of_the_rules_lists_every_reason_in_the_order_of_the_tests():
    page = (ROOT / "docs/TRADING_RULES.md").read_text()
    (table,) = re.findall(r"\| reason \| the test \|\n\|[-|]+\n((?:\|.*\n)+)", page)
    listed = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    reasons = [reason.label for reason in Reason if reason != Reason.ENTER]
    assert listed == reasons, "the first table of docs/TRADING_RULES.md needs a row for each reason, in this order"
    assert sorted(Reason) == list(range(len(Reason))), "a new reason takes the next free number"


def test_the_compiled_codes_are_those_of_the_reasons():
    codes = {name: code for name, code in vars(kernels).items() if name in Reason.__members__}
    assert codes.keys() >= {"ENTER", "IN_POSITION", "DAILY_CAP", "COOLDOWN"}
    assert codes == {name: Reason[name] for name in codes}, (
        "kernels.py and `Reason` in rules.py number them differently"
    )
    assert [getattr(kernels, name.upper()) for name in kernels.EXITS] == list(range(len(kernels.EXITS)))


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"horizon_min": 7}, r"rules\.horizon_min asks for 7, but the forecasts have horizon_min 10"),
        ({"history_days": 41}, r"rules\.history_days asks for 41"),
        ({"horizon_min_by_symbol": {"A": 6}}, r"rules\.horizon_min_by_symbol asks for 6"),
    ],
)
def test_a_rule_on_forecasts_that_were_not_made_is_refused(rules, message):
    with pytest.raises(ConfigurationError, match=message):
        require_tradable(strategy("A", **rules), table([asked("10:30")]))


def test_a_symbol_that_is_not_listed_yet_may_have_a_horizon_of_its_own():
    one = strategy("A", "Z", horizon_min_by_symbol={"Z": 10})
    require_tradable(one, table([asked("10:30")]))
    assert decisions(simulate, [asked("10:30")], one) == ["long"]


def test_a_method_that_was_not_computed_is_refused():
    with pytest.raises(ConfigurationError, match=r"calibration\.method asks for split"):
        require_tradable(replace(strategy("A"), method="split"), table([asked("10:30")]))


def test_a_whitelisted_symbol_without_a_tick_size_is_refused():
    with pytest.raises(ConfigurationError, match=r"costs\.tick_size has no value for A"):
        require_tradable(strategy("A").with_costs(tick_size={}), table([asked("10:30")]))


def test_forecasts_of_a_symbol_without_bars_are_refused():
    with pytest.raises(DataContractError, match="A has forecasts but no bars"):
        simulate({}, table([asked("10:30")]), calendar({DAY: FULL}), strategy("A"))


def test_a_forecast_outside_the_calendar_is_refused():
    with pytest.raises(DataContractError, match="2024-03-13, which the calendar"):
        simulate(flat_day(), table([asked("10:30")]), calendar({date(2024, 3, 14): FULL}), strategy("A"))


def test_forecasts_that_disagree_about_what_was_known_are_refused():
    forecasts = table([asked("10:30"), asked("10:30", last=101.0)])
    with pytest.raises(DataContractError, match="disagree about `last`"):
        simulate(flat_day(), forecasts, calendar({DAY: FULL}), strategy("A"))


def test_the_forecasts_that_are_there_are_listed_in_order():
    made = pl.Series("history_days", [40, 5, 100, 20])
    require_forecast("rules.history_days", [100, 5], made)
    with pytest.raises(ConfigurationError, match="asks for 7, but the forecasts have history_days 5, 20, 40, 100: "):
        require_forecast("rules.history_days", [5, 7, 8], made)
