"""Scores on the page: what is missing is not drawn, what is tied or left out is said, and no p is nothing."""

from copy import deepcopy

import polars as pl

from stages.reporting.compare import verdicts
from stages.reporting.coverage import coverage
from stages.reporting.gates import gates as gates_section
from stages.reporting.skill import skill
from tests.reporting.records import cells, config, gates, metrics, record


def scored(scope: str, **changes: object):
    """The run with changes in every entry of one scope of its scores."""
    document = deepcopy(record().metrics)
    document[scope] = [entry | deepcopy(changes) for entry in document[scope]]
    return record(metrics=document)


def without(*names: str):
    """The run as an older version scored it."""
    document = deepcopy(record().metrics)
    document["pooled"] = [{k: v for k, v in entry.items() if k not in names} for entry in document["pooled"]]
    return record(metrics=document)


def test_ties_are_said_where_there_are_any():
    tied = scored("pooled", ties={"raw": 0.25, "calibrated": 0.615}, unmoved=0.6)

    told = coverage(tied).sentences[-1]

    assert told.startswith("25.0 % of the outcomes lie exactly on a quantile as answered, 61.5 % on a calibrated one;")
    assert "for 60.0 % the price did not move" in told
    assert not any("exactly on a quantile" in sentence for sentence in coverage(record()).sentences)


def test_symbols_that_no_relative_error_holds_are_counted_in_words():
    dead = scored("pooled", n_symbols=3, n_symbols_unmoved=1)

    assert any("never moved" in sentence and "1 of 3 at 10 min" in sentence for sentence in skill(dead).sentences)
    assert not any("never moved" in sentence for sentence in skill(record()).sentences)


def test_a_run_of_the_past_that_counted_neither_still_has_its_page():
    old = without("ties", "unmoved", "n_symbols", "n_symbols_unmoved")
    assert coverage(old).figures
    assert skill(old).figures


def test_a_missing_error_ratio_is_no_tile_at_all():
    """A missing value in a tile would be drawn as 0: the deepest green."""
    known = pl.when(pl.col("symbol") != "WEAK").then("value")

    figure = next(
        one for one in skill(record(cells=cells().with_columns(known))).figures if one.name == "skill-snapshot"
    )

    assert "STRONG" in figure.alt
    assert "WEAK" not in figure.alt
    assert "WEAK" not in str([values for values in figure.spec["datasets"].values() if "snapshot" in str(values)])


def test_bounds_are_drawn_where_any_level_has_them():
    document = deepcopy(record().metrics)
    for entry in document["pooled"]:
        entry["metrics"]["hit_05"]["raw"] |= {"ci": None, "se": None}

    figure = coverage(record(metrics=document)).figures[0]

    assert "'high'" in str(figure.spec["layer"])


def test_without_a_correction_no_session_is_said_to_be_left_out():
    as_answered = record(config=config() | {"calibration": config()["calibration"] | {"method": "identity"}})
    assert "It leaves every forecast as answered, and all are judged." in coverage(as_answered).sentences[0]
    assert "so the first sessions stay as answered" in coverage(record()).sentences[0]


def test_an_axis_is_named_also_where_nothing_has_bounds():
    few = scored("cells", metrics={"rmae": {"calibrated": {"value": 0.9, "ci": None}}})
    dots = skill(few).figures[0].spec["layer"][-1]
    assert dots["encoding"]["x"]["title"] == "rMAE"


def test_where_nothing_was_scored_a_sentence_stands_instead_of_empty_pictures():
    nothing = scored("pooled", n=0)
    for section in (skill(nothing), coverage(nothing)):
        assert not section.figures
        assert "was scored" in section.sentences[-1]


def test_outcomes_that_never_moved_are_scored_without_an_empty_picture():
    """They have losses and a coverage, but no relative error."""
    unmoved = scored("cells", metrics={"rmae": {"calibrated": {"value": None, "ci": None}}})
    without_value = cells().with_columns(value=pl.lit(None, pl.Float64))

    shown = skill(record(metrics=unmoved.metrics, cells=without_value))

    assert not shown.figures
    assert not any("Nothing was scored" in sentence for sentence in shown.sentences)
    assert [one.name for one in skill(record(cells=without_value)).figures] == ["skill-horizon"]


def test_no_p_stands_on_the_page_as_nothing():
    document = deepcopy(metrics())
    for entry in document["pooled"]:
        entry["pit"]["calibrated"]["p_days"] = 0.0004
    notes = " ".join(figure.note for figure in coverage(record(metrics=document)).figures)
    assert "p < 0.001 that the unevenness" in notes

    for entry in document["pooled"]:
        entry["pit"]["calibrated"]["p_days"] = 0.9999
    notes = " ".join(figure.note for figure in coverage(record(metrics=document)).figures)
    assert "p > 0.999 that the unevenness" in notes

    unknown = deepcopy(metrics())
    for entry in unknown["pooled"]:
        entry["pit"]["calibrated"]["p_days"] = None
    notes = " ".join(figure.note for figure in coverage(record(metrics=unknown)).figures)
    assert "too few to say" in notes


def test_an_adjusted_p_stands_beside_the_other_forecast_gates():
    judged = deepcopy(gates("SEALED"))
    for cell in judged["cells"].values():
        cell["gates"]["fdr"] |= {"value": 0.000002, "verdict": "PASS", "threshold": 0.1, "bound": None}
    run = record(gates=judged)

    lines = [row.cells for row in gates_section(run).grids[1].rows if row.cells[2].startswith("p adjusted")]
    assert [line[3:5] for line in lines] == [("PASS", "< 0.001, needs ≤ 0.1")] * len(judged["cells"])

    pair = verdicts({"one": run, "other": run}).grids[1].rows
    assert {row.cells[-2:] for row in pair if row.cells[1] == "fdr"} == {("< 0.001", "< 0.001")}
