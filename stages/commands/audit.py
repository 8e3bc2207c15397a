"""`make audit`: the leakage audit. It replaces the future after random instants; values of the past must not change.

It reads artifacts/, writes nothing and buys nothing. It exits 2 at the first value that changes, or if artifacts/ holds
another value than the replay of the same market: then other code made it than was audited. At the end a leak is planted
in the gate and must be found. Symbols are audited in groups, each with all instants, so that memory does not grow with
their number; what symbols share, such as the pooled group of a calibration, they share within a group.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from stages.audit.audit import Passed, after_gaps, audit, first_mismatch, found_leak, instants, question_keys
from stages.audit.replay import ASKED, BAR, CORRECTED, FORECAST, GROUP, WEIGHT, Known, stacked
from stages.audit.replay import run as replayed
from stages.audit.world import World
from stages.configuration.compose import present
from stages.errors import DataContractError
from stages.io.dated_files import read_events, read_halts
from stages.io.files import read_json, read_table
from stages.io.partitions import partitions_of
from stages.io.terminal import progress
from stages.params.forecaster import COMMAND
from stages.params.study import Study
from stages.runs.evidence import require_evidence
from stages.runs.replayed_study import Record, among, dialect_of, replay_of
from stages.tables.contract import Table
from stages.tables.forecasts import FREE, Calibrated, FreeWeights, Offsets, Quantiles, Schedule
from stages.tables.market import Calendar
from stages.tables.trades import Signals

CHECKED = Path("artifacts/check_data/bars")
FEATURES = Path("artifacts/build_features/features")
DELIVERED = Path("artifacts/fetch_bars/bars")
CALENDAR = Path("artifacts/fetch_bars/calendar.parquet")
SCHEDULE = Path("artifacts/build_requests/schedule.parquet")
QUANTILES = Path("artifacts/forecast/quantiles.parquet")
FREE_QUANTILES = Path("artifacts/forecast_free/quantiles.parquet")
CALIBRATED = Path("artifacts/calibrate/calibrated.parquet")
FREE_CALIBRATED = Path("artifacts/calibrate/free.parquet")
OFFSETS = Path("artifacts/calibrate/offsets.parquet")
WEIGHTS = Path("artifacts/calibrate/free_weights.parquet")
SIGNALS = Path("artifacts/backtest/signals.parquet")
SEARCH = Path("artifacts/seal/search/calendar.parquet")
GATES = Path("artifacts/score_forecasts/forecast_gates.json")
BESIDE = (
    "Where symbols of other groups decide about bars (moves that they share, quality.unlisted_halts: keep), audit all "
    "at once: AT_ONCE=1000."
)


class Asked(NamedTuple):
    """The number and seed of the audited instants, and how many symbols are in memory at a time."""

    instants: int
    seed: int
    at_once: int


def audit_study(**typed: int) -> None:
    """The study's artifacts -> two lines, or an error at the first value that knew the future."""
    arguments = Asked(**typed)
    require_evidence("score_forecasts", "backtest")
    study, schedule = Study.parse(present() or {}), read_table(Schedule, SCHEDULE)
    record = Record(
        calendar=read_table(Calendar, CALENDAR),
        search=read_table(Calendar, SEARCH),
        forecast_gates=read_json(GATES),
        quantiles=read_table(Quantiles, QUANTILES),
        halts=read_halts(study.quality.halts),
        of_program=read_table(Quantiles, FREE_QUANTILES, model=[f"{FREE}{COMMAND}"]),
    )
    passed: list[Passed] = []
    asking = schedule.drop_nulls("key")["symbol"].unique().sort().to_list()
    for symbols in groups_of(asking, study.universe.symbols, arguments.at_once):
        asked_of_them = schedule.filter(pl.col("symbol").is_in(symbols))
        base, audited = _audited(among(study, symbols), record, asked_of_them, arguments)
        passed += audited
        _require_written(base, symbols, whole=set(symbols) == set(study.universe.symbols))

    moments = {one.instant for one in passed}
    keys: frozenset[str] = frozenset().union(*(one.keys for one in passed))
    rows = sum(one.rows for one in passed)
    print(
        f"{len(moments)} instants, {len(keys)} questions, no key changed; {rows} rows of the past identical to the bit"
    )
    print(_planted(among(study, (asking[0],)), record, arguments.seed))


