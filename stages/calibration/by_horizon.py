"""Calibration of one horizon at a time: a correction may use outcomes of other symbols, but not of other horizons.

First the outcomes of each symbol are looked up, then each horizon is corrected with all symbols in memory. Corrected
parts are stored until all horizons of a symbol are done, so a process holds one horizon at a time.

*Tables*: `Quantiles` -> parts of `Calibrated`, some symbols each, and `Offsets` or `FreeWeights`.
*Errors*: `DataContractError` when there is no forecast at all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import polars as pl

from stages.calibration.methods import Calibration, calibrate, some_symbols
from stages.calibration.mix import SNAPSHOT, calibrated_free
from stages.calibration.past import with_outcomes
from stages.errors import DataContractError
from stages.params.calibration import CalibrationParams
from stages.tables.contract import packed, unpacked
from stages.tables.forecasts import Calibrated


@dataclass(frozen=True)
class SymbolOutcomes:
    """The forecasts of a symbol with their outcomes, packed by horizon; how many there are, and how many are void."""

    by_horizon: Mapping[int, bytes]
    rows: int
    void: int

    @classmethod
    def of(cls, forecasts: pl.DataFrame) -> Self:
        """From the result of `with_outcomes`."""
        parts = forecasts.partition_by("horizon_min", as_dict=True, maintain_order=True)
        packs = {minutes: packed(part.select(pl.exclude("^q.._px$"))) for (minutes,), part in parts.items()}
        return cls(packs, forecasts.height, int(forecasts["void"].sum()))


# Forecasts of the asked forecaster and its benchmark, and free forecasts.
AskedAndFree = tuple[SymbolOutcomes, SymbolOutcomes]


def outcomes_of(
    symbol: str, asked: pl.DataFrame, free: pl.DataFrame, bars: pl.DataFrame, usable: tuple[date, ...]
) -> AskedAndFree:
    """The outcomes of a symbol, from its tables `Quantiles` and `Bars` and its usable sessions."""
    both = pl.concat([asked.with_columns(is_free=pl.lit(False)), free.with_columns(is_free=pl.lit(True))])
    known = with_outcomes(both, {symbol: bars}, {symbol: usable})
    return SymbolOutcomes.of(known.filter(~pl.col("is_free"))), SymbolOutcomes.of(known.filter("is_free"))


def horizons_of(symbols: Iterable[AskedAndFree]) -> dict[str, tuple[list[bytes], list[bytes]]]:
    """The forecasts of each horizon, symbol after symbol, by the horizon's name."""
    found: dict[str, tuple[list[bytes], list[bytes]]] = {}
    for both in symbols:
        for kind, known in enumerate(both):
            for minutes, content in known.by_horizon.items():
                found.setdefault(f"{minutes} min", ([], []))[kind].append(content)
    if not any(asked for asked, _ in found.values()):
        raise DataContractError(
            "there is no forecast to calibrate: every snapshot was skipped. See the statuses in schedule.parquet, and "
            "shorten requests.history_days or widen universe.first_session to universe.last_session."
        )
    return found


Read = Callable[[], pl.DataFrame]
Store = Callable[[str, pl.DataFrame], Read]  # stores a table under a name, and returns a function that reads it


@dataclass(frozen=True)
class CorrectedHorizon:
    """A corrected horizon: its parts of table `Calibrated`, and of the side tables, offsets by method or weights."""

    parts: Sequence[Read]
    side_tables: Mapping[str, Sequence[bytes]]
    at_grid_end: tuple[int, int]


@dataclass(frozen=True)
class CorrectHorizon:
    """Corrects the forecasts of one horizon. `symbols` are those of the table, `name` and `eta` as in `free_mix`.

    Free forecasts learn from the outcomes of the snapshots that are asked with `history_days`, so that a free forecast
    is corrected in the same way as the same forecast if asked.
    """

    params: CalibrationParams
    symbols: Sequence[str]
    name: str
    eta: float
    history_days: int
    store: Store

    def __call__(
        self, horizon: str, asked: Sequence[bytes], free: Sequence[bytes]
    ) -> tuple[CorrectedHorizon, CorrectedHorizon]:
        """Asked forecasts by every method, with offsets; and free forecasts by the stated method, with mix weights."""
        forecasts = pl.concat(map(unpacked, asked))
        snapshots = forecasts.filter(history_days=self.history_days).select(SNAPSHOT).unique()
        corrected = self._corrected(f"{horizon} asked", calibrate(forecasts, self.params))
        del forecasts  # one side at a time is in memory
        candidates = pl.concat(map(unpacked, free))
        mixed, weights = calibrated_free(candidates, snapshots, self.params, self.name, self.eta)
        return corrected, self._corrected(f"{horizon} free", mixed, weights)

    def _corrected(self, name: str, calibration: Calibration, weights: pl.DataFrame | None = None) -> CorrectedHorizon:
        """The symbols corrected, some at a time; the side tables are the weights if given, else the offsets."""
        parts, at_end, of_all = [], 0, 0
        side_tables: dict[str, list[bytes]] = {} if weights is None else {"weights": [packed(weights)]}
        for some in some_symbols(pl.Series(self.symbols)):
            part = calibration.part(some)
            parts.append(self.store(f"{name} {some[0]}", part.rows.select(Calibrated.column_names())))  # no outcome
            found = part.at_grid_end(self.params.widen_grid)
            at_end, of_all = at_end + found[0], of_all + found[1]
            for method, offsets in part.by_offsets.items() if weights is None else ():
                side_tables.setdefault(method, []).append(packed(offsets.with_columns(method=pl.lit(method))))
        return CorrectedHorizon(parts, side_tables, (at_end, of_all))


def parts_of(horizons: Sequence[CorrectedHorizon]) -> Iterator[pl.DataFrame]:
    """The parts of the table, all horizons of one symbol at a time."""
    for pieces in zip(*(one.parts for one in horizons), strict=True):
        by_symbol = pl.concat(read() for read in pieces).partition_by("symbol", as_dict=True, maintain_order=True)
        yield from (by_symbol[symbol] for symbol in sorted(by_symbol))


def side_tables_of(horizons: Sequence[CorrectedHorizon]) -> Iterator[pl.DataFrame]:
    """The parts of the side table, all horizons of some symbols at a time."""
    for name in sorted(horizons[0].side_tables):
        for pieces in zip(*(one.side_tables[name] for one in horizons), strict=True):
            yield pl.concat(map(unpacked, pieces))
