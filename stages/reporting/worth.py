"""Section "Worth paying?": the verdict, the evidence by day and all comparisons; or the verdicts of two runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log10
from typing import Any

import altair as alt
import polars as pl

from stages.errors import count
from stages.reporting.charts import SERIES, Figure, level, paired, rows, session_axis, sized, sliding, tip
from stages.reporting.elements import Grid, Section, grid, measure
from stages.reporting.record import Document, Record
from stages.worth.gates_compared import why_gates_differ
from stages.worth.verdict import State
from stages.worth.verdict_lines import card, odds

DATA = ("judge_worth/days.parquet",)
TENS = "evidence, powers of ten to 1"
BETTER, SMALL = "better than free", "too small to pay for"
KINDS = {
    State.WORTH_IT: "PASS",
    State.NOT_WORTH_IT: "FAIL",
    State.NOT_YET_KNOWN: "INCONCLUSIVE",
    State.NOT_SHOWN: "INCONCLUSIVE",
}
QUESTIONS = {"shape": "distribution", "direction": "median", "money": "money"}
MEASURED = ("advantage", "interval", "better", "too small")
OTHER_STUDY = (
    "The runs are two studies: taking the better one is a choice made after a look. `make trials` counts studies of "
    "one source and forecaster (worth.prior_studies)."
)
CELLS = {"primary": "verdict's own", "raw": "as answered"}


@dataclass(frozen=True)
class Card:
    """The buyer's verdict for the head of a page; `kind` is the gate verdict whose colour it takes."""

    word: str
    kind: str
    lines: tuple[str, ...]


def card_of(record: Record) -> Card | None:
    """The card; None for a run from before the verdict of worth."""
    if record.worth is None:
        return None
    word, (first, *others) = record.worth["state"], card(record.worth)
    return Card(word, KINDS[State(word)], (first.removeprefix(word).strip(), *others))


def worth(record: Record) -> Section:
    """E by day, every comparison, and what was left out."""
    verdict: Document = record.worth or {}
    return Section(
        "worth",
        "Worth paying?",
        tuple(_sentences(record, verdict)),
        _figures(record, verdict),
        (_cells(record, verdict),),
    )


def both_worth(runs: Mapping[str, Record]) -> Section:
    """The buyer's verdict of each run in a line, empty for a run from before it."""
    studies = {record.worth["study_id"] for record in runs.values() if record.worth}
    sentences = () if len(studies) < 2 else (OTHER_STUDY,)
    titles = ("run", "verdict", "asked", "question", "sessions", *MEASURED)
    lines = [
        (name, *(_of_run(record, record.worth) if record.worth else [None] * (len(titles) - 1)))
        for name, record in runs.items()
    ]
    return Section("worth", "Worth paying?", sentences, grids=(grid("The buyer's verdict", titles, lines),))


def _sentences(record: Record, verdict: Document) -> list[str]:
    hardest = verdict["beats_each_free"]
    sentences = [why_gates_differ(verdict, record.gates["verdict"])]
    if hardest is not None:
        sentences.append(
            f"The single free forecast that is hardest to beat is {hardest['free']} (evidence "
            f"{odds(hardest['most_better'])})."
        )
    left = verdict["left_out"]
    reasons = {"void": "without an outcome", "uncalibrated": "not calibrated yet", "no_scale": "without a width"}
    counted = [
        f"{count(left[name], 'forecast')} of all horizons {words}" for name, words in reasons.items() if left[name]
    ]
    if left["days_set_aside"]:
        counted.append(f"{count(left['days_set_aside'], 'day')} with fewer than half of the symbols")
    if counted:
        sentences.append(f"Left out of both sides where losses are compared: {', '.join(counted)}.")
    return [*filter(None, sentences)]


def _figures(record: Record, verdict: Document) -> tuple[Figure, ...]:
    """E by day, in powers of ten; no figure without a day that counts."""
    days = pl.DataFrame() if record.worth_days is None else record.worth_days
    days = days.filter(~pl.col("before"), question=verdict["decide_by"], cell="primary")
    if days.is_empty():
        return ()
    lines = days.select("session", pl.col("log10_e_better").alias(BETTER), pl.col("log10_e_small").alias(SMALL))
    curves = lines.unpivot(index="session", variable_name="evidence", value_name="tens")
    threshold = log10(verdict["threshold"])
    drawn = (
        alt.Chart(rows(curves))
        .mark_line(interpolate="step-after")
        .encode(
            session_axis(),
            alt.Y("tens:Q", title=TENS),
            paired("evidence", (BETTER, SMALL), SERIES[:2]),
            tooltip=[tip("session", "session"), tip("evidence", "evidence that it is"), tip("tens", TENS, ".2f")],
        )
    )
    words = (
        f"After {count(verdict['sessions'], 'session')}: {odds(verdict['e_better'])} that it is {BETTER}, "
        f"{odds(verdict['e_small'])} that it is {SMALL}; {odds(verdict['threshold'])} decides."
    )
    chart = alt.layer(drawn, level(threshold, f"{odds(verdict['threshold'])} decides")).add_params(sliding())
    return (
        Figure("worth-evidence", "Evidence by day", f"Evidence by day. {words}", words, DATA, sized(chart), wide=True),
    )


def _of_run(record: Record, verdict: Document) -> tuple[Any, ...]:
    """A run's verdict, the question that decides it, and the measured columns."""
    decides = verdict["decide_by"]
    ahead = f"{_unit(record)} a session" if decides == "money" else f"{verdict['horizon_min']} min"
    asked = (verdict["state"], verdict["model"], f"{QUESTIONS[decides]}, {ahead}", verdict["sessions"])
    return (*asked, *_measured(verdict, decides))


def _unit(record: Record) -> str:
    return "bp" if record.config["worth"].get("notional") is None else "the currency of worth.notional"


def _cells(record: Record, verdict: Mapping[str, Any]) -> Grid:
    titles = ("question", "compared", "sessions", *MEASURED, "holds when judged together")
    caption = "Every comparison with the free forecasts; the verdict uses only the first of its own question"
    return grid(f"{caption}; money is in {_unit(record)} a session", titles, map(_line, verdict["cells"]))


def _line(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    name, _, value = cell["cell"].partition("=")
    compared = CELLS.get(name) or {"horizon": f"{value} min", "symbol": value, "free": f"against {value}"}[name]
    question = cell["question"]
    return (QUESTIONS[question], compared, cell["sessions"], *_measured(cell, question), cell["holds"])


def _measured(one: Mapping[str, Any], question: str) -> tuple[str | None, ...]:
    """The columns `MEASURED` of one comparison: the advantage, its interval, and the evidence either way."""
    scale, unit = (1.0, "") if question == "money" else (100.0, " %")
    low, high = (None if end is None else measure(round(end * scale, 2)) for end in one["interval"])
    estimate = None if one["estimate"] is None else f"{measure(round(one['estimate'] * scale, 2))}{unit}"
    between = None if (low, high) == (None, None) else f"{low or '…'} to {high or '…'}"
    return (estimate, between, *(None if one[name] is None else odds(one[name]) for name in ("e_better", "e_small")))
