"""The market under given params, computed without changing the workspace.

Stages before `build_requests` whose params, files of conf/ (the source's listing, events) and outputs match dvc.lock
are taken from `artifacts/`. The first stage that differs and all after it run in a temporary folder. Nothing here asks
a forecaster.
*Errors*: `ConfigurationError` (exit 5) with the stage's own sentence when one cannot run.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.configuration.compose import to_yaml
from stages.errors import ConfigurationError
from stages.io.content import LOCK
from stages.io.files import PartitionedTables, read_json, read_table
from stages.io.settings import PARAMS
from stages.io.workspace import main_root
from stages.params.study import Study
from stages.quality.halts import halts_reported
from stages.quality.verdicts import usable_sessions, verdict_alone
from stages.questions.market import Market
from stages.runs.evidence import Run, findings, read_run
from stages.tables.market import Bars, Calendar

BEFORE_QUESTIONS = ("list_source", "fetch_bars", "check_data", "build_features")
ARTIFACTS = Path("artifacts")
RUN_STAGES = "import sys, runpy\nfor verb in sys.argv[1:]: runpy.run_module(f'stages.{verb}', run_name='__main__')"


@contextmanager
def scratch_study(document: Mapping[str, Any]) -> Iterator[Path]:
    """A temporary folder in which stages can run: these params, and this conf/."""
    with tempfile.TemporaryDirectory(prefix="study-") as name:
        scratch = Path(name)
        (scratch / PARAMS).write_text(to_yaml(document), encoding="utf-8")
        (scratch / "conf").symlink_to(Path("conf").resolve())
        yield scratch


@contextmanager
def market_of(document: Mapping[str, Any]) -> Iterator[Market]:
    """The market under these params, for use within the block. Symbols are read on access."""
    requests = Study.parse(dict(document)).requests
    columns = ("ts", "sigma_5m", *requests.hist_exog, *requests.futr_exog)
    changed = stages_to_run(document)
    if not changed:
        yield _market_in(Path(), columns)
        return
    with scratch_study(document) as scratch:
        (scratch / ARTIFACTS).mkdir()
        for stage in BEFORE_QUESTIONS:
            if stage in changed:
                if failure := run_stages([stage], scratch, main_root()):
                    raise ConfigurationError(f"stage {stage} cannot run with these params: {failure}")
            else:
                (scratch / ARTIFACTS / stage).symlink_to((ARTIFACTS / stage).resolve())
        yield _market_in(scratch, columns)


def stages_to_run(document: Mapping[str, Any]) -> list[str]:
    """The stages before `build_requests` whose results these params may change, and all after the first of them."""
    run = read_run(params=document) if LOCK.exists() else Run(document, {})
    for number, stage in enumerate(BEFORE_QUESTIONS):
        if findings(run, [stage]).complaint:
            return list(BEFORE_QUESTIONS[number:])
    return []


def run_stages(stages: Iterable[str], scratch: Path, root: Path) -> str:
    """Run stages in a folder, with the answer store of the repository at `root`; why one failed, empty if none did."""
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "DVC_ROOT": str(root)}
    command = [sys.executable, "-c", RUN_STAGES, *stages]
    done = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # our own stages
    return done.stderr.strip()[-2000:] if done.returncode else ""


def _market_in(root: Path, columns: tuple[str, ...]) -> Market:
    artifacts = root / ARTIFACTS
    report = read_json(artifacts / "check_data/dq_report.json", verdict_alone)
    return Market(
        bars=PartitionedTables.of(Bars, artifacts / "check_data/bars"),
        features=PartitionedTables.some(columns, artifacts / "build_features/features"),
        usable=usable_sessions(report),
        calendar=read_table(Calendar, artifacts / "fetch_bars/calendar.parquet"),
        halts=halts_reported(report),
    )
