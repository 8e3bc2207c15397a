"""Curves and returns: where a line begins and ends, what stands beside it, and what a run without a trade may show."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from stages.reporting.compare import curves as compared
from stages.reporting.curves import stepped
from stages.reporting.equity import equity
from stages.reporting.page import PAGE
from stages.reporting.returns import returns
from stages.reporting.skill import controls as controls_section
from stages.tables.trades import PORTFOLIO
from tests.reporting.records import SESSIONS, controls, daily, metrics, oos, opened_record, record, trades

DAY = timedelta(days=1)
HELD = pl.DataFrame(
    [
        {"span": "search", "name": name, "session": session, "net_bp": net}
        for name, net in (("buy and hold", 1.0), ("SPY", 2.0))
        for session in SESSIONS
    ]
)
BESIDE = HELD.with_columns(net_bp=pl.col("net_bp") + pl.col("session").dt.day() % 7)


def idle(**changes):
    """A run in which no symbol may trade, and what its rule would have done without the symbol gate."""
    nothing = daily(trades().clear()).with_columns(trades=pl.lit(0, pl.Int32))
    shut = {"trades": trades().clear(), "daily": nothing, "oos": oos() | {"trading": []}}
    return record(**(shut | {"ungated": daily(trades())} | changes))


def drawn(figure, field: str) -> list[dict]:
    rows = [row for rows in figure.spec["datasets"].values() for row in rows if field in row and "day" not in row]
    return sorted(rows, key=lambda row: row["session"])


def test_a_curve_begins_at_zero_the_day_before_and_keeps_its_last_value_for_a_day():
    made = stepped(pl.DataFrame({"session": SESSIONS[:2], "equity_bp": [3.0, 5.0]}), "equity_bp")
    assert made.rows() == [
        (SESSIONS[0] - DAY, 0.0), (SESSIONS[0], 3.0), (SESSIONS[1], 5.0), (SESSIONS[1] + DAY, 5.0)
    ]  # fmt: skip


def scales(spec: dict) -> list[list[float]]:
    """The y domains of every layer, of those that state one."""
    found = [layer.get("encoding", {}).get("y", {}).get("scale", {}).get("domain") for layer in spec["layer"]]
    return [domain for domain in found if domain]


@pytest.mark.parametrize("name", ["search-equity", "search-drawdown", "holdout-equity", "holdout-drawdown"])
def test_every_curve_starts_at_zero_and_lies_inside_its_frame(name):
    (figure,) = [one for one in equity(opened_record()).figures if one.name == name]
    field = f"{name.partition('-')[2]}_bp"
    values = drawn(figure, field)
    ((low, high),) = scales(figure.spec)
    assert values[0][field] == 0.0
    assert all(low < row[field] < high for row in values)


def test_two_runs_side_by_side_start_at_zero_too():
    (figure,) = [one for one in compared({"a": record(), "b": record()}).figures if one.name == "search-equity"]
    rows = [row for rows in figure.spec["datasets"].values() for row in rows]
    assert {row["equity_bp"] for row in rows if row["session"] == str(SESSIONS[0] - DAY)} == {0.0}


def test_buy_and_hold_is_a_line_of_the_equity_and_a_number_of_its_words():
    (figure, under) = equity(record(benchmark=HELD)).figures
    held = [row["equity_bp"] for row in drawn(figure, "equity_bp") if row["symbol"] == "buy and hold"]
    assert held == [0.0, *np.arange(1.0, 61.0), 60.0]
    assert "buy and hold 60.0 bp" in figure.alt
    assert "buy and hold" not in under.alt


def test_a_figure_names_the_benchmark_only_where_it_draws_it():
    named = [equity(record(benchmark=held)).figures[0].data for held in (HELD, HELD.clear())]
    assert named == [("backtest/daily.parquet", "evaluate/benchmark.parquet"), ("backtest/daily.parquet",)]


def test_the_page_says_by_how_many_symbols_the_portfolio_is_divided():
    shared = record(oos=oos() | {"trading": ["STRONG", "WEAK"]})
    assert any("divided by the 2 symbols that may trade (STRONG, WEAK)" in said for said in equity(shared).sentences)
    assert any("and none may" in said for said in equity(idle()).sentences)


def test_a_run_without_a_trade_shows_grey_curves_that_are_called_no_result():
    section = equity(idle())
    assert [figure.title for figure in section.figures] == [
        "Equity, without the symbol gate: not a result", "Drawdown, without the symbol gate: not a result"
    ]  # fmt: skip
    for figure in section.figures:
        colours = {layer["mark"].get("color") for layer in figure.spec["layer"]} - {None}
        assert colours == {"var(--quiet)"}
        assert "not a result" in figure.alt
    assert any("Nothing is judged on these curves" in said for said in section.sentences)


def test_where_the_rule_would_not_have_traded_either_there_is_no_curve():
    neither = equity(idle(ungated=daily(trades().clear()).with_columns(trades=pl.lit(0, pl.Int32))))
    assert neither.figures == ()
    assert any("would not have traded either" in said for said in neither.sentences)
    older = equity(idle(ungated=None))
    assert older.figures == ()
    assert not any("symbol gate" in said for said in older.sentences)


def test_a_run_that_traded_shows_no_curve_without_the_gate():
    assert not [figure for figure in equity(record()).figures if "ungated" in figure.name]


def test_months_and_years_add_up_to_the_book():
    months, _ = returns(record()).grids
    book = daily(trades()).filter(symbol=PORTFOLIO)
    rows = {row.cells[1]: row.cells[2:] for row in months.rows}
    november = book.filter(pl.col("session").dt.month() == 11)["net_bp"].sum()
    assert rows["2024"][10] == f"{november:.1f}"
    years = [float(cells[-1].replace("\N{MINUS SIGN}", "-")) for cells in rows.values()]
    assert sum(years) == pytest.approx(book["net_bp"].sum(), abs=0.1)


def test_the_book_stands_beside_buy_and_hold_and_spy_with_its_betas():
    _, beside = returns(record(benchmark=BESIDE)).grids
    titles, rows = [column.title for column in beside.columns], [row.cells for row in beside.rows]
    assert [row[1] for row in rows] == ["the book", "buy and hold", "SPY"]
    assert titles[-2:] == ["beta to buy and hold", "beta to SPY"]
    # SPY is buy and hold and one bp a day more, so each has beta 1 to the other.
    assert rows[1][-2:] == rows[2][-2:] == ("1.00", "1.00")


def test_without_spy_there_is_no_column_for_it():
    _, beside = returns(record(benchmark=HELD.filter(name="buy and hold"))).grids
    assert "beta to SPY" not in [column.title for column in beside.columns]


def test_a_rolling_ratio_has_its_error_as_a_band():
    (figure,) = returns(record()).figures
    rows = [row for rows in figure.spec["datasets"].values() for row in rows if "sharpe" in row]
    assert len(rows) == len(SESSIONS) - 20
    assert all(row["high"] - row["sharpe"] == pytest.approx(row["se"], abs=1e-6) for row in rows)
    assert "Of the last 21 sessions each" in figure.note


def test_without_a_trade_there_are_no_returns():
    section = returns(idle())
    assert (section.figures, section.grids) == ((), ())


def titles_of(node) -> list[tuple[str, str]]:
    """Field and title of every tooltip of a spec."""
    if isinstance(node, list):
        return [found for one in node for found in titles_of(one)]
    if not isinstance(node, dict):
        return []
    shown = node.get("tooltip", [])
    here = [(one["field"], one.get("title", "")) for one in shown] if isinstance(shown, list) else [("data", "")]
    return here + [found for name, one in node.items() if name != "datasets" for found in titles_of(one)]


def test_every_tooltip_speaks_words_and_not_the_names_of_columns():
    run = opened_record()
    figures = [figure for describe in PAGE for figure in describe(run).figures]
    figures += compared({"a": run, "b": record()}).figures
    told = [found for figure in figures for found in titles_of(figure.spec)]
    assert len(told) > 50
    assert [found for found in told if not found[1] or "_" in found[1]] == []


@pytest.mark.parametrize("more", [{}, {"oracle_bound": controls()["echo"]}])
def test_the_page_counts_the_controls_that_it_lists(more):
    section = controls_section(record(metrics=metrics() | {"controls": controls() | more}))
    assert section.sentences[0].startswith(f"{len(section.grids[0].rows)} forecasters with known scores")


def test_one_open_month_is_not_shown_as_the_holdout():
    """Beside a run whose whole holdout is open, a sum over one month would pass for a worse rule."""
    held = SESSIONS[-20:]
    month = {**oos("OPEN"), "sessions": [str(day) for day in held], "kpis": None, "forecasts": []}
    some = record(
        oos=oos() | {"held": {"2024-12": 21, "2025-01": 20}, "months": {"2025-01": month}},
        oos_daily=daily(trades(held), held),
    )
    for table in returns(some).grids:
        assert {row.cells[0] for row in table.rows} == {"search", "holdout in 2025-01"}
    titles = [figure.title for figure in equity(some).figures]
    assert titles[2:] == ["Equity, holdout in 2025-01", "Drawdown, holdout in 2025-01"]
    # Of twenty trades seven lose 12 bp and thirteen win 8, which is 20 bp, for three units of capital.
    pictures = {one.name: one for one in compared({"some": some, "all": opened_record()}).figures}
    assert pictures["holdout-equity"].note == "some 6.7 bp net in 2025-01, all 6.7 bp net; both curves are the same."
    assert "holdout in" not in str([table.rows for table in returns(opened_record()).grids])
