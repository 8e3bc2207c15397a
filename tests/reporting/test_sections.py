"""What the sections say and show, checked against small runs whose answers are known."""

import re
from dataclasses import replace
from datetime import timedelta
from math import exp

import numpy as np
import polars as pl
import pytest

from stages.reporting.costs import break_even, costs
from stages.reporting.coverage import coverage
from stages.reporting.data import data, sources
from stages.reporting.elements import MISSING, measure, probability
from stages.reporting.equity import equity, walk_forward
from stages.reporting.fans import fan_steps, fans, pick_days, strategy_forecasts
from stages.reporting.gates import gates as gates_section
from stages.reporting.page import PAGE, _described, render_page, render_report, render_robustness
from stages.reporting.returns import returns
from stages.reporting.sweep import plateau, sweep
from stages.reporting.verdict import headline
from stages.tables.forecasts import QUANTILES
from stages.tables.trades import PORTFOLIO
from stages.trading.performance import sortino
from tests.reporting.records import (
    SESSIONS,
    by_symbol,
    config,
    cost_curve,
    daily,
    features,
    forecasts,
    gates,
    key_figures,
    oos,
    opened_record,
    portfolio,
    record,
    sealed_page,
    traded_forecasts,
    trades,
    walk,
)

HOLDOUT_NET = "77.7"  # the hand-made holdout's result, which stands nowhere else


def text_of(section) -> str:
    cells = [cell for table in section.grids for row in table.rows for cell in row.cells]
    return " ".join([*section.sentences, *cells, *(f"{one.title} {one.alt} {one.note}" for one in section.figures)])


def stated_book(**figures):
    """The sealed record with other figures of the whole book at the stated costs."""
    return record(portfolio=record().portfolio.with_columns(**{name: pl.lit(value) for name, value in figures.items()}))


def test_the_same_trades_break_even_where_costs_eat_the_gross_result():
    assert break_even(record(), "search") == pytest.approx(66.7 / 40.0)


def test_without_costs_there_is_no_break_even():
    assert break_even(stated_book(cost_bp=0.0), "search") is None


@pytest.mark.parametrize(
    ("gross_bp", "words"),
    [(-0.01, "the trades lose even before costs"), (0.0, "the same trades break even at 0.00 times the stated costs")],
)
def test_trades_lose_before_costs_where_they_do(gross_bp, words):
    """Those that earn nothing before costs would break even without any."""
    assert costs(stated_book(gross_bp=gross_bp)).sentences[-1] == f"On the search span {words}."


def test_trades_that_cost_nothing_are_not_called_no_trades():
    assert costs(stated_book(cost_bp=0.0)).sentences[-1] == (
        "On the search span the trades cost nothing, so no multiple of the stated costs changes the result."
    )


@pytest.mark.parametrize("multiple", [0.0, 1e-7])  # portfolio.cost_multiples: [0.0]
def test_a_curve_of_vanishing_costs_alone_still_breaks_even(multiple):
    drawn = cost_curve(("search",)).filter(cost_multiple=1.0).with_columns(cost_multiple=multiple, cost_bp=pl.lit(0.0))
    assert "break even at 1.67 times" in costs(record(cost_curve=drawn)).sentences[-1]


def test_what_would_trade_at_lower_costs_alone_did_not_cost_nothing():
    assert costs(stated_book(trades=0, gross_bp=0.0, cost_bp=0.0)).sentences[-1] == (
        "On the search span nothing was traded at the stated costs, so there is no trade to charge more."
    )


def test_a_fan_opens_at_the_last_price_and_prices_its_quantiles_by_the_exponential():
    of_day = (pl.col("session") == SESSIONS[0], pl.col("snapshot_et") == "10:30")
    one = strategy_forecasts(record(), "STRONG").filter(*of_day)
    steps = fan_steps(one)
    assert steps["minute_et"].to_list() == [630, 635, 640, 645, 650]
    assert steps.row(0)[2:] == (200.0,) * 5
    upper = one.filter(horizon_min=10)["q75"].item()
    assert steps["q75"][2] == pytest.approx(200.0 * exp(upper / 1e4), abs=1e-4)


