"""The spans that `seal` wrote, each with everything needed to trade and score it, and earlier openings of the holdout.

Openings are commits of params.yaml, so git records them: an id that was ever committed in `split.open_holdout` with the
same source counts, even if it was removed later, on any branch or experiment. An opening of one month is named
`<strategy id> for <month>`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from stages.calibration.past import with_outcomes
from stages.io.files import PartitionedTables, read_table
from stages.io.settings import PARAMS, parse_yaml
from stages.io.workspace import git
from stages.runs.trial_log import log_opening, logged_openings
from stages.tables.forecasts import Calibrated, Scored
from stages.tables.market import Bars, Calendar, Prices
from stages.trading.book import SpanInputs


def read_span(folder: Path, method: str) -> SpanInputs:
    """The search span: bars, forecasts by one calibration with their outcomes, and calendar, each checked.

    Bars of a symbol are read when they are asked for.
    """
    return SpanInputs(
        bars=PartitionedTables.of(Prices, folder / "bars"),
        forecasts=read_table(Scored, folder / "calibrated.parquet", method=[method]),
        calendar=read_table(Calendar, folder / "calendar.parquet"),
    )


def open_span(folder: Path, name: str, method: str, usable: Mapping[str, tuple[date, ...]]) -> SpanInputs:
    """The same for a part of the holdout and strategy `name`. The opening is logged before anything is read.

    Its outcomes are stored nowhere; they are computed here from its bars.
    """
    log_opening(name, folder.name)
    forecasts = read_table(Calibrated, folder / "calibrated.parquet", method=[method])
    return SpanInputs(
        bars=PartitionedTables.of(Prices, folder / "bars"),
        forecasts=Scored.of(with_outcomes(forecasts, PartitionedTables.of(Bars, folder / "bars"), usable)),
        calendar=read_table(Calendar, folder / "calendar.parquet"),
    )


def keep_span(folder: Path, method: str) -> SpanInputs:
    """The same with all bars read now, for repeated use or after the folder is gone."""
    inputs = read_span(folder, method)
    return replace(inputs, bars=dict(inputs.bars))


def openings_of(source: str) -> dict[str, str]:
    """Opening -> where it is recorded: a commit, or the trial log if it was never committed.

    A month that was opened as part of the whole holdout is not a separate opening.
    """
    committed = {name: f"commit {commit}" for name, commit in earlier_openings(source).items()}
    logged = (_named(name, month) for name, month in logged_openings(source) if name not in committed)
    return committed | {name: "trial log" for name in logged if name not in committed}


def earlier_openings(source: str) -> dict[str, str]:
    """Opening -> the commit that first opened the holdout of `source` with it, oldest first."""
    changed = git("log", "--all", "--reverse", "--topo-order", "--format=%H", "-Gopen_holdout:", "--", str(PARAMS))
    openings: dict[str, str] = {}
    for commit in changed.split():
        document = _params_at(commit)
        if document.get("source", {}).get("name") == source:
            for name in _opened_by(document.get("split", {}).get("open_holdout")):
                openings.setdefault(name, commit[:10])
    return openings


def _opened_by(open_for: Any) -> Iterator[str]:
    """What a value of `split.open_holdout` opens: everything for one id, or single months for one id each."""
    months = open_for if isinstance(open_for, dict) else {None: open_for}
    yield from (_named(name, month) for month, name in months.items() if name)


def _named(name: str, month: str | None) -> str:
    return f"{name} for {month}" if month else name


def _params_at(commit: str) -> dict[str, Any]:
    if not git("ls-tree", commit, "--", str(PARAMS)):
        return {}
    document: dict[str, Any] = parse_yaml(git("show", f"{commit}:./{PARAMS}"))
    return document
