"""`make audit`: the time machine. Another future at random instants of this study's own bars; the past must stay.

Reads what `make run` left in artifacts/, writes nothing, buys nothing. Exit 2 at the first value that moves, and where
artifacts/ holds another value than the replay finds in the same market: then other code made it than was audited. At
the end a leak is planted in the gate, and has to be found. Symbols that ask something are gone through some at a time,
each with all instants, so that memory does not grow with their number; what they share, such as the pooled group of a
calibration, is shared among those.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from stages.audit.audit import Passed, amid_gaps, asked, audit, found_leak, instants, unlike
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
from stages.runs.replaying import Record, among, dialect_of, replay_of
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
    """At how many instants the past is put to the test, which, and how many symbols are in memory at a time."""

    instants: int
    seed: int
    at_once: int


def audit_study(**typed: int) -> None:
    """The study's artifacts -> one line, or the first place where the future was known."""
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
    print(f"{len(moments)} instants, {len(keys)} questions, 0 keys moved; {rows} rows of the past equal to the bit")
    print(_planted(among(study, (asking[0],)), record, arguments.seed))


def groups_of(asking: list[str], every: tuple[str, ...], at_once: int) -> list[tuple[str, ...]]:
    """The symbols to audit together. A single group holds those that ask nothing too: they may decide about bars."""
    groups = [tuple(asking[first : first + at_once]) for first in range(0, len(asking), at_once)]
    return groups if len(groups) > 1 else [every]


def _audited(
    study: Study, record: Record, schedule: pl.DataFrame, arguments: Asked
) -> tuple[list[Known], list[Passed]]:
    """What the replay knew, and the instants at which the past of this study's symbols stood still: all of them."""
    world, replay, symbols = _world(study), replay_of(study, record), study.universe.symbols
    at = instants(schedule, record.calendar, study.requests.question_horizon_min, arguments.instants, arguments.seed)
    base = replayed(replay, world)
    if asked(base) != set(schedule["key"].drop_nulls()):
        raise DataContractError(
            f"params or code changed since {SCHEDULE} was made: `make run`, then audit again. {BESIDE}"
        )
    at = sorted({*at, *amid_gaps(base[0].rows, at[0], arguments.instants // 4, arguments.seed)})
    return base, list(audit(replay, world, base, progress(at, f"replaying {symbols[0]} to {symbols[-1]}")))


def _require_written(base: list[Known], symbols: tuple[str, ...], *, whole: bool) -> None:
    """Refuse artifacts other than the replay makes of the same market: what made them was not audited."""
    if other := unlike(base, _written(symbols, base[0].rows["symbol"].unique(), whole=whole)):
        raise DataContractError(
            f"{other}: artifacts/ holds another value than the audited code finds. `make run`, then audit again; if it "
            f"stays, the stage does what no replay repeats, and the audit says nothing about it. {BESIDE}"
        )


def _written(symbols: tuple[str, ...], read: Iterable[str], *, whole: bool) -> Iterator[Known]:
    """What the stages wrote of these symbols, and of all that they `read` the bars; what groups of symbols share only
    where these are the `whole` study.
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
    """How the audit names a leak that is planted in the gate."""
    if not any(study.quality.of(symbol).carried_min for symbol in study.universe.all_symbols):
        return "nothing planted: quality.ffill_max_bars is 0, so no minute is filled"
    leak = found_leak(replay_of(study, record), _world(study), seed)
    if leak is None:
        raise DataContractError("the audit does not see the leak that it planted itself; none of its words count.")
    return f"planted and found: {leak}"


def _world(study: Study) -> World:
    """What was delivered and announced."""
    delivered = partitions_of(DELIVERED)
    bars = {symbol: delivered[symbol].read() for symbol in study.universe.all_symbols}
    return World(bars, read_events(study.features.events), dialect_of(study))
