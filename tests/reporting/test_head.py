"""The head of a page: what was tested, what came out, what to do next, where, and what a delay costs."""

import polars as pl
import pytest

from stages.reporting.page import render_page
from stages.reporting.verdict import headline
from tests.reporting.records import (
    SESSIONS,
    config,
    gates,
    key_figures,
    oos,
    opened_record,
    portfolio,
    record,
    sealed_page,
    sealed_report,
)


@pytest.fixture(scope="module")
def page() -> str:
    return sealed_page()


def short(run) -> dict[str, str]:
    return dict(headline(run).in_short)


def real(**changes):
    """A run on bars that are not artificial."""
    source = config()["source"] | {"kind": "files", "name": "bars"}
    return record(config=config() | {"source": source}, **changes)


def test_three_sentences_say_what_was_tested_what_came_out_and_what_to_do_next():
    told = short(opened_record())
    assert list(told) == ["Tested", "Found", "Next"]
    assert f"on 60 sessions from {SESSIONS[0]} to {SESSIONS[-1]}" in told["Tested"]
    assert "seasonal predicts the next 10 minutes of STRONG, WEAK, NULL" in told["Tested"]
    assert "earned 26.7 bp after costs in 60 trades on the search span" in told["Found"]
    assert "earned 77.7 bp after costs in 60 trades on the holdout" in told["Found"]


def test_a_symbol_with_a_horizon_of_its_own_is_named_with_it():
    one, two, *others = record().symbols
    rules = config()["rules"] | {"horizon_min": 1, "horizon_min_by_symbol": {two: 20}}
    told = short(record(config=config() | {"rules": rules}))["Tested"]
    assert f"the next 1 minute of {', '.join([one, *others])}, and the next 20 minutes of {two} better than" in told


def test_what_came_out_of_a_sealed_run_tells_nothing_of_the_holdout():
    assert short(record())["Found"].endswith("where it was chosen; the holdout is sealed.")


def test_a_loss_is_called_a_loss():
    lost = record(portfolio=portfolio(("search",)).with_columns(net_bp=pl.lit(-26.7)))
    assert "the rule lost 26.7 bp after costs" in short(lost)["Found"]


def test_a_holdout_without_a_trade_earned_nothing_and_is_not_said_to_have_earned():
    idle = oos("OPEN") | {"kpis": key_figures(0.0, trades=0)}
    assert short(record(oos=idle))["Found"].endswith("and traded nothing on the holdout, where nothing was chosen.")


def test_without_a_symbol_that_may_trade_nothing_was_traded():
    shut = record(oos=oos() | {"trading": []})
    told = "no whitelisted symbol's forecasts are good enough to trade, so nothing was traded."
    assert short(shut)["Found"] == told
    unsure = gates("INCONCLUSIVE")
    unsure["gates"]["forecast"] |= {"verdict": "INCONCLUSIVE"}
    few = record(oos=oos() | {"trading": []}, gates=unsure)
    assert short(few)["Found"] == "too little to say who may trade, so nothing was traded."


def test_forecasts_of_which_too_little_is_known_are_not_called_good_where_gates_merely_warn():
    told = {}
    for verdict in ("PASS", "INCONCLUSIVE"):
        judged = gates("SEALED")
        judged["cells"]["STRONG"] = judged["cells"]["STRONG"] | {"verdict": verdict}
        told[verdict], *_ = short(record(gates=judged))["Found"].split("; ")
    assert told == {
        "PASS": "the forecasts of STRONG are good enough to trade",
        "INCONCLUSIVE": "the forecasts of STRONG may trade, though too little is known of STRONG (gates.inconclusive: "
        "warn)",
    }


def test_forecasts_are_not_called_bad_where_a_control_keeps_them_from_trading():
    distrusted = gates("FAIL")
    distrusted["gates"]["controls"] |= {"verdict": "FAIL"}
    shut = record(oos=oos() | {"trading": []}, gates=distrusted)
    assert short(shut)["Found"] == "a control fails, and no forecast is trusted, so nothing was traded."


def test_with_an_empty_whitelist_more_sessions_are_not_advised():
    universe = {"universe": record().config["universe"] | {"whitelist": []}}
    nobody = record(config=record().config | universe, gates=gates("INCONCLUSIVE"), oos=oos() | {"trading": []})
    said = short(nobody)
    assert said["Found"] == "no symbol is on universe.whitelist, so none is judged and nothing was traded."
    assert said["Next"].startswith("`make whitelist` puts the symbols")


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("PASS", "trade on paper"),
        ("FAIL", "do not trade it"),
        ("INCONCLUSIVE", "more sessions"),
        ("SEALED", "`make open-holdout` judges it"),
    ],
)
def test_what_to_do_next_follows_the_verdict(verdict, said):
    assert said in short(real(gates=gates(verdict)))["Next"]


def test_on_an_artificial_market_the_next_step_is_bars_of_your_own():
    assert "`make first-run PRESET=name URI=folder`" in short(record(gates=gates("FAIL")))["Next"]


