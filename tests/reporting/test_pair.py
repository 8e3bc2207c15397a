"""Two runs on one page: what differs first, then verdicts, figures, and curves that share their axes."""

import shutil
from copy import deepcopy
from dataclasses import replace

import polars as pl
import pytest

from stages.reporting.charts import Figure
from stages.reporting.compare import curves, figures, inputs, params, render_pair, verdicts
from tests.reporting.records import SESSIONS, config, opened_record, record

CHROMIUM = shutil.which("chromium")
TEN, FIVE = "ten minutes", "five minutes"
DIFFERING = [("rules.horizon_min", 10, 5), ("rules.max_hold_min", None, 30), ("sweep.grid.method", ["cqr"], "(absent)")]


def runs():
    """A sealed run, and an opened one whose rule trades five minutes ahead."""
    other = deepcopy(config())
    other["rules"]["horizon_min"] = 5
    opened = opened_record()
    five = record(config=other, gates=opened.gates, oos=opened.oos, oos_daily=opened.oos_daily)
    return {TEN: record(), FIVE: replace(five, hashes={"backtest/bt_trades.csv": "1" * 32})}


def cells(section, table=0):
    return [row.cells for row in section.grids[table].rows]


def values_of(figure: Figure) -> list[dict]:
    return [row for rows in figure.spec["datasets"].values() for row in rows if "run" in row]


def test_params_come_first_with_both_values_and_a_missing_value_in_words():
    page = render_pair(runs(), DIFFERING)
    order = [page.index(f'id="{name}"') for name in ("params", "verdicts", "worth", "figures", "curves", "inputs")]
    assert order == sorted(order)
    assert cells(params(runs(), DIFFERING)) == [
        ("rules.horizon_min", "10", "5"),
        ("rules.max_hold_min", "null", "30"),
        ("sweep.grid.method", '["cqr"]', "(absent)"),
    ]


def test_each_run_says_of_which_symbols_and_sessions_it_is():
    late = record(daily=record().daily.filter(pl.col("session") >= SESSIONS[30]))
    page = render_pair({TEN: record(), FIVE: late}, DIFFERING)
    assert f"search span {SESSIONS[0]} to {SESSIONS[-1]}, 60 sessions" in page
    assert f"search span {SESSIONS[30]} to {SESSIONS[-1]}, 30 sessions" in page


def test_runs_that_were_reported_the_same_say_so():
    section = params(runs(), [])
    assert section.grids == ()
    assert section.sentences == ("None: both runs have the same params.",)


def test_each_gate_stands_in_one_line_with_both_verdicts():
    told = {line[0]: line[1:] for line in cells(verdicts(runs()))}
    assert told["the Sharpe ratio on the holdout"] == ("SEALED", "PASS")
    assert told["the controls"] == ("PASS", "PASS")


def test_a_symbol_that_only_one_run_judged_is_missing_for_the_other():
    less = {**record().gates, "cells": {"STRONG": record().gates["cells"]["STRONG"]}}
    lines = cells(verdicts({TEN: record(), FIVE: record(gates=less)}), 1)
    weak = next(line for line in lines if line[:2] == ("WEAK", "rmae"))
    assert weak[2] != "\N{EN DASH}"
    assert (weak[3], weak[5]) == ("\N{EN DASH}",) * 2


def test_of_many_symbols_those_are_compared_that_a_page_would_show():
    crowded = record(config=record().config | {"report": record().config["report"] | {"shown_symbols": 2}})
    section = verdicts({TEN: crowded, FIVE: crowded})
    assert {line[0] for line in cells(section, 1)} == set(crowded.shown_traders)
    assert section.sentences == crowded.selection_of_traders
    assert {line[0] for line in cells(verdicts({TEN: crowded, FIVE: record()}), 1)} == set(record().shown)


def test_where_no_symbol_may_trade_no_table_is_empty():
    nobody = record(gates=record().gates | {"cells": {}})
    assert len(verdicts({TEN: nobody, FIVE: nobody}).grids) == 1


def test_the_holdout_is_shown_only_where_it_was_released():
    section = figures(runs())
    assert [table.caption for table in section.grids] == ["The book on the search span", "The book on the holdout"]
    sealed, opened = cells(section, 1)
    assert sealed[:2] == (TEN, "\N{EN DASH}")
    assert opened[:2] == (FIVE, "77.7")
    assert len(figures({TEN: record(), FIVE: record()}).grids) == 1


@pytest.mark.parametrize("name", ["search-equity", "search-drawdown", "coverage"])
def test_both_runs_share_the_axes_of_every_curve(name):
    figure = next(one for one in curves(runs()).figures if one.name == name)
    assert {row["run"] for row in values_of(figure)} == {TEN, FIVE}


def test_a_curve_that_hides_the_other_is_said_in_words():
    alike = {one.name for one in curves(runs()).figures if "both curves are the same" in one.alt}
    assert alike == {"search-equity", "search-drawdown"}


def test_no_coverage_is_drawn_where_neither_run_scored_a_forecast():
    nothing = replace(record(), coverage=record().coverage.clear())
    assert "coverage" not in {one.name for one in curves({TEN: nothing, FIVE: nothing}).figures}
    assert "coverage" in {one.name for one in curves({TEN: nothing, FIVE: record()}).figures}


def test_equity_of_the_book_ends_at_what_it_earned():
    figure = next(one for one in curves(runs()).figures if one.name == "search-equity")
    last = [row["equity_bp"] for row in values_of(figure) if row["run"] == TEN][-1]
    daily = record().daily
    assert last == pytest.approx(daily.filter(daily["symbol"] == "PORTFOLIO")["net_bp"].sum(), abs=1e-5)


def test_files_with_the_same_content_are_counted_and_others_named():
    assert cells(inputs(runs())) == [("backtest/bt_trades.csv", "0" * 32, "1" * 32)]
    assert inputs({TEN: record(), FIVE: record()}).grids == ()


def test_the_page_loads_nothing_and_is_the_same_bytes_every_time():
    page = render_pair(runs(), DIFFERING)
    assert page == render_pair(runs(), DIFFERING)
    assert "https://cdn" not in page
    assert 'src="http' not in page
    assert 'rel="stylesheet"' not in page


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH (apt-get install chromium)")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_drawn_without_a_request_or_a_word_on_the_console_and_never_scrolls_sideways(tmp_path, width):
    path = tmp_path / "pair.html"
    path.write_text(render_pair(runs(), DIFFERING), encoding="utf-8")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        sheet, said, asked = chromium.new_page(viewport={"width": width, "height": 800}), [], []
        sheet.on("console", lambda message: said.append(message.text))
        sheet.on("pageerror", lambda error: said.append(str(error)))
        sheet.on("request", lambda request: asked.append(request.url))
        sheet.goto(path.as_uri())
        sheet.wait_for_function("document.documentElement.dataset.drawn === '5'")
        reach = sheet.evaluate("document.documentElement.scrollWidth")
        chromium.close()
    assert (said, asked) == ([], [path.as_uri()])
    assert reach <= width
