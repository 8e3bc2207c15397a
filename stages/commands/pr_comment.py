"""`make pr-comment`: how a change alters the run of a base, as a comment for a pull request.

It writes `comment.md`, its pictures, and `compare.html`, the two runs on one page, to artifacts/pr_comment/. It buys
nothing and needs no key; a change with unanswered questions is priced instead of judged.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.commands.pages import WORKSPACE, read_params_of, read_run, shown
from stages.configuration.compose import differences, present
from stages.errors import ConfigurationError
from stages.io.files import read_json, read_table, write_bytes, write_text
from stages.io.questions import read_questions
from stages.paid.opening import store_anywhere
from stages.paid.pricing import price
from stages.params.study import Study
from stages.reporting.comment import Change, Price, png, render_comment, runs_of
from stages.reporting.compare import Differing, curves, render_pair
from stages.reporting.record import Record
from stages.runs.evidence import require_evidence, unfinished_stages
from stages.runs.past_runs import fetch_run
from stages.tables.forecasts import Schedule

FOLDER = Path("artifacts/pr_comment")
REQUESTS = Path("artifacts/build_requests/requests")
SCHEDULE = Path("artifacts/build_requests/schedule.parquet")
METRICS = Path("artifacts/evaluate/summary.json")
UP_TO_QUESTIONS = {"list_source", "fetch_bars", "check_data", "build_features", "build_requests"}


def pr_comment(base: str, pictures_at: str) -> None:
    """A base run and the workspace -> a comment, its pictures, and the page behind them."""
    waiting = unfinished_stages()
    if unasked := [stage for stage in waiting if stage in UP_TO_QUESTIONS]:
        raise ConfigurationError(
            f"the questions of this change are not known: {', '.join(unasked)} did not run with it. `make run` "
            "first; offline it stops where answers are missing."
        )
    require_evidence("build_requests")
    study = Study.parse(present() or {})
    before = read_run(base)
    with tempfile.TemporaryDirectory(prefix="base-") as folder:
        fetch_run(base, {"schedule": SCHEDULE, "metrics": METRICS}, Path(folder))
        old_keys = set(read_table(Schedule, Path(folder) / SCHEDULE)["key"].drop_nulls())
        metrics = read_json(Path(folder) / METRICS)
    whole: dict[str, Any] = (
        {"waiting": waiting} if waiting else {"after": read_run(WORKSPACE), "metrics_after": read_json(METRICS)}
    )
    change = Change(base, differing(before), price_of(study, old_keys), before, metrics, **whole)

    pictures = write_pictures(change) if change.after else {}
    prefix = pictures_at.rstrip("/") + "/" if pictures_at else ""
    write_text(
        render_comment(change, {prefix + name: words for name, words in pictures.items()}), FOLDER / "comment.md"
    )
    print(f"pr-comment: {FOLDER}/comment.md, {len(pictures)} pictures. {change.price.words}")


def differing(base: Record) -> Differing:
    """Keys of params that differ, with the base's value and the present one."""
    here = shown(read_params_of(Path()))
    return [(".".join(path), *values) for path, values in differences(dict(base.config), here).items()]


def price_of(study: Study, old_keys: set[str]) -> Price:
    """The price of the present questions, and how many of them the base did not ask."""
    questions = read_questions(REQUESTS)
    new = len({question.key for question in questions} - old_keys)
    if not study.forecaster.is_paid:
        return Price(len(questions), new, 0, 0, 0, maker=study.forecaster.maker)
    found = price(questions, read_table(Schedule, SCHEDULE), store_anywhere(study.api))
    return Price(len(questions), new, found.missing, found.requests, found.packed_requests)


def write_pictures(change: Change) -> Mapping[str, str]:
    """Write the curves of both runs and the page that compares them; returns alternative text by picture."""
    runs = runs_of(change)
    write_text(render_pair(runs, change.differing), FOLDER / "compare.html")
    label = " / ".join(dict.fromkeys(record.label for record in runs.values()))
    figures = {f"{figure.name}.png": figure for figure in curves(runs).figures}
    for name, figure in figures.items():
        write_bytes(png(figure, label), FOLDER / name)
    return {name: figure.alt for name, figure in figures.items()}