def groups_of(asking: list[str], every: tuple[str, ...], at_once: int) -> list[tuple[str, ...]]:
    """The symbols to audit together. A single group also holds symbols without questions, which may affect bars."""
    groups = [tuple(asking[first : first + at_once]) for first in range(0, len(asking), at_once)]
    return groups if len(groups) > 1 else [every]


def _audited(
    study: Study, record: Record, schedule: pl.DataFrame, arguments: Asked
) -> tuple[list[Known], list[Passed]]:
    """The tables of the replay, and the result at each instant. *Errors*: `DataContractError` if a value changes."""
    world, replay, symbols = _world(study), replay_of(study, record), study.universe.symbols
    at = instants(schedule, record.calendar, study.requests.question_horizon_min, arguments.instants, arguments.seed)
    base = replayed(replay, world)
    if question_keys(base) != set(schedule["key"].drop_nulls()):
        raise DataContractError(
            f"params or code changed since {SCHEDULE} was made: `make run`, then audit again. {BESIDE}"
        )
    at = sorted({*at, *after_gaps(base[0].rows, at[0], arguments.instants // 4, arguments.seed)})
    return base, list(audit(replay, world, base, progress(at, f"replaying {symbols[0]} to {symbols[-1]}")))


def _require_written(base: list[Known], symbols: tuple[str, ...], *, whole: bool) -> None:
    """Refuse artifacts that differ from the replay of the same market, since other code made them."""
    if other := first_mismatch(base, _written(symbols, base[0].rows["symbol"].unique(), whole=whole)):
        raise DataContractError(
            f"{other}: artifacts/ holds another value than the audited code computes. `make run`, then audit again; "
            f"if the difference stays, the stage is not reproducible, and the audit cannot judge it. {BESIDE}"
        )


def _written(symbols: tuple[str, ...], read: Iterable[str], *, whole: bool) -> Iterator[Known]:
    """The tables that the stages wrote, of these symbols, bars and features of all that they `read`.

    Tables that groups of symbols share are compared only if these are the `whole` study.
    """
    for stage, folder in (("check_data", CHECKED), ("build_features", FEATURES)):
        tables = partitions_of(folder)
        yield Known(stage, BAR, stacked({symbol: tables[symbol].read() for symbol in read}))
    yield _rows("build_requests", ASKED, Schedule, SCHEDULE, symbols)
    yield _rows("forecast", FORECAST, Quantiles, QUANTILES, symbols)
    yield _rows("forecast_free", FORECAST, Quantiles, FREE_QUANTILES, symbols)
    if whole:
        yield _rows("calibrate", GROUP, Offsets, OFFSETS, symbols)
        yield _rows("calibrate", CORRECTED, Calibrated, CALIBRATED, symbols)
        yield _rows("calibrate", CORRECTED, Calibrated, FREE_CALIBRATED, symbols)
        yield Known("calibrate", tuple(WEIGHT), read_table(FreeWeights, WEIGHTS))
        yield _rows("backtest", CORRECTED, Signals, SIGNALS, symbols)


def _rows(stage: str, key: list[str], table: type[Table], path: Path, symbols: tuple[str, ...]) -> Known:
    return Known(stage, tuple(key), read_table(table, path, symbol=list(symbols)))


def _planted(study: Study, record: Record, seed: int) -> str:
    """Plant a leak in the gate; the sentence with which the audit reports it."""
    if not any(study.quality.of(symbol).carried_min for symbol in study.universe.all_symbols):
        return "nothing planted: quality.ffill_max_bars is 0, so no minute is filled"
    leak = found_leak(replay_of(study, record), _world(study), seed)
    if leak is None:
        raise DataContractError(
            "the audit misses the leak that it planted itself, so its result means nothing. Report this as a fault "
            "of the pipeline."
        )
    return f"planted and found: {leak}"


def _world(study: Study) -> World:
    """The delivered bars and the announced events."""
    delivered = partitions_of(DELIVERED)
    bars = {symbol: delivered[symbol].read() for symbol in study.universe.all_symbols}
    return World(bars, read_events(study.features.events), dialect_of(study))