def test_before_the_holdout_begins_the_next_step_lets_its_sessions_into_the_record():
    ahead = oos() | {"held": {"all": 0}}
    step = "raise `universe.last_session`; then `make refresh`, `make run`."
    assert short(real(oos=ahead))["Next"] == f"when the first sessions of the holdout are over, {step}"
    config = real().config
    in_steps = config | {"requests": config["requests"] | {"last_session": "2024-12-31"}}
    assert "`universe.last_session` and `requests.last_session`;" in short(record(oos=ahead, config=in_steps))["Next"]


@pytest.mark.parametrize(("begins", "held_by_the_record"), [("2025-03-31", True), ("2025-04-01", False)])
def test_a_holdout_that_the_record_holds_without_questions_needs_no_more_bars(begins, held_by_the_record):
    config = real().config
    sections = {"requests": {"last_session": "2024-12-31"}, "split": {"holdout_from": begins, "holdout_sessions": None}}
    in_steps = config | {name: config[name] | keys for name, keys in sections.items()}
    said = short(record(oos=oos() | {"held": {"all": 0}}, config=in_steps))["Next"]
    assert ("`make refresh`" not in said) == held_by_the_record
    assert said.startswith("raise `requests.last_session` into the holdout") == held_by_the_record


@pytest.mark.parametrize(("net_bp", "trades", "said"), [(-54.9, 14, "change the rule"), (0.0, 0, "loosen the rule")])
def test_the_holdout_is_not_offered_to_a_rule_that_loses_or_trades_nothing(net_bp, trades, said):
    book = pl.DataFrame([{"span": "search", "symbol": "PORTFOLIO", **key_figures(net_bp, trades)}])
    assert short(real(oos=oos() | {"held": {"all": 0}}, portfolio=book))["Next"].startswith(said)


def test_a_rule_that_loses_on_the_search_span_is_neither_praised_nor_sent_to_the_holdout():
    losing = pl.DataFrame([{"span": "search", "symbol": "PORTFOLIO", **key_figures(-54.9, 14)}])
    lost = record(portfolio=losing)
    assert headline(lost).reason.startswith("The rule loses on the search span")
    assert short(lost)["Next"].startswith("change the rule or the symbols before you open the holdout")


def test_a_rule_without_a_trade_is_not_sent_to_the_holdout():
    idle = short(real(portfolio=portfolio(("search",)).with_columns(trades=pl.lit(0))))
    assert "found nothing worth its costs" in idle["Found"]
    assert "before you open the holdout" in idle["Next"]


def test_more_sessions_are_no_remedy_for_a_rule_that_trades_nothing():
    """Its forecasts pass, and the opened holdout could judge nothing; a few trades are too few, and more days help."""
    judged, spans = oos("OPEN"), portfolio(("search", "holdout")).with_columns(trades=pl.lit(0))
    none, few = (judged | {"kpis": judged["kpis"] | {"trades": trades}} for trades in (0, 2))
    idle = short(real(gates=gates("INCONCLUSIVE"), oos=none, portfolio=spans))
    assert idle["Next"].startswith("loosen the rule")
    assert "before you open the holdout" not in idle["Next"]
    assert "more sessions" in short(real(gates=gates("INCONCLUSIVE"), oos=few, portfolio=spans))["Next"]


def test_symbols_spans_and_ids_stand_at_the_head_of_the_page_and_of_the_report(page):
    where = (
        f"STRONG, WEAK, NULL · search span {SESSIONS[0]} to {SESSIONS[-1]}, 60 sessions · holdout 20 sessions, "
        f"sealed · study {record().worth['study_id']} · strategy 0123456789ab"
    )
    assert headline(record()).where == where
    for text in (page, sealed_report()):
        assert text.index(where) < text.index("Worth paying?")


def test_the_hashed_page_names_no_run_and_says_which_page_does(page):
    assert "so it names no run, commit or spend; <code>make page</code>" in page
    named = render_page(record(), run="Run `x`, commit 0123456789.")
    assert "Run <code>x</code>, commit 0123456789." in named
    assert "so it names no run" not in named


def test_a_bar_of_delay_stands_beside_the_verdict_with_what_it_costs_and_leaves():
    """By hand: 26.7 bp at once, 25.7 bp a bar later."""
    assert dict(headline(record()).facts)["entered 1 bar later, search"] == "\N{MINUS SIGN}1.0 bp, 25.7 bp left"
    better = record(delay=record().delay.with_columns(net_bp=pl.Series([26.7, 28.7])))
    assert dict(headline(better).facts)["entered 1 bar later, search"] == "+2.0 bp, 28.7 bp left"
    assert "entered 1 bar later, holdout" in dict(headline(opened_record()).facts)


def test_without_a_trade_there_is_no_delay_to_tell():
    idle = record(delay=record().delay.with_columns(pl.lit(key_figures(0.0, 0)["trades"]).alias("trades")))
    assert not [name for name, _ in headline(idle).facts if "later" in name]


@pytest.mark.parametrize("asks", [[], [4]])
def test_a_symbol_that_is_listed_too_late_for_the_stated_history_was_not_tested(asks):
    """It has no question in the search span, or questions of a shorter history alone."""
    cells = record().metrics["cells"]
    others, own = ([one for one in cells if (one["symbol"] == "STRONG") == its] for its in (False, True))
    shorter = [one | {"history_days": days} for one in own for days in asks]
    late = record(metrics=record().metrics | {"cells": others + shorter})
    assert "the next 10 minutes of WEAK, NULL better than" in short(late)["Tested"]
