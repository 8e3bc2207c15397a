"""`make null`: how often the gates pass by luck, on this run's own forecasts moved to other dates and on random walks.

Only the search span is read. The result is kept next to the answer store, for `make page`; the hashed page of a run
does not hold it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stages.configuration.compose import present
from stages.errors import ConfigurationError
from stages.io.files import read_json
from stages.io.terminal import progress
from stages.params.study import Study
from stages.runs.evidence import require_evidence
from stages.runs.null_market import keep_luck, null_market, null_study
from stages.runs.spans import keep_span
from stages.trading.holdout import traded_kind
from stages.trading.luck import Passed, at_other_dates, luck, replay
from stages.trading.strategy import eligible_cells, stated_strategy, strategy_id
from stages.worth.verdict import State

SEARCH = Path("artifacts/seal/search")
GATES = Path("artifacts/score_forecasts/forecast_gates.json")
MANIFEST = Path("artifacts/list_source/manifest.json")
OOS = Path("artifacts/evaluate/oos.json")
TOLD = {
    "forecast": "a symbol's forecast gates",
    "trading": "the trading gates",
    "verdict": "both, as a run must",
    "fdr": "a symbol's gate of false discoveries alone",
    "worth": "the buyer's verdict: WORTH IT",
}


def null(times: int = 100, seeds: int = 20) -> None:
    """Search span and params -> how often luck passes; printed, and kept for the page."""
    require_evidence("evaluate")
    study = Study.parse(present() or {})
    name = _judged_strategy(study)

    found: dict[str, Any] = {"gates": study.gates.model_dump(mode="json")}
    found["dates"] = luck(list(_other_dates(study, times)))
    _tell(f"{times} replays with forecasts moved to other dates", found["dates"], study)
    markets = replace(null_study(), gates=study.gates)
    found["markets"] = luck(list(_other_markets(markets, seeds)))
    _tell(f"{seeds} markets of random walks", found["markets"], markets)

    keep_luck(name, found)


def _judged_strategy(study: Study) -> str:
    """The id of the strategy that params state. *Errors*: `ConfigurationError` when the last run was another's."""
    strategy = stated_strategy(study, eligible_cells(read_json(GATES)))
    judged = read_json(OOS)["strategy_id"]
    name = strategy_id(study.document(), read_json(MANIFEST), strategy.trading)
    if name != judged:
        raise ConfigurationError(f"the last run judged strategy {judged}, but params state {name}: `make run` first.")
    return name


def _other_dates(study: Study, times: int) -> Iterator[Passed]:
    strategy, inputs = stated_strategy(study, frozenset()), keep_span(SEARCH, study.calibration.method)
    forecasts = traded_kind(inputs.forecasts, strategy)
    for seed in progress(range(times), "other dates"):
        yield replay(replace(inputs, forecasts=at_other_dates(forecasts, seed)), strategy, study.gates)


def _other_markets(study: Study, seeds: int) -> Iterator[Passed]:
    for seed in progress(range(seeds), "random walks"):
        span, state = null_market(seed)
        passed = replay(span, stated_strategy(study, frozenset()), study.gates)
        yield replace(passed, worth=state is State.WORTH_IT)


def _tell(what: str, rates: Mapping[str, Mapping[str, Any]], study: Study) -> None:
    promised = {"worth": study.worth.alpha, "fdr": study.gates.fdr.q if study.gates.fdr else None}
    table = Table("passed", "95 %", "promised", "by luck", box=None, pad_edge=False)
    for name, rate in rates.items():
        low, high = (f"{100 * end:.1f}" for end in rate["ci"])
        at_most = promised.get(name)
        table.add_row(str(rate["passed"]), f"{low} to {high} %", f"{100 * at_most:g} %" if at_most else "", TOLD[name])
    print(f"null: of {what} pass", flush=True)
    Console(highlight=False).print(table)
