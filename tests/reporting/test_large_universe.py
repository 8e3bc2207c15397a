"""Of many symbols a page shows some one by one, picked by a rule that it states, and counts the others."""

import json
import re
from dataclasses import replace

import pytest

from stages.errors import shorten
from stages.reporting.compare import verdicts
from stages.reporting.coverage import coverage
from stages.reporting.data import data
from stages.reporting.elements import evenly
from stages.reporting.equity import equity
from stages.reporting.fans import fans
from stages.reporting.gates import gates
from stages.reporting.page import render_page
from stages.reporting.record import Record
from stages.reporting.skill import skill
from stages.tables.trades import PORTFOLIO
from tests.reporting.records import SYMBOLS, config, quality, record

LISTED = 12  # a dozen


def crowded() -> Record:
    """A run of three symbols on a page that shows two one by one."""
    return record(config=config() | {"report": config()["report"] | {"shown_symbols": 2}})


def errors(one: Record) -> dict[str, float]:
    """Symbol -> rMAE at the rule's horizon."""
    return {
        entry["symbol"]: entry["metrics"]["rmae"]["calibrated"]["value"]
        for entry in one.scores("cells")
        if entry["horizon_min"] == one.config["rules"]["horizon_min"]
    }


def told_symbols(table) -> set[str]:
    return {cell for row in table.rows for cell in row.cells if cell in (*SYMBOLS, PORTFOLIO)}


def test_the_best_and_the_worst_forecast_are_among_the_shown_in_the_stated_order():
    found = errors(crowded())
    extremes = {min(found, key=found.__getitem__), max(found, key=found.__getitem__)}
    assert crowded().shown == [symbol for symbol in SYMBOLS if symbol in extremes]
    assert record().shown == list(SYMBOLS)


def test_symbols_are_shown_by_their_errors_at_the_horizon_that_each_trades():
    """At 20 minutes, which it trades, STRONG lies between the others; at the common 10 it is the best of all."""
    one = crowded()
    rules = one.config["rules"] | {"horizon_min": 10, "horizon_min_by_symbol": {"STRONG": 20}}
    worse = {("STRONG", 10): 0.5, ("STRONG", 20): 0.9, ("WEAK", 10): 0.8, ("NULL", 10): 1.0}
    cells = [
        entry | {"metrics": {"rmae": {"calibrated": {"value": worse[entry["symbol"], entry["horizon_min"]]}}}}
        for entry in one.metrics["cells"]
        if (entry["symbol"], entry["horizon_min"]) in worse
    ]
    one = record(config=one.config | {"rules": rules}, metrics=one.metrics | {"cells": cells})
    assert one.shown_traders == ["WEAK", "NULL"]
    assert one.shown == ["STRONG", "NULL"]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_tables_of_gates_and_trades_show_who_may_trade(symbol):
    """Of three symbols two are shown, and one may trade: it need not be among them."""
    one = crowded()
    universe, cells = one.config["universe"] | {"whitelist": [symbol]}, {symbol: one.gates["cells"][symbol]}
    one = replace(one, config=one.config | {"universe": universe}, gates=one.gates | {"cells": cells})
    assert told_symbols(gates(one).grids[1]) == {symbol}
    assert told_symbols(equity(one).grids[0]) == {symbol, PORTFOLIO}
    assert told_symbols(fans(one).grids[0]) == {symbol}
    assert told_symbols(verdicts({"one": one, "other": one}).grids[1]) == {symbol}
    assert len(one.shown) == 2
    for section in (gates(one), fans(one), equity(one), verdicts({"one": one, "other": one})):
        assert "shown one by one" not in " ".join(section.sentences), "all of the whitelist are"


def test_a_symbol_without_a_score_counts_as_the_worst():
    one = crowded()
    unscored = [entry for entry in one.metrics["cells"] if entry["symbol"] != "STRONG"]
    assert "STRONG" in record(config=one.config, metrics=one.metrics | {"cells": unscored}).shown


@pytest.mark.parametrize("section", [gates, skill, coverage, fans, equity])
def test_a_section_that_leaves_symbols_out_says_so_and_one_that_shows_all_does_not(section):
    said = " ".join(section(crowded()).sentences)
    assert re.search(r"Of 3 symbols( on universe.whitelist)?, 2 are shown one by one", said)
    assert "shown one by one" not in " ".join(section(record()).sentences)


def test_tables_hold_the_shown_symbols_and_the_book():
    one = crowded()
    assert told_symbols(gates(one).grids[1]) == set(one.shown)
    assert told_symbols(fans(one).grids[0]) == set(one.shown)
    assert told_symbols(equity(one).grids[0]) == {*one.shown, PORTFOLIO}


def test_pictures_hold_the_shown_symbols_but_one_ranks_them_all():
    one = crowded()
    ranked, by_horizon, by_snapshot = skill(one).figures
    (rows,) = [rows for rows in ranked.spec["datasets"].values() if "rank" in rows[0]]
    values = [row["value"] for row in rows]
    assert {row["symbol"] for row in rows} == set(SYMBOLS)
    assert values == sorted(errors(one).values())
    assert f"{sum(value < 1 for value in values)} of 3 symbols below 1" in ranked.note
    missing = set(SYMBOLS) - set(one.shown)
    for figure in (by_horizon, by_snapshot):
        assert not missing & {row.get("symbol") for rows in figure.spec["datasets"].values() for row in rows}
    assert [figure.name for figure in skill(record()).figures] == [by_horizon.name, by_snapshot.name]


def test_a_symbol_that_never_traded_has_no_curve():
    curves = json.dumps(equity(record()).figures[0].spec)
    traded = set(record().trades["symbol"])
    assert {symbol for symbol in SYMBOLS if f'"{symbol}"' in curves} == traded


def test_the_data_gate_shows_first_what_lost_most():
    lost = quality()
    lost["symbols"] = {symbol: one | {"sessions_dropped": 0} for symbol, one in lost["symbols"].items()}
    lost["symbols"]["WEAK"]["sessions_dropped"] = 7
    (table, *_) = data(record(config=crowded().config, quality=lost)).grids
    assert "2 of 3 with the most dropped" in table.caption
    assert [row.cells[0] for row in table.rows] == ["NULL", "WEAK"]


@pytest.mark.journey  # the page of five hundred symbols
def test_the_page_of_a_large_universe_is_whole():
    assert "rMAE of every symbol" in render_page(crowded())


def test_many_names_become_few_words():
    names = [f"S{number}" for number in range(1_512)]
    assert shorten(names[:2]) == "S0, S1"
    assert shorten(names[:12]).endswith("S11")
    assert shorten(names).endswith("S11 and 1,500 more")
    assert shorten([]) == ""


def test_places_are_even_from_first_to_last():
    assert evenly("abcdefghi", 3) == ["a", "e", "i"]
    assert evenly("ab", 5) == ["a", "b"]
    assert evenly("", 3) == []
