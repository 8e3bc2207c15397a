"""Runs as polars frames, for a notebook: `run("HEAD").trades`. It writes nothing and asks no forecaster.

The files must be those that the run's dvc.lock records; the workspace does not change. Python runs at the root of the
repository.
*Errors*: `ConfigurationError` when there is no such run, or when its files are gone or changed.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from stages.io.run_record import read_files
from stages.io.settings import PARAMS
from stages.report import FILES, LATER
from stages.runs.evidence import require_evidence
from stages.runs.past_runs import fetch_run

WORKSPACE = "workspace"
TABLES = ("forecasts", "signals", "trades", "daily", "ranking", "portfolio", "worth_days", "gates")

GATES = {
    "gate": pl.String, "verdict": pl.String, "value": pl.Float64, "threshold": pl.Float64, "bound": pl.Float64,
    "n": pl.Int64, "n_days": pl.Int64, "words": pl.String,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run.

    *Tables*: `forecasts` of the stated calibration, `signals`, `trades` and `daily` P&L of the stated rule, `ranking`
    of the grid, `portfolio` by symbol, `gates` with one row a gate, `worth_days` with the evidence by day (null in the
    earliest runs). docs/NOTEBOOK.md names the columns that are read most.
    *Units*: P&L in bp.
    *Time*: all but `gates` and `portfolio` are of the search span: the holdout stays sealed.
    """

    name: str
    verdict: str
    params: Mapping[str, Any] = field(repr=False)
    forecasts: pl.DataFrame = field(repr=False)
    signals: pl.DataFrame = field(repr=False)
    trades: pl.DataFrame = field(repr=False)
    daily: pl.DataFrame = field(repr=False)
    ranking: pl.DataFrame = field(repr=False)
    portfolio: pl.DataFrame = field(repr=False)
    gates: pl.DataFrame = field(repr=False)
    worth_days: pl.DataFrame | None = field(default=None, repr=False)


def run(name: str = WORKSPACE) -> Run:
    """The run of an experiment, a branch, a commit or the workspace."""
    files = {table: FILES[table] for table in TABLES}
    with tempfile.TemporaryDirectory(prefix="read-") as folder:
        root = Path() if name == WORKSPACE else Path(folder)
        if name == WORKSPACE:
            require_evidence("evaluate", "judge_worth")
        else:
            files = fetch_run(name, files, root, LATER)
        params = yaml.safe_load((root / PARAMS).read_text(encoding="utf-8"))
        tables = read_files(files, params, root)
        tables["forecasts"] = pl.concat(tables["forecasts"].values())

    judged = tables.pop("gates")
    gates = pl.DataFrame([{"gate": gate, **found} for gate, found in judged["gates"].items()], schema=GATES)
    return Run(name=name, params=params, verdict=judged["verdict"], gates=gates, **tables)
