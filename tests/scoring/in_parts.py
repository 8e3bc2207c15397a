"""The documents of forecasts that come in parts, made as the stage makes them of symbols."""

from collections.abc import Callable, Iterable
from datetime import date, datetime

import polars as pl

from stages.params.gates import GatesParams
from stages.scoring import by_symbol, free, tournament
from stages.scoring import controls as control
from stages.scoring.discoveries import Stated
from stages.tables.contract import UTC_MICROSECONDS

Parts = Iterable[pl.DataFrame]
Pairs = Iterable[tuple[pl.DataFrame, pl.DataFrame]]  # asked and free forecasts of the same symbols
Oracle = Callable[[pl.DataFrame], pl.DataFrame]


def free_scores(pairs: Pairs, params: GatesParams, stated: Stated) -> list[dict]:
    together = free.RunningFree()
    for pair in pairs:
        together.add(free.free_scores(*pair, params, stated))
    return together.document(params)


def scores_by_training(pairs: Pairs, until: date | None, sources, params: GatesParams, stated: Stated) -> dict:
    together = by_symbol.RunningTraining()
    for pair in pairs:
        together.add(by_symbol.scores_by_side(*pair, until, params, stated))
    return together.document(until, sources, params)


def controls(
    forecasts: Parts,
    last_rows: Iterable[tuple[str, datetime]],
    bars: dict[str, pl.DataFrame],
    params: GatesParams,
    oracle: Oracle | None = None,
) -> dict:
    """`last_rows`: the key of each question, and the start of the last bar that it sent."""
    ends = pl.DataFrame(list(last_rows), {"key": pl.String, "end_utc": UTC_MICROSECONDS}, orient="row")
    parts = [control.control_scores(part, ends, bars, oracle(part) if oracle else None) for part in forecasts]
    return control.controls(parts, params)


def oracle_bound(forecasts: Parts, oracle: Oracle) -> dict:
    return control.oracle_bound([control.oracle_cells(part, oracle(part)) for part in forecasts])


def propose(forecasts: Parts, metrics: dict, params: GatesParams) -> dict:
    losses = [tournament.relative_losses(part, params.choose_calibration) for part in forecasts]
    return tournament.tournament(losses, metrics, params)


def hits_by_clock(forecasts: Parts) -> pl.DataFrame:
    return pl.concat(map(tournament.hits_by_clock, forecasts))
