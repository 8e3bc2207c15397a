"""The verdict of a run: what is required, what is not, and what a sealed holdout keeps to itself."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from stages.errors import ConfigurationError
from stages.trading.holdout import open_parts, sealed_words
from stages.trading.outcome import Outcome, gates_document, oos_document, summary
from tests.trading.books import HISTORY, HORIZON, METHOD, figures_of, gates, span, span_of, strategy, trade

HELD = {"echo": {"verdict": "PASS"}, "oracle": {"verdict": "PASS"}, "shifted_oracle": {"verdict": "PASS"}}
CONTROLS = HELD | {"verdict": "PASS"}
BROKEN = HELD | {"echo": {"verdict": "FAIL"}, "verdict": "FAIL"}
SEARCH = span(30, trade("STRONG", 0, 10.0), trade("STRONG", 1, 9.0))
WON = span(30, *[trade("STRONG", day, 10.0 + day % 3) for day in range(30)])
LOST = span(30, *[trade("STRONG", day, -10.0 - day % 3) for day in range(30)])


def cell(symbol, verdict, horizon=HORIZON):
    gate = {"verdict": verdict, "n": 272, "n_days": 69}
    return {
        "symbol": symbol,
        "history_days": HISTORY,
        "horizon_min": horizon,
        "method": METHOD,
        "verdict": verdict,
        "eligible": verdict == "PASS",
        "gates": {"rmae": gate},
    }


def forecast_gates(**verdicts):
    return {"cells": [cell(symbol, verdict) for symbol, verdict in verdicts.items()]}


def ranked(combo, dsr=0.97):
    row = {"combo": combo, "dsr": dsr, "pbo": 0.1, "spa_p": 0.02, "trials": 36, "effective_trials": 11.5}
    row |= {"cost_mult": 1.0}
    return pl.DataFrame([row])


def outcome_of(traded, search=SEARCH, holdout=None, open_for=None):
    """Of a holdout in one part, which is open if it is given."""
    opened = {"all": holdout} if holdout else {}
    figures = figures_of(search=span(30), **opened, **({"holdout": holdout} if holdout else {}))
    return Outcome("s1", "s1" if holdout else open_for, traded, search, {"all": 30}, opened, figures)


def judged(holdout=None, controls=CONTROLS, params=None, ranking=None, **verdicts):
    verdicts = verdicts or {"STRONG": "PASS", "WEAK": "PASS", "NULL": "FAIL"}
    traded = strategy(*[symbol for symbol, verdict in verdicts.items() if verdict == "PASS"])
    outcome = outcome_of(traded, holdout=holdout)
    ranking = ranked(traded.combo) if ranking is None else ranking
    return gates_document(outcome, forecast_gates(**verdicts), controls, ranking, params or gates())


def test_a_symbol_with_nothing_to_forecast_is_kept_out_and_fails_no_run():
    document = judged(WON, STRONG="PASS", WEAK="PASS", NULL="FAIL")
    assert (document["verdict"], document["holds"]) == ("PASS", True)
    assert document["gates"]["forecast"]["value"] == 2.0
    assert document["cells"]["NULL"]["verdict"] == "FAIL"
    assert "FAIL: NULL" in document["gates"]["forecast"]["words"]


def test_what_stands_for_all_controls_and_for_all_cells_by_hand():
    said = {"shifted_oracle": "FAIL", "oracle": "PASS", "echo": "FAIL"}
    controls = {"verdict": "FAIL"} | {name: {"verdict": verdict} for name, verdict in said.items()}
    cells = forecast_gates(STRONG="PASS", WEAK="PASS", NULL="FAIL")
    cells["cells"][1]["gates"] = {"rmae": {"n_days": 70}, "coverage": {"n_days": 68}}
    documents = [
        gates_document(outcome_of(strategy("STRONG")), found, controls, ranked("any"), gates())["gates"]
        for found in (cells, {"cells": []})
    ]
    unknown = "Of 3 symbols of the whitelist, by their forecasts, 3 INCONCLUSIVE: STRONG, WEAK, NULL."
    facts = [
        [document[gate][name] for name in ("value", "threshold", "bound", "n", "n_days", "words")]
        for document, gate in ((documents[0], "controls"), (documents[0], "forecast"), (documents[1], "forecast"))
    ]
    assert facts == [
        [1.0, 3.0, None, 3, 0, "Of 3 control forecasters, 2 FAIL: echo, shifted_oracle."],
        [2.0, 1.0, None, 3, 70, "Of 3 symbols of the whitelist, by their forecasts, 1 FAIL: NULL."],
        [0.0, 1.0, None, 3, 0, unknown],
    ]


@pytest.mark.parametrize(
    ("verdict", "controls", "eligible", "value"),
    [("PASS", BROKEN, False, 1.0), ("INCONCLUSIVE", CONTROLS, True, 0.0)],
    ids=["a control fails", "gates only warn"],
)
def test_the_number_of_forecasts_that_pass_agrees_with_the_verdict_whoever_may_trade(
    verdict, controls, eligible, value
):
    found = {"cells": [cell("STRONG", verdict) | {"eligible": eligible}]}
    document = gates_document(outcome_of(strategy("STRONG")), found, controls, ranked("any"), gates())
    forecast = document["gates"]["forecast"]
    assert (forecast["verdict"], forecast["value"], forecast["threshold"]) == (verdict, value, 1.0)


@pytest.mark.parametrize(
    ("verdict", "told"),
    [("PASS", "The only one passes."), ("FAIL", "Of 1 symbol of the whitelist, by its forecasts, 1 FAIL: STRONG.")],
)
def test_a_whitelist_of_one_symbol_is_no_plural(verdict, told):
    found = {"cells": [cell("STRONG", verdict)]}
    alone = replace(strategy("STRONG"), whitelist=("STRONG",))
    document = gates_document(outcome_of(alone), found, CONTROLS, ranked("any"), gates())
    assert document["gates"]["forecast"]["words"] == told


def test_a_symbol_of_the_whitelist_without_a_forecast_is_named_among_those_of_which_too_little_is_known():
    """As one with few forecasts is: it is listed in the holdout, say, and no cell of the search span is its own."""
    late = judged(WON, STRONG="PASS", WEAK="FAIL")["gates"]["forecast"]
    assert (late["verdict"], late["n"]) == ("PASS", 3)
    assert late["words"] == "Of 3 symbols of the whitelist, by their forecasts, 1 FAIL: WEAK; 1 INCONCLUSIVE: NULL."
    few = judged(WON, STRONG="FAIL", WEAK="FAIL", NULL="INCONCLUSIVE")["gates"]["forecast"]
    none = judged(WON, STRONG="FAIL", WEAK="FAIL")["gates"]["forecast"]
    assert few["verdict"] == none["verdict"] == "INCONCLUSIVE"


def test_without_a_whitelist_there_is_no_forecast_to_judge():
    document = gates_document(
        outcome_of(replace(strategy(), whitelist=())), {"cells": []}, CONTROLS, ranked("any"), gates()
    )
    forecast = document["gates"]["forecast"]
    assert (forecast["verdict"], forecast["n"], forecast["words"]) == ("INCONCLUSIVE", 0, "There is none to judge.")


def test_every_gate_that_is_named_is_required():
    names = {"controls", "forecast", "oos_sharpe", "hit_rate", "pnl_at_1p5x"}
    document = judged(WON)
    assert set(document["gates"]) == names
    assert all(gate["required"] for gate in document["gates"].values())


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        ({"holdout": WON}, "PASS"),
        ({"holdout": LOST}, "FAIL"),
        ({}, "SEALED"),
        ({"holdout": span(30)}, "INCONCLUSIVE"),
        ({"holdout": WON, "controls": BROKEN}, "FAIL"),
        ({"STRONG": "FAIL", "WEAK": "FAIL", "NULL": "FAIL"}, "FAIL"),
        ({"STRONG": "INCONCLUSIVE", "WEAK": "FAIL", "NULL": "FAIL"}, "INCONCLUSIVE"),
        ({"holdout": span(30), "STRONG": "FAIL", "WEAK": "FAIL", "NULL": "FAIL"}, "FAIL"),
    ],
)
def test_the_verdict_of_all_is_the_worst_of_those_required(arguments, verdict):
    document = judged(**arguments)
    assert (document["verdict"], document["holds"]) == (verdict, verdict == "PASS")


def test_inconclusive_holds_only_where_params_merely_warn_and_keeps_its_name():
    document = judged(span(30), params=gates(inconclusive="warn"))
    assert (document["verdict"], document["holds"]) == ("INCONCLUSIVE", True)
    assert judged(LOST, params=gates(inconclusive="warn"))["holds"] is False
    assert judged(params=gates(inconclusive="warn"))["holds"] is False
    less_known = judged(params=gates(inconclusive="warn"), STRONG="INCONCLUSIVE", WEAK="FAIL", NULL="FAIL")
    assert (less_known["verdict"], less_known["holds"]) == ("INCONCLUSIVE", False), "its holdout is sealed"


def test_a_whitelist_without_any_judged_cell_is_inconclusive():
    outcome = outcome_of(strategy(), search=span(30))
    document = gates_document(
        outcome, {"cells": [cell("STRONG", "PASS", horizon=5)]}, CONTROLS, ranked("another combo"), gates()
    )
    assert document["gates"]["forecast"]["verdict"] == "INCONCLUSIVE"
    assert document["cells"] == {}


def test_only_the_cells_that_the_strategy_would_trade_count():
    outcome = outcome_of(strategy("STRONG"))
    failing = [cell(symbol, "FAIL") for symbol in outcome.strategy.whitelist]
    cells = {"cells": [*failing, cell("STRONG", "PASS", horizon=5), cell("OTHER", "PASS")]}
    document = gates_document(outcome, cells, CONTROLS, ranked("another combo"), gates())
    assert document["gates"]["forecast"]["verdict"] == "FAIL"
    assert document["cells"] == dict(zip(outcome.strategy.whitelist, failing, strict=True))


def test_the_deflated_sharpe_of_the_stated_rule_is_shown_and_not_judged():
    poor = judged(WON, ranking=ranked(strategy("STRONG").combo, dsr=0.01))
    assert poor["verdict"] == "PASS"
    assert poor["selection"]["dsr"] == 0.01
    assert poor["selection"]["trials"] == 36


def test_a_rule_outside_of_the_grid_has_no_deflated_sharpe_ratio():
    selection = judged(WON, ranking=ranked("another combo"))["selection"]
    assert selection["dsr"] is None
    assert selection["pbo"] == 0.1


def test_variants_at_other_costs_are_not_among_those_whose_overfitting_is_reported():
    cheap = [ranked(f"{cost_mult} times the costs").with_columns(cost_mult=cost_mult) for cost_mult in (0.0, 0.5)]
    both = pl.concat([*cheap, ranked(strategy("STRONG").combo), ranked("a neighbour")])
    assert judged(WON, ranking=both)["selection"]["grid_variants"] == 2


def test_a_sealed_holdout_releases_nothing_but_the_name_that_would_open_it():
    outcome = outcome_of(strategy("STRONG"), open_for="s0")
    document = oos_document(outcome, gates())
    assert document == {
        "strategy_id": "s1",
        "open_for": "s0",
        "trading": ["STRONG"],
        "status": "SEALED",
        "words": "The holdout is closed for this strategy.",
        "held": {"all": 30},
        "sessions": None,
        "kpis": None,
        "break_even_cost_multiple": None,
        "forecasts": None,
        "months": {},
    }
    assert outcome.released_trades.is_empty()
    assert outcome.released_daily.is_empty()


def test_an_opened_holdout_shows_its_sessions_trades_and_figures():
    outcome = outcome_of(strategy("STRONG"), holdout=WON)
    document = oos_document(outcome, gates())
    assert document["status"] == "OPEN"
    assert len(document["sessions"]) == 30
    assert document["kpis"]["trades"] == outcome.released_trades.height == 30
    assert document["break_even_cost_multiple"] == pytest.approx(5.5)
    assert outcome.released_daily.filter(symbol="PORTFOLIO")["net_bp"].sum() == pytest.approx(
        document["kpis"]["net_bp"], abs=1e-6
    )


def of_months(**opened):
    """A strategy whose holdout is two months of 15 sessions each."""
    held = {"first": 15, "second": 15}
    figures = figures_of(search=SEARCH, holdout=WON, **opened)
    return Outcome("s1", dict.fromkeys(opened, "s1"), strategy("STRONG"), SEARCH, held, opened, figures)


FIRST = span_of(range(15), *[trade("STRONG", day, 10.0 + day % 3) for day in range(15)])
SECOND = span_of(range(15, 30), *[trade("STRONG", day, 10.0 + day % 3) for day in range(15, 30)])


def test_a_month_that_is_open_is_reported_while_the_book_stays_sealed_until_all_are():
    outcome = of_months(first=FIRST)
    document = oos_document(outcome, gates())

    assert (document["status"], document["kpis"], document["held"]) == ("SEALED", None, {"first": 15, "second": 15})
    assert document["words"] == "Open: first; closed: second. The book is judged when every month is open."
    assert list(document["months"]) == ["first"]
    assert document["months"]["first"]["kpis"]["trades"] == len(document["months"]["first"]["sessions"]) == 15
    judgements = gates_document(outcome, forecast_gates(STRONG="PASS"), CONTROLS, ranked("another"), gates())["gates"]
    assert {judgements[name]["verdict"] for name in ("oos_sharpe", "hit_rate", "pnl_at_1p5x")} == {"SEALED"}
    assert judgements["hit_rate"]["words"] == document["words"]
    assert list(outcome.spans) == ["search"]
    assert outcome.released_trades.height == 15


def test_the_gates_judge_the_months_together_as_if_they_were_one_holdout():
    months, whole = of_months(first=FIRST, second=SECOND), outcome_of(strategy("STRONG"), holdout=WON)

    told, expected = (oos_document(one, gates()) for one in (months, whole))
    differ = {"open_for", "held", "months"}

    assert {name: told[name] for name in told if name not in differ} == {
        name: expected[name] for name in expected if name not in differ
    }
    assert [told["months"][name]["kpis"]["trades"] for name in ("first", "second")] == [15, 15]
    halves = [told["months"][name]["kpis"]["net_bp"] for name in ("first", "second")]
    assert told["kpis"]["net_bp"] == pytest.approx(sum(halves))
    arguments = forecast_gates(STRONG="PASS"), CONTROLS, ranked("another"), gates()
    assert gates_document(months, *arguments) == gates_document(whole, *arguments)
    assert months.released_daily.equals(whole.released_daily)


@pytest.mark.parametrize("open_for", [None, "s1"])
def test_a_holdout_that_has_not_begun_is_sealed_in_these_words_whatever_params_open(open_for):
    outcome = Outcome("s1", open_for, strategy("STRONG"), SEARCH, {"all": 0}, {}, figures_of(search=SEARCH))

    assert (outcome.status, outcome.released_trades.height) == ("SEALED", 0)
    judgements = gates_document(outcome, forecast_gates(STRONG="PASS"), CONTROLS, ranked("another"), gates())["gates"]
    assert "has not begun" in judgements["oos_sharpe"]["words"]


def test_a_holdout_of_which_one_month_has_begun_is_closed():
    assert sealed_words({"2025-02": 3, "2025-03": 0}, {}) == "The holdout is closed for this strategy."


HELD_MONTHS = {"2025-02": 19, "2025-03": 21}


@pytest.mark.parametrize(
    ("held", "open_for", "opened"),
    [
        ({"all": 30}, None, []),
        ({"all": 30}, "s1", ["all"]),
        ({"all": 30}, "s2", []),
        ({"all": 0}, "s1", []),
        (HELD_MONTHS, "s1", ["2025-02", "2025-03"]),
        (HELD_MONTHS, {}, []),
        (HELD_MONTHS, {"2025-03": "s1"}, ["2025-03"]),
        (HELD_MONTHS, {"2025-02": "s2", "2025-03": "s1"}, ["2025-03"]),
        (HELD_MONTHS, {"2025-02": None, "2025-03": None}, []),
        (HELD_MONTHS, {"2025-01": "s1", "2025-02": "s1"}, ["2025-02"]),  # the record has left January behind
    ],
)
def test_a_part_of_the_holdout_is_open_where_params_name_this_very_strategy(held, open_for, opened):
    assert open_parts(held, open_for, "s1") == opened


def test_a_month_that_is_not_held_out_cannot_be_opened():
    with pytest.raises(ConfigurationError, match=r"names 2025-04, but .* holds out 2025-02, 2025-03"):
        open_parts(HELD_MONTHS, {"2025-04": "s1"}, "s1")


def metrics(horizon=HORIZON):
    figure = {"calibrated": {"value": 0.81239}, "raw": {"value": 0.9}}
    entry = {"history_days": HISTORY, "horizon_min": horizon, "method": METHOD}
    compared = [
        {"symbol": symbol, "horizon_min": minutes, "model": model, "over_free_mix_pct": {"value": value, "ci": None}}
        for symbol, minutes, model, value in (
            (None, horizon, "free:har", 1.0), (None, horizon, "asked", 2.3456), ("A", horizon, "asked", 3.0),
            (None, horizon + 15, "asked", 4.0),
        )
    ]  # fmt: skip
    return {"pooled": [entry | {"metrics": {"rmae": figure, "coverage_50": figure}}], "free": compared}


def test_the_leaderboard_has_eight_short_figures():
    outcome = outcome_of(strategy("STRONG"), holdout=WON)
    row = summary(outcome, {"verdict": "PASS"}, metrics(), HORIZON)
    assert list(row) == ["rmae", "over_free_pct", "cover", "sharpe", "oos_sharpe", "net_bp", "trades", "verdict"]
    assert (row["rmae"], row["cover"], row["trades"], row["net_bp"], row["verdict"]) == (0.812, 0.812, 2, 15.0, "PASS")
    sharpe, oos_sharpe = (book.kpis(1)["sharpe"] for book in (outcome.search, outcome.holdout))
    assert (row["sharpe"], row["oos_sharpe"]) == (round(sharpe, 2), round(oos_sharpe, 2))
    assert (round(sharpe, 2), round(oos_sharpe, 2)) != (round(sharpe, 1), round(oos_sharpe, 1))


def test_the_leaderboard_compares_the_asked_model_of_all_symbols_with_the_best_free_one_at_the_stated_horizon():
    outcome = outcome_of(strategy("STRONG"))
    compared = [summary(outcome, {"verdict": "FAIL"}, metrics(), minutes) for minutes in (HORIZON, HORIZON + 15, 99)]
    assert [row["over_free_pct"] for row in compared] == [2.35, 4.0, None]


def test_the_leaderboard_leaves_out_what_is_sealed_or_was_never_scored():
    row = summary(outcome_of(strategy(), search=span(5)), {"verdict": "FAIL"}, metrics(horizon=5), HORIZON)
    assert row == {
        "rmae": None, "over_free_pct": None, "cover": None, "sharpe": None, "oos_sharpe": None, "net_bp": 0.0,
        "trades": 0, "verdict": "FAIL",
    }  # fmt: skip


def test_the_benchmark_holds_what_trades_or_the_whitelist_where_nothing_does():
    def first_day(*trading):
        outcome = outcome_of(strategy(*trading))
        outcome.figures["search"].earned.update(STRONG=np.full(30, 3.0), WEAK=np.full(30, 6.0), NULL=np.full(30, 0.0))
        return outcome.benchmark["net_bp"][0]

    assert (first_day("WEAK"), first_day("STRONG", "WEAK"), first_day()) == (6.0, 4.5, 3.0)
