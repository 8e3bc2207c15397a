"""The buyer's verdict on the page: its card first, the evidence by day, every comparison, a quarrel with the gates."""

import polars as pl

from stages.reporting.elements import MISSING
from stages.reporting.page import render_page
from stages.reporting.worth import OTHER_STUDY, both_worth, card_of, worth
from stages.worth.verdict_lines import card, odds
from tests.reporting.records import record, sealed_page, sealed_report
from tests.worth.studies import judged

VERDICT, DAYS = judged()


def verdict_with(**changes: object) -> dict[str, object]:
    return VERDICT | changes


def test_the_card_stands_before_the_gates_on_the_page_and_in_the_report():
    for text in (sealed_page(), sealed_report()):
        flat = " ".join(text.replace("</p>", " ").replace("<p>", " ").split())
        first, second, _ = card(VERDICT)
        assert flat.index(first.removeprefix("WORTH IT ").split(".")[0]) < flat.index(
            "No required gate of the search span fails"
        )
        assert second.split(";")[0] in flat


def test_a_card_has_the_colour_of_its_verdict():
    kinds = {"WORTH IT": "PASS", "NOT WORTH IT": "FAIL", "NOT YET KNOWN": "INCONCLUSIVE", "NOT SHOWN": "INCONCLUSIVE"}
    open_ = {"decided_on": None, "more_sessions": [3, 9]}
    found = {state: card_of(record(worth=verdict_with(state=state, **open_))).kind for state in kinds}
    assert found == kinds


def test_evidence_is_drawn_by_day_with_the_line_that_decides():
    section = worth(record())
    (figure,) = section.figures
    days = DAYS.filter(question="shape", cell="primary")
    drawn = [row for rows in figure.spec["datasets"].values() for row in rows if "evidence" in row]
    assert len(drawn) == 2 * days.height
    better = {row["session"]: row["tens"] for row in drawn if row["evidence"] == "better than free"}
    assert better == dict(zip(days["session"].cast(pl.String), days["log10_e_better"], strict=True))
    assert "20 to 1 decides" in figure.alt


def test_every_comparison_is_a_row_and_money_is_no_percentage():
    (table,) = worth(record()).grids
    assert table.caption.endswith("money is in bp a session")
    rows = [row.cells for row in table.rows]
    assert len(rows) == len(VERDICT["cells"])
    assert rows[0][:2] == ("distribution", "verdict's own")
    assert {row[1] for row in rows} >= {"as answered", "5 min", "STRONG", "against har"}
    assert {row[0] for row in rows if row[3].endswith(" %")} == {"distribution", "median"}


def test_questions_that_left_both_sides_are_counted_and_a_quarrel_with_the_gates_is_explained():
    left = {"void": 3, "uncalibrated": 12, "no_scale": 0, "days_set_aside": 1}
    gates = record().gates | {"verdict": "FAIL"}
    said = " ".join(worth(record(worth=verdict_with(left_out=left), gates=gates)).sentences)
    assert "3 forecasts of all horizons without an outcome, 12 forecasts of all horizons not calibrated yet" in said
    assert "1 day with fewer than half of the symbols" in said
    assert "The gates say FAIL because they ask another question" in said
    assert "hardest to beat is har" in said


def test_days_of_training_are_not_drawn_as_evidence():
    seen = DAYS.with_columns(before=pl.lit(True))
    assert worth(record(worth_days=seen)).figures == ()


def test_a_run_from_before_this_verdict_has_a_page_without_it():
    old = record(worth=None, worth_days=None, cells=None)
    assert card_of(old) is None
    page = render_page(old)
    assert 'id="worth"' not in page
    assert 'id="gates"' in page


def test_of_two_runs_each_verdict_is_a_line_and_other_studies_are_reported_to_be_a_choice():
    another = verdict_with(study_id="w00000000000", state="NOT SHOWN", estimate=None, interval=[None, 0.01])
    section = both_worth({"one": record(), "two": record(worth=another), "early": record(worth=None)})
    one, two, early = (row.cells for row in section.grids[0].rows)
    assert one[:5] == ("one", "WORTH IT", VERDICT["model"], "distribution, 10 min", str(VERDICT["sessions"]))
    assert one[5].startswith(f"{100 * VERDICT['estimate']:.2f}".rstrip("0"))
    assert one[7:] == (odds(VERDICT["e_better"]), odds(VERDICT["e_small"]))
    assert (two[1], two[5], two[6]) == ("NOT SHOWN", MISSING, "… to 1")
    assert early == ("early", *[MISSING] * 8)
    assert section.sentences == (OTHER_STUDY,)
    assert both_worth({"one": record(), "same": record()}).sentences == ()


def test_two_runs_that_ask_other_questions_say_which():
    stated = record().config | {"worth": record().config["worth"] | {"notional": 1000.0}}
    paid = record(worth=verdict_with(decide_by="money"), config=stated)
    bp, shape = record(worth=verdict_with(decide_by="money")), record(worth=verdict_with(horizon_min=20))
    lines = [row.cells for row in both_worth({"paid": paid, "bp": bp, "shape": shape}).grids[0].rows]
    assert [line[3] for line in lines] == [
        "money, the currency of worth.notional a session",
        "money, bp a session",
        "distribution, 20 min",
    ]
