"""The comment on a change: price first, every figure with what it needs, pictures that say who forecast."""

import re

import polars as pl
import pytest

from stages.reporting.comment import Change, Price, light_colours, metrics, png, render_comment
from stages.reporting.compare import curves
from tests.reporting.records import SESSIONS, gates, key_figures, opened_record, record

BEFORE = {"rmae": 0.95, "sharpe": 1.5, "trades": 60, "verdict": "PASS", "oos_sharpe": 7.77}
AFTER = BEFORE | {"rmae": 0.92, "verdict": "SEALED", "oos_sharpe": None}
FREE = Price(480, 120, 0, 0, 0, maker="seasonal")
DIFFERING = [("rules.s_stop", 1.0, 1.5)]


def change(**settings) -> Change:
    whole = {"price": FREE, "after": record(gates=gates("SEALED")), "metrics_after": AFTER}
    known = {"base": "main", "differing": DIFFERING, "before": opened_record(), "metrics_before": BEFORE}
    return Change(**(known | whole | settings))


def test_both_verdicts_stand_first_and_the_price_before_every_figure():
    told = render_comment(change(), {})
    assert told.startswith("## ✔ PASS → ▣ SEALED")
    assert told.index("Price of this change:") < told.index("| metric |") < told.index("rules.s_stop")


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (FREE, "**0 calls**: 480 questions, 120 of them new with this change; `seasonal` answers on the machine"),
        (
            Price(480, 0, 0, 0, 0),
            "**0 calls**: 480 questions, 0 of them new with this change; every answer is in the store",
        ),
        (Price(480, 120, 120, 41, 2), "**41 calls** (2 with `api.pack: snapshots`): 480 questions, 120 of them new"),
        (Price(480, 9, 1, 1, 1), "**1 call** (1 with"),
        (Price(480, 9, 9, 9, None), "**9 calls**: 480 questions, 9 of them new"),
    ],
)
def test_the_price_is_reported_in_calls(price, words):
    assert price.words.startswith(words)


def test_both_runs_say_of_which_sessions_their_figures_are():
    late = record(daily=record().daily.filter(pl.col("session") >= SESSIONS[30]))
    told = render_comment(change(after=late), {})
    before, after = (told.index(f"search span {SESSIONS[first]} to {SESSIONS[-1]}") for first in (0, 30))
    assert told.index("- `main`: ") < before < told.index("- this change: ") < after < told.index("| metric |")


def test_a_change_that_could_not_run_to_its_end_is_priced_and_not_judged():
    told = render_comment(change(after=None, metrics_after=None, waiting=["forecast", "calibrate"]), {})
    assert told.startswith("## ✔ PASS → not judged yet")
    assert "`forecast`, `calibrate` did not run. `make run` finishes it" in told
    dear = change(after=None, metrics_after=None, waiting=["forecast"], price=Price(480, 9, 9, 3, 1))
    assert "did not run. Buy what is missing" in render_comment(dear, {})
    assert "Price of this change:" in told
    assert "rules.s_stop" in told
    assert "| metric |" not in told


def test_each_metric_stands_with_both_values_and_their_difference():
    rows = {row.cells[0]: row.cells[1:] for row in metrics(change()).rows}
    assert rows["rmae"] == ("0.95", "0.92", "\N{MINUS SIGN}0.03")
    assert rows["trades"] == ("60", "60", "\N{EN DASH}")
    assert rows["verdict"] == ("PASS", "SEALED", "changed")
    hardly = {row.cells[0]: row.cells[1:] for row in metrics(change(metrics_after=AFTER | {"rmae": 0.95002})).rows}
    assert hardly["rmae"][-1] == "0.00002"


def test_a_sharpe_ratio_never_stands_without_its_error_and_the_trials_behind_it():
    table = metrics(change())
    rows = {row.cells[0]: row.cells[1:] for row in table.rows}
    error = f"{key_figures(0.0)['sharpe_se']:.2f}"
    assert rows["sharpe ± standard error"][0] == f"1.50 ± {error}"
    assert rows["oos_sharpe ± standard error"] == (f"7.77 ± {error}", "\N{EN DASH}", "changed")
    assert "36 trials" in table.caption


def test_every_table_has_as_many_cells_in_each_row_as_in_its_head():
    lines = [line for line in render_comment(change(), {}).splitlines() if line.startswith("|")]
    assert lines
    blocks = re.findall(r"(?:^\|.*\n)+", render_comment(change(), {}), re.MULTILINE)
    for block in blocks:
        assert len({line.replace("\\|", "").count("|") for line in block.splitlines()}) == 1


def test_a_local_forecast_is_called_so_in_the_comment():
    assert "nothing about TimeGPT" in render_comment(change(), {})


def test_a_picture_is_a_png_in_the_colours_of_light_paper():
    figure = curves({"main": record(), "this change": record()}).figures[0]
    drawn = png(figure, "Local forecaster “seasonal” (not TimeGPT) on an artificial market")
    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) > 20_000
    assert light_colours()["--paper"] == "#ffffff"


@pytest.mark.journey  # two pictures are drawn
def test_a_picture_without_its_label_is_another_picture():
    figure = curves({"main": record(), "this change": record()}).figures[0]
    assert png(figure, "who forecast") != png(figure, "")