def test_fan_days_run_from_the_worst_traded_day_to_the_best():
    days = pick_days(record())
    result = {(day["symbol"], day["session"]): day["net_bp"] for day in trades().iter_rows(named=True)}
    assert len(days) == config()["report"]["fan_days"]
    assert result[days[0]] == min(result.values())
    assert result[days[-1]] == max(result.values())


def test_where_nothing_was_traded_the_days_are_of_the_first_symbol_that_was_asked():
    late = {"trades": trades().clear(), "daily": daily(trades().clear())}
    rows = forecasts().filter(pl.col("symbol") != "STRONG")
    section = fans(record(forecasts={"STRONG": rows.clear()} | by_symbol(rows), **late))
    assert [one.title for one in section.figures] == [f"WEAK, {day}: no trade" for day in SESSIONS[-3:]]
    assert "these are the last days of WEAK." in text_of(section)
    none = fans(record(forecasts=by_symbol(forecasts().with_columns(history_days=pl.lit(5, pl.Int32))), **late))
    assert none.figures == ()
    assert "holds no forecast of the stated kind" in text_of(none)


def test_a_run_that_traded_nothing_shows_its_last_days_and_says_so():
    idle = record(trades=trades().clear(), daily=daily(trades().clear()))
    section = fans(idle)
    assert "Nothing was traded" in text_of(section)
    assert [figure.title for figure in section.figures][-1] == f"STRONG, {SESSIONS[-1]}: no trade"


def test_a_run_that_traded_nothing_shows_the_days_of_a_symbol_that_was_listed_by_then():
    listed_later = by_symbol(forecasts().filter(pl.col("symbol") != "STRONG"))
    idle = record(trades=trades().clear(), daily=daily(trades().clear()), forecasts=listed_later)
    assert pick_days(idle) == [("WEAK", session) for session in SESSIONS[-3:]]
    assert pick_days(replace(idle, forecasts=by_symbol(forecasts().clear()))) == []


def test_the_grid_map_frames_the_proposal_and_only_it():
    spec = sweep(record()).figures[0].spec
    (tiles,) = spec["datasets"].values()
    assert [tile["combo"] for tile in tiles if tile["proposed"]] == [record().proposal["combo"]]
    assert len(tiles) == 36


def test_a_sweep_without_a_proposal_says_why():
    empty = record(proposal={"combo": None, "params": None, "why": "no combo trades"})
    assert "Nothing is proposed: no combo trades." in text_of(sweep(empty))


def test_the_walk_stands_fold_by_fold_beside_what_the_stated_rule_made_on_its_sessions():
    section = walk_forward(record())
    book = daily(trades()).filter(pl.col("symbol") == PORTFOLIO)["net_bp"][30:]  # the folds are the last 30 sessions
    assert "3 folds over 30 sessions: 5.5 bp net in 9 trades, Sharpe ratio 0.55 ± 2.05 (36 trials)" in text_of(section)
    assert f"made {book.sum():.1f} bp on the same sessions. Each is in bp of its own capital" in text_of(section)
    first, *_, whole = section.grids[0].rows
    chosen_on, traded_on = f"{SESSIONS[0]} to {SESSIONS[28]}", f"{SESSIONS[30]} to {SESSIONS[39]}"
    assert first.cells[:5] == ("1", chosen_on, "29", MISSING, traded_on)
    assert whole.chosen


def test_a_fold_is_drawn_from_the_start_of_its_first_session_to_the_end_of_its_last():
    (bars,) = walk_forward(record()).figures[0].spec["datasets"].values()
    ends = [(bar["first_session"], bar["end"], bar["net_bp"]) for bar in bars]
    assert ends[2] == (str(SESSIONS[50]), str(SESSIONS[59] + timedelta(days=1)), 7.0)
    assert len(ends) == 3


