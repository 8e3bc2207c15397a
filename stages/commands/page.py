"""`make page`: the page of this run, or of any other, with what no hashed file may hold: spend, hits and openings.

Written to artifacts/page/, so that neither the workspace nor any stage's output changes.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stages.outside.configuration.openings import earlier_openings
from stages.outside.configuration.study import Study
from stages.outside.entry import run
from stages.outside.files import write_text
from stages.outside.paid.backends import ledger_anywhere
from stages.outside.paid.ledger_face import calls_of, runs_of
from stages.outside.record_files import read_record
from stages.outside.runs.experiments import fetch_run
from stages.outside.settings import PARAMS
from stages.report import FILES
from stages.reporting.content import Section, grid
from stages.reporting.page import render_page
from stages.reporting.record import Record
from stages.reporting.words import count

PAGES = Path("artifacts/page")
WORKSPACE = "workspace"


def main() -> None:
    """A run's files, the ledger and git's history -> one page."""
    parser = argparse.ArgumentParser(prog="make page", description="the page of a run, with what it cost")
    parser.add_argument("run", nargs="?", default=WORKSPACE, help="an experiment, a branch or a commit")
    name = parser.parse_args().run

    study, record = read_run(name)
    page = render_page(record, [spend(study), openings(study)])

    path = PAGES / f"{name.replace('/', '-')}.html"
    write_text(page, path)
    print(f"page: {path}")


def read_run(name: str) -> tuple[Study, Record]:
    """The params and the record of an experiment, a branch, a commit or the workspace, which stays as it is."""
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        root = Path() if name == WORKSPACE else Path(folder)
        if name != WORKSPACE:
            fetch_run(name, [PARAMS, *FILES.values()], root)
        study = Study.parse(yaml.safe_load((root / PARAMS).read_text(encoding="utf-8")))
        return study, read_record(FILES, shown(study), root)


def shown(study: Study) -> dict[str, Any]:
    """Every section of params but `api`, as the stage shows them."""
    return {name: getattr(study, name).model_dump(mode="json") for name in Study.__annotations__ if name != "api"}


def spend(study: Study) -> Section:
    """What was bought with this repository's ledger, run by run."""
    place = ledger_anywhere(study.api).place
    return spend_section(runs_of(place), calls_of(place))


def spend_section(runs: Sequence[Mapping[str, Any]], calls: Sequence[Mapping[str, Any]]) -> Section:
    """The latest runs that asked the service, and how much of what they asked lay in the store."""
    told = [one for one in runs if "questions" in one]
    counted = sum(call["state"] != "refunded" for call in calls)
    titles = ("ended", "run", "experiment", "questions", "from the store, %", "bought")
    lines = [
        (f"{one['ended_utc'][:19]}Z", one["run"], one["experiment"], one["questions"], _hits(one), one["bought"])
        for one in told
    ]
    sentences = (
        f"{count(counted, 'request')} counted in the ledger's latest days, {count(len(runs), 'run')} in its records. "
        "This panel is the ledger's state today; it is no part of any hashed file.",
    )
    return Section(
        "spend", "Spend", sentences, grids=(grid("Runs that asked the service", titles, lines),) if told else ()
    )


def _hits(one: Mapping[str, Any]) -> float:
    return 100.0 * one["from_store"] / one["questions"] if one["questions"] else 100.0


def openings(study: Study) -> Section:
    """Every strategy for which this source's holdout was ever opened."""
    found = earlier_openings(study.source.name)
    sentences = (
        f"The holdout of source {study.source.name} was opened for {count(len(found), 'strategy', 'strategies')} in "
        "this repository's history. Each opening makes it a little less of a holdout.",
    )
    table = grid("Openings on the record", ("strategy", "commit"), list(found.items()))
    return Section("openings", "Openings of the holdout", sentences, grids=(table,) if found else ())


if __name__ == "__main__":
    run(main)
