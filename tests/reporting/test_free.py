"""The asked model beside the free ones on the page: the same questions, in plain words, and what may be memory."""

from dataclasses import replace

import pytest

from stages.reporting.free import free
from stages.reporting.page import PAGE
from stages.tables.forecasts import FREE_MIX, NEVER
from stages.tables.trades import PORTFOLIO
from tests.reporting.records import HORIZONS, SYMBOLS, metrics, portfolio, record

DASH = "\N{EN DASH}"


def with_scores(**changes: object):
    return record(metrics=metrics() | changes)


def entry(symbol: str | None, model: str, horizon: int = 10) -> dict:
    key = (symbol, model, horizon)
    return next(one for one in metrics()["free"] if (one["symbol"], one["model"], one["horizon_min"]) == key)


def trained() -> dict:
    """Every score on both sides of a day, as the whole span has them."""
    side = {name: metrics()[name] for name in ("pooled", "cells", "free")}
    return {"until": "2024-12-10", "before": side, "after": side}


def percent(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def test_one_table_holds_every_forecast_at_every_horizon_and_marks_the_asked_one():
    table = free(record()).grids[0]
    names = ["seasonal (asked)", "best free forecast", "persistence (free)"]
    assert [row.cells[:2] for row in table.rows] == [(str(horizon), name) for horizon in HORIZONS for name in names]
    assert [row.chosen for row in table.rows] == [True, False, False] * len(HORIZONS)


def test_a_row_tells_the_scores_of_its_entry_and_a_dash_beside_itself():
    rows = {row.cells[:2]: row.cells[2:] for row in free(record()).grids[0].rows}
    asked, mix = entry(None, "seasonal"), entry(None, FREE_MIX)

    assert rows["10", "seasonal (asked)"][1] == percent(asked["over_persistence_pct"]["value"])
    low, high = asked["over_free_mix_pct"]["ci"]
    assert rows["10", "seasonal (asked)"][4] == f"{percent(low)} to {percent(high)}"
    assert rows["10", "best free forecast"][1] == percent(mix["over_persistence_pct"]["value"])
    assert rows["10", "best free forecast"][3:5] == (DASH, DASH)
    assert rows["10", "persistence (free)"][1:3] == (DASH, DASH)


def test_each_symbol_has_one_row_at_the_horizon_of_the_comparison():
    table = free(record()).grids[1]
    assert "10 minutes ahead" in table.caption
    assert [row.cells[0] for row in table.rows] == list(SYMBOLS)
    assert table.rows[0].cells[5] == percent(entry("STRONG", "seasonal")["over_free_mix_pct"]["value"])

    config = record().config | {"worth": record().config["worth"] | {"horizon_min": 20}}
    assert "20 minutes ahead" in free(record(config=config)).grids[1].caption


def test_the_mix_is_named_as_what_never_trades_and_leaves_out_an_asked_free_forecaster():
    assert "a benchmark that never trades" in free(record()).sentences[0]
    assert not any("is itself free" in sentence for sentence in free(record()).sentences)
    also = [one | {"model": "free:seasonal"} for one in metrics()["free"] if one["model"] == "seasonal"]
    told = free(with_scores(free=[*metrics()["free"], *also])).sentences
    assert "The asked forecaster is itself free, so the best free forecast leaves seasonal out." in told
    program = with_scores(free=[*metrics()["free"], *(one | {"model": "free:command"} for one in also)])  # of any model
    asked = program.config | {"forecaster": program.config["forecaster"] | {"name": "command"}}
    told = free(replace(program, config=asked)).sentences
    assert "The asked forecaster is itself free, so the best free forecast leaves command out." in told


@pytest.mark.parametrize(
    ("until", "words"),
    [
        (None, "unknown, the model may have seen these days"),
        (NEVER, "none, this forecaster is never trained"),
        ("2024-12-10", "2024-12-10; days up to it, which it may remember, are shown apart"),
    ],
)
def test_one_sentence_says_what_the_model_may_have_seen(until, words):
    split = trained() if until == "2024-12-10" else {"until": until, "before": None, "after": None}
    told = [one for one in free(with_scores(trained=split)).sentences if one.startswith("Last day of the model's")]
    assert len(told) == 1
    assert words in told[0]


def test_a_training_that_ended_before_the_first_day_leaves_nothing_to_show_apart():
    split = trained() | {"before": {"pooled": [], "cells": [], "free": []}}
    page = free(with_scores(trained=split))
    assert "training: 2024-12-10; every day that is judged here is after it." in " ".join(page.sentences)
    assert len(page.grids) == 2


def test_a_last_day_of_training_gives_a_table_of_both_sides_with_what_was_earned():
    assert len(free(record()).grids) == 2
    spans = portfolio(("search", "search_before_training", "search_after_training"))
    page = free(record(metrics=metrics() | {"trained": trained()}, portfolio=spans))

    rows = [row.cells for row in page.grids[2].rows]
    assert [row[:2] for row in rows] == [
        (symbol, f"{side} 2024-12-10") for symbol in ("all", *SYMBOLS) for side in ("up to", "after")
    ]
    earned = spans.filter(span="search_before_training", symbol=PORTFOLIO)["net_bp"].item()
    assert rows[0][-1] == f"{earned:.1f}"


def test_a_study_without_a_common_question_says_so():
    section = free(with_scores(free=[]))
    assert section.sentences[-1] == "No question was answered and calibrated by all of them yet."
    assert (section.figures, section.grids) == ((), ())


def test_the_picture_has_a_point_a_forecast_and_horizon_and_its_words_the_main_numbers():
    (figure,) = free(record()).figures
    (points,) = [rows for rows in figure.spec["datasets"].values() if "forecast" in rows[0]]
    assert len(points) == 2 * len(HORIZONS), "persistence is the line itself"
    value = entry(None, "seasonal")["over_persistence_pct"]["value"]
    assert f"at 10 min, all symbols together: seasonal (asked) {percent(value)} %" in figure.alt


def test_without_free_persistence_nothing_is_drawn_and_the_tables_show_dashes():
    nothing = {"over_persistence_pct": {"value": None, "ci": None}}
    section = free(with_scores(free=[one | nothing for one in metrics()["free"] if one["model"] != "free:persistence"]))
    assert section.figures == ()
    assert {row.cells[3:5] for row in section.grids[0].rows} == {(DASH, DASH)}


def test_the_section_stands_on_the_page():
    assert free in PAGE