def test_a_walk_that_traded_nothing_is_reported_and_not_drawn():
    idle = walk_forward(record(walk_forward=walk().with_columns(trades=pl.lit(0), net_bp=pl.lit(0.0))))
    assert not idle.figures
    assert "0.0 bp net in 0 trades" in text_of(idle)


def test_without_a_walk_the_page_says_how_to_ask_for_one():
    section = walk_forward(record(walk_forward=walk().clear()))
    assert "dvc exp run -S split=walk_forward" in text_of(section)
    assert not section.grids


def test_a_walk_without_a_fold_is_reported_with_the_sessions_that_it_lacks():
    split = config()["split"] | {"walk_forward": {"first_train_sessions": 60, "fold_sessions": 5}}
    section = walk_forward(record(walk_forward=walk().clear(), config=config() | {"split": split}))
    said = "the first choice needs 60 sessions, then 1 session of embargo and one to trade, and the variants are"
    assert f"{said} compared on 60 sessions." in text_of(section)


def test_gates_stand_with_value_threshold_evidence_and_words():
    rows = gates_section(opened_record()).grids[0].rows
    assert [row.cells[0] for row in rows][:2] == ["controls that hold", "symbols whose forecasts pass"]
    hand_made = "0.9 < 0.95; 90 % sure: ≥ 0.9, needs > 0"
    assert rows[2].cells[1:] == ("PASS", hand_made, "240", "60", "A hand-made judgement.")


def test_unknown_features_are_reported_beside_the_rule_that_limits_them():
    section = data(record())
    assert "Required features: ret_1m. They are unknown on at most 0.00% of a symbol's minutes" in section.sentences[1]
    assert "allows 5.00%) and on 183 minutes in all" in section.sentences[1]
    assert [row.cells for row in section.grids[-1].rows] == [
        ("ret_1m", "183", "3", "72,000", "0.00%"),
        ("sigma_5m", "1,980", "180", "60,000", "0.30%"),
    ]


def test_without_a_required_feature_the_page_says_that_nothing_is_stopped():
    free = features() | {"required": [], "symbols": {"A": {"rows": 9, "rows_incomplete": 0, "features": {}}}}
    section = data(record(features=free))
    assert section.sentences[1].startswith("No feature is required")
    assert len(section.grids) == len(data(record()).grids) - 1


@pytest.mark.parametrize("verdict", ["PASS", "FAIL", "INCONCLUSIVE", "SEALED"])
def test_every_verdict_has_a_reason(verdict):
    told = headline(record(gates=gates(verdict)))
    assert told.word == verdict
    assert len(told.reason) > 20


def test_a_single_deciding_gate_speaks_for_itself():
    judged = gates("PASS")
    judged["gates"]["hit_rate"] |= {"verdict": "FAIL", "words": "Only 40 of 100 trades won."}
    told = headline(record(gates=judged | {"verdict": "FAIL"}))
    assert told.reason.endswith("Fail: the share of winning trades on the holdout. Only 40 of 100 trades won.")


@pytest.mark.parametrize("render", [render_page, render_report, render_robustness])
def test_a_sealed_holdout_shows_no_number_even_if_one_lay_beside_it(render):
    told = render(record())
    assert "sealed" in told
    assert HOLDOUT_NET not in told
    assert HOLDOUT_NET in render(opened_record())


def test_the_forecasts_traded_on_an_opened_holdout_are_one_line():
    line = (
        "Forecasts traded on the holdout, 10 min: rMAE 0.81 (0.76 to 0.853), 50 % coverage 0.49, CRPS skill 0.12, from "
        "236 outcomes on 20 days."
    )
    assert line in equity(opened_record()).sentences
    assert "Forecasts traded" not in sealed_page()


