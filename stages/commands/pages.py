"""Pages of runs: one run, and two runs side by side.

`page` and `compare` write to artifacts/page/ and change no stage's output. A run is an experiment, a branch, a commit
or `workspace`. The page of a run also shows what no hashed file may hold: its name and commit, spend, trials, openings,
revisions.
"""

import hashlib
import tempfile
import webbrowser
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stages.commands.live_sections import openings, revisions, spend, trials
from stages.configuration.compose import differences
from stages.errors import ConfigurationError
from stages.fetching.listing_history import relisted
from stages.io.dvc_internals import commit_of
from stages.io.files import write_text
from stages.io.run_record import read_record
from stages.io.settings import PARAMS, parse_yaml, read_params
from stages.io.workspace import git, is_shallow
from stages.paid.budget_report import calls_of, runs_of
from stages.paid.opening import ledger_anywhere
from stages.params.api import ApiParams
from stages.params.report import ReportParams
from stages.report import FILES, LATER
from stages.reporting.compare import render_pair
from stages.reporting.elements import Section
from stages.reporting.page import render_page
from stages.reporting.record import Record
from stages.runs.evidence import require_evidence
from stages.runs.null_market import kept_luck
from stages.runs.past_runs import fetch_run
from stages.runs.trial_log import open_log, openings_of

PAGES = Path("artifacts/page")
WORKSPACE = "workspace"
LONGEST_BYTES = 220  # of a file name's 255, which leaves room for a suffix


def page(run: str, opened: str | None = None) -> None:
    """A run's files, the ledger and git's history -> one page, shown in a browser if `opened` is set."""
    record = read_run(run)
    page = render_page(record, panels(record), named(run))

    path = page_path(run)
    write_text(page, path)
    print(f"page: {path}, verdict {record.gates['verdict']}", flush=True)
    if opened and not webbrowser.open(path.resolve().as_uri()):
        print(f"page: no browser was found here: open {path.resolve()} in one.")


def page_path(*runs: str) -> Path:
    """The path of the page of these runs; names too long for a file are cut and get a digest."""
    name = "-and-".join(run.replace("/", "-") for run in runs)
    if len(name.encode()) > LONGEST_BYTES:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name.encode()[:LONGEST_BYTES].decode(errors='ignore')}-{digest}"
    return PAGES / f"{name}.html"


def named(run: str) -> str:
    """A run with its commit, for the head of its page; the workspace with the commit it is based on."""
    if run == WORKSPACE:
        changed = git("status", "--porcelain", "--untracked-files=no")
        more = ", with uncommitted changes" if changed else ""
        return f"Run `{run}`, on commit {git('rev-parse', '--short=10', 'HEAD').strip()}{more}."
    return f"Run `{run}`, commit {commit_of(run)[:10]}."


def read_run(name: str) -> Record:
    """The record of an experiment, a branch, a commit or the workspace, with its own params except `api`."""
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        root, files = Path() if name == WORKSPACE else Path(folder), FILES
        if name == WORKSPACE:
            require_evidence("evaluate", "judge_worth")
        else:
            files = fetch_run(name, FILES, root, LATER)
        record = read_record(files, shown(read_params_of(root)), root)
        return replace(record, bars=dict(record.bars), forecasts=dict(record.forecasts))  # read before the folder goes


def read_params_of(root: Path) -> dict[str, Any]:
    """The params.yaml of a run, every section."""
    document: dict[str, Any] = parse_yaml((root / PARAMS).read_text(encoding="utf-8"))
    return document


def shown(document: Mapping[str, Any]) -> dict[str, Any]:
    """Every section of params except `api`; keys that `report` did not have then take today's values."""
    sections = {name: section for name, section in document.items() if name != "api"}
    return sections | {"report": read_params(ReportParams).model_dump(mode="json") | document["report"]}


def panels(record: Record) -> list[Section]:
    """Sections from today's ledger, trial log, result of `make null` and git history, for this run's study."""
    api, source, study = read_params(ApiParams), record.config["source"]["name"], record.config["report"]["study"]
    objects, log = ledger_anywhere(api).objects, open_log(api)
    luck = kept_luck(record.oos["strategy_id"], record.config.get("gates", {}))
    return [
        spend(runs_of(objects), calls_of(objects)),
        trials(log.entries(), (source, study), luck),
        openings(source, openings_of(source), shallow=is_shallow()),
        revisions(source, relisted(source)),
    ]


def compare(a: str, b: str) -> None:
    """The files of two runs -> one page."""
    if a == b:
        raise ConfigurationError(f"A and B are both {a!r}: name two runs, `make show` lists the experiments.")

    runs = {name: read_run(name) for name in (a, b)}
    one, other = (record.config for record in runs.values())
    differing = [(".".join(path), *values) for path, values in differences(one, other).items()]

    path = page_path(*runs)
    write_text(render_pair(runs, differing), path)
    print(f"compare: {path}")
