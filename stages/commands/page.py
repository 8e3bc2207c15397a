"""`make page`: the page of this run, or of any other, with what no hashed file may hold: spend, trials,
openings, revisions.

Written to artifacts/page/, so that neither the workspace nor any stage's output changes.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import yaml

from stages.commands.panels import openings, revisions, spend, trials
from stages.outside.configuration.openings import openings_of
from stages.outside.configuration.study import Study
from stages.outside.entry import run
from stages.outside.files import write_text
from stages.outside.paid.backends import ledger_anywhere
from stages.outside.paid.ledger_face import calls_of, runs_of
from stages.outside.record_files import read_record
from stages.outside.runs.experiments import fetch_run
from stages.outside.runs.luck_record import kept_luck
from stages.outside.runs.trials import open_log
from stages.outside.settings import PARAMS
from stages.outside.source.listing_history import relisted
from stages.report import FILES
from stages.reporting.content import Section
from stages.reporting.page import render_page
from stages.reporting.record import Record

PAGES = Path("artifacts/page")
WORKSPACE = "workspace"


def main() -> None:
    """A run's files, the ledger and git's history -> one page."""
    parser = argparse.ArgumentParser(prog="make page", description="the page of a run, with what it cost")
    parser.add_argument("run", nargs="?", default=WORKSPACE, help="an experiment, a branch or a commit")
    name = parser.parse_args().run

    study, record = read_run(name)
    page = render_page(record, panels(study, record))

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


def panels(study: Study, record: Record) -> list[Section]:
    """What the ledger, the trial log, `make null` and git's history say of this study today."""
    place = ledger_anywhere(study.api).place
    source, log = study.source.name, open_log(study.api)
    luck = kept_luck(record.oos["strategy_id"])
    return [
        spend(runs_of(place), calls_of(place)),
        trials(log.entries(), (source, study.report.study), luck),
        openings(source, openings_of(source)),
        revisions(source, relisted(study.source)),
    ]


if __name__ == "__main__":
    run(main)