def test_of_a_holdout_of_months_the_open_ones_are_shown_and_the_verdict_stays_sealed():
    held = SESSIONS[-20:]
    month = {"forecasts": [traded_forecasts()], "kpis": key_figures(77.7), "sessions": [str(day) for day in held]}
    partly = record(
        oos=oos() | {"held": {"2024-12": 21, "2025-01": 20}, "months": {"2025-01": month}, "words": "Open: 2025-01."},
        oos_daily=daily(trades(held), held), portfolio=portfolio(("search", "2025-01")),
    )  # fmt: skip
    section = equity(partly)
    assert "The holdout is sealed: only the months that are open are shown. Open: 2025-01." in section.sentences
    assert any(line.startswith("Forecasts traded on 2025-01, 10 min") for line in section.sentences)
    assert "2025-01" in {row.cells[0] for row in section.grids[0].rows}
    assert "holdout-equity" in {figure.name for figure in section.figures}
    assert ("holdout", "sealed but for 2025-01") in headline(partly).facts
    assert "41 sessions, sealed but for 2025-01" in headline(partly).where
    assert dict(headline(partly).in_short)["Found"].endswith("the holdout is sealed but for 2025-01.")


def test_a_holdout_that_has_not_begun_says_so_at_the_head_of_the_page():
    words = "The holdout has not begun: no session with forecasts lies in it yet."
    judged = gates("SEALED")
    for name in ("oos_sharpe", "hit_rate", "pnl_at_1p5x"):
        judged["gates"][name]["words"] = words
    told = headline(record(gates=judged, oos=oos() | {"held": {"all": 0}, "words": words}))
    assert told.reason.endswith(words)
    assert ("holdout", "sealed, not begun") in told.facts


def test_a_page_of_a_run_from_before_the_holdout_had_months_still_stands():
    older = {name: value for name, value in oos().items() if name not in {"held", "months", "words", "forecasts"}}
    assert "The holdout is sealed: nothing of it is shown." in equity(record(oos=older)).sentences


def test_search_and_holdout_are_figures_of_their_own():
    names = {figure.name for section in _described(opened_record(), PAGE) for figure in section.figures}
    assert {"search-equity", "search-drawdown", "holdout-equity", "holdout-drawdown"} <= names
    assert "holdout-equity" not in {figure.name for one in _described(record(), PAGE) for figure in one.figures}


def test_every_sharpe_in_a_table_has_its_error_beside_it_and_the_trials_above_it():
    for section in _described(opened_record(), PAGE):
        for table in section.grids:
            for place, column in enumerate(table.columns):
                if column.title.startswith("Sharpe"):
                    assert "standard error (36 trials)" in column.title
                    assert all(" ± " in row.cells[place] for row in table.rows)


def test_an_undefined_sharpe_is_a_dash_not_a_zero():
    flat = record().portfolio.with_columns(sharpe=pl.lit(None, pl.Float64), sharpe_se=pl.lit(None, pl.Float64))
    facts = headline(record(portfolio=flat)).facts
    assert ("Sharpe ± standard error (36 trials)", "\N{EN DASH}") in facts


@pytest.mark.journey  # a whole page of its own
def test_few_days_leave_scores_without_bounds_and_the_page_still_stands():
    unbounded = record().metrics | {
        scope: [
            entry
            | {
                "metrics": {
                    name: {version: figure | {"ci": None, "se": None} for version, figure in versions.items()}
                    for name, versions in entry["metrics"].items()
                }
            }
            for entry in record().metrics[scope]
        ]
        for scope in ("cells", "pooled")
    }
    assert "rMAE by symbol and horizon" in render_page(record(metrics=unbounded))


def test_reports_are_tables_that_a_git_host_can_draw():
    for told in (render_report(opened_record()), render_robustness(opened_record())):
        blocks = [block.splitlines() for block in told.split("\n\n") if block.startswith("|")]
        assert len(blocks) > 5
        for lines in blocks:
            assert len({line.count(" | ") for line in lines}) == 1, lines[0]
            assert set(lines[1]) <= set("|-: ")


def test_the_robustness_report_holds_the_configuration_without_how_answers_are_bought():
    told = render_robustness(record())
    assert "k_sigma: 0.5" in told
    assert "max_attempts" not in told


def test_a_pipe_in_a_cell_does_not_end_the_cell():
    named = oos("OPEN") | {"trading": ["A|B"]}
    odd = gates("PASS")
    odd["gates"]["controls"]["words"] = "one | two"
    assert "one \\| two" in render_report(record(gates=odd, oos=named))


def idle_record():
    """A run in which no symbol may trade."""
    untraded = {"trades": 0, "gross_bp": 0.0, "cost_bp": 0.0, "net_bp": 0.0}
    nothing = [pl.lit(value).alias(name) for name, value in untraded.items()]
    return record(
        trades=trades().clear(),
        daily=daily(trades().clear()).with_columns(pl.lit(0).cast(pl.Int64).alias("trades")),
        ranking=record().ranking.with_columns(nothing),
        cost_curve=record().cost_curve.with_columns(nothing),
        proposal={"combo": None, "params": None, "why": "no combo trades"},
    )


@pytest.mark.parametrize("section", [equity, sweep, costs])
def test_where_nothing_was_traded_a_sentence_stands_instead_of_an_empty_picture(section):
    told = section(idle_record())
    assert told.figures == ()
    assert re.search(r"(Nothing|No variant|nothing was) .*trade", text_of(told))


def test_the_plateau_of_a_combo_is_one_step_away_along_one_scale():
    ranking = record().ranking
    (corner,) = ranking.filter(horizon_min=5, k_sigma=0.5, s_stop=1.0)["combo"]
    around = ranking.filter(pl.col("combo").is_in(plateau(ranking, corner)))
    assert set(around.select("horizon_min", "k_sigma", "s_stop").rows()) == {
        (10, 0.5, 1.0), (5, 0.75, 1.0), (5, 0.5, 1.5)
    }  # fmt: skip
    assert plateau(ranking, None) == []


def test_the_cost_curve_goes_on_to_its_break_even():
    (figure,) = costs(record()).figures
    assert "break even at 1.67 times" in figure.alt
    assert "breaks even" not in str(figure.spec)  # the curve itself crosses zero
    cheap = stated_book(gross_bp=160.0)
    assert "breaks even at 4.00" in str(costs(cheap).figures[0].spec)


def test_every_forecast_names_its_source_and_whether_it_was_asked_or_is_the_benchmark():
    missed = pl.col("symbol").eq("WEAK") & pl.col("session").eq(SESSIONS[0]) & pl.col("model").eq("seasonal")
    (table,) = sources(record(forecasts=by_symbol(forecasts().filter(~missed)))).grids
    assert [row.cells for row in table.rows] == [
        ("local:seasonal", "asked", "STRONG, NULL", "240", "60"),
        ("local:seasonal", "asked", "WEAK", "236", "59"),
        ("local:persistence", "benchmark", "STRONG, WEAK, NULL", "240", "60"),
    ]


def test_the_head_of_the_page_says_what_is_artificial_and_what_is_local():
    told = headline(record())
    assert "market is artificial" in told.caveat
    assert "nothing about TimeGPT" in told.caveat
    for render in (render_page, render_report):
        assert told.caveat in render(record())


def test_cells_off_the_whitelist_are_not_said_to_trade():
    few = config() | {"universe": config()["universe"] | {"whitelist": ["NULL"]}}
    told = next(sentence for sentence in gates_section(record(config=few)).sentences if "could trade" in sentence)
    eligible = sum(cell["eligible"] for cell in record().forecast_gates["cells"])
    assert told.endswith(f" {eligible} could trade, if universe.whitelist names the symbol.")


def test_coverage_is_judged_by_its_distance_from_one_half_and_said_in_words():
    rows = gates_section(record()).grids[1].rows
    (cells,) = [row.cells for row in rows if row.cells[0] == "STRONG" and row.cells[2].startswith("50 %")]
    covered = float(re.search(r"Covers ([\d.]+):", cells[-1])[1])
    assert float(cells[4].split()[0]) == pytest.approx(abs(covered - 0.5), abs=1e-3)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (4.0, "4"),
        (0.95, "0.95"),
        (-0.0351, "\N{MINUS SIGN}0.035"),
        (264.59, "264.6"),
        (1200.0, "1,200"),
        (-0.0004, "0"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_measurement_has_the_decimals_that_it_needs(value, told):
    assert measure(value) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.0, "< 0.001"), (0.0004, "< 0.001"), (0.04, "0.040"), (0.9996, "> 0.999"), (1.0, "> 0.999"), (None, MISSING)],
)
def test_a_probability_is_never_nothing_and_never_certain(value, told):
    assert probability(value) == told


def test_variants_at_other_costs_are_not_among_those_that_luck_is_told_of():
    stated = record().ranking
    both = pl.concat([stated, stated.with_columns(pl.format("{}x", "combo").alias("combo"), cost_mult=pl.lit(0.0))])
    found = next(one for one in sweep(record(ranking=both)).grids if one.caption == "How much of the best is luck")
    assert [row.cells[-1] for row in found.rows] == ["36", "36", "36", "36"]


def test_the_page_says_over_which_days_a_sortino_ratio_takes_its_losses():
    """A day of +3 and one of -1: the root mean square is that of 0 and 1 over two days, 0.707, not 1 over one."""
    assert "the root mean square of all days, with days that earn counted as 0" in text_of(returns(record()))
    days = np.array([3.0, -1.0] * 10)
    assert sortino(days) == pytest.approx(np.sqrt(252) * 1.0 / np.sqrt(0.5))


def test_the_sweep_says_on_how_many_sessions_histories_are_compared():
    later = record(ranking=record().ranking.with_columns(sessions=pl.lit(40)))
    assert "Variants are compared on the last 40 of 60 sessions" in text_of(sweep(later))
    assert "are compared on" not in text_of(sweep(record()))


def test_the_probability_of_overfitting_is_a_count_of_halves():
    none = record(ranking=record().ranking.with_columns(pbo=pl.lit(0.0)))
    assert "0.000 (0 of 70 ways to halve the days)" in text_of(sweep(none))


@pytest.mark.parametrize(
    ("grid", "told"), [([0.0, 0.1], "On {n} of {n} corrected"), ([0.1, 0.5], "On 0 of {n} corrected")]
)
def test_the_page_says_how_often_widen_is_at_the_end_of_its_grid(grid, told):
    # The record's forecasts by `widen` are a tenth wider than as answered.
    stated = config() | {"calibration": config()["calibration"] | {"method": "widen", "widen_grid": grid}}
    n = f"{forecasts().filter(method='widen', model='seasonal', horizon_min=10).height:,}"
    assert told.format(n=n) in text_of(coverage(record(config=stated)))
    assert "widen_grid" not in text_of(coverage(record()))


@pytest.mark.parametrize(
    ("raw", "corrected", "ended"),
    [
        ((-2.0, -1.0, 0.0, 1.0, 2.0), (-3.0, -2.0, 0.0, 2.0, 3.0), True),  # the inner one grew beyond the outer one
        ((-2.0, 0.0, 0.0, 0.0, 2.0), (-2.0, 0.0, 0.0, 0.0, 2.0), False),  # one without a width cannot grow
        ((-2.0, 0.0, 0.0, 1.0, 2.0), (-2.0, 0.0, 0.0, 1.0, 2.0), False),  # a width on one side, as answered
        ((-2.0, 0.0, 0.0, 1.0, 2.0), (-2.0, 0.0, 0.0, 2.0, 3.0), True),
    ],
)
def test_an_interval_at_the_end_of_the_grid_has_a_width_and_may_be_sorted(raw, corrected, ended):
    stated = config() | {"calibration": config()["calibration"] | {"method": "widen", "widen_grid": [0.0, 2.0]}}
    names = [*(f"raw_{name}" for name in QUANTILES), *QUANTILES]
    values = zip(names, (*raw, *corrected), strict=True)
    rows = forecasts().with_columns(pl.lit(value).alias(name) for name, value in values)
    told = text_of(coverage(record(config=stated, forecasts=by_symbol(rows))))
    n = f"{rows.filter(method='widen', model='seasonal', horizon_min=10).height:,}"
    assert f"On {n if ended else 0} of {n} corrected" in told
