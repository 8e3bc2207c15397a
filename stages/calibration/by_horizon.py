"""Calibration of one horizon at a time: no correction uses outcomes of another one, but it may use other symbols'.

First the outcomes of each symbol are looked up, then each horizon is corrected with all symbols beside each other.
Tables are packed on the way, so that one process holds one horizon.

*Tables*: `Quantiles` -> parts of `Calibrated`, some symbols each, and `Offsets` or `FreeWeights`.
*Errors*: `DataContractError` when there is no forecast at all.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import polars as pl

from stages.calibration.methods import Calibration, calibrate, some_symbols
from stages.calibration.mix import calibrated_free
from stages.calibration.past import with_outcomes
from stages.errors import DataContractError
from stages.params.calibration import CalibrationParams
from stages.tables.contract import packed, unpacked


@dataclass(frozen=True)
class SymbolOutcomes:
    """The forecasts of a symbol beside their outcomes, by horizon, with their number and that of the void ones."""

    by_horizon: Mapping[int, bytes]
    rows: int
    void: int

    @classmethod
    def of(cls, forecasts: pl.DataFrame) -> Self:
        """From forecasts as `with_outcomes` leaves them."""
        parts = forecasts.partition_by("horizon_min", as_dict=True, maintain_order=True)
        packs = {minutes: packed(part.select(pl.exclude("^q.._px$"))) for (minutes,), part in parts.items()}
        return cls(packs, forecasts.height, int(forecasts["void"].sum()))


AskedAndFree = tuple[
    SymbolOutcomes, SymbolOutcomes
]  # forecasts of the asked forecaster and its benchmark, and free forecasts


def outcomes_of(
    symbol: str, asked: pl.DataFrame, free: pl.DataFrame, bars: pl.DataFrame, usable: tuple[date, ...]
) -> AskedAndFree:
    """Tables `Quantiles` and `Bars` of a symbol, and its usable sessions."""
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


@dataclass(frozen=True)
class CorrectedHorizon:
    """A horizon's part of each part of the table, and tables beside it: offsets by method, or weights of the mix."""

    parts: Sequence[bytes]
    beside: Mapping[str, bytes]
    at_grid_end: tuple[int, int]

    @classmethod
    def of(
        cls, calibration: Calibration, symbols: Sequence[str], grid: tuple[float, ...], **beside: pl.DataFrame
    ) -> Self:
        """The corrected rows of these symbols, some at a time."""
        parts = [packed(calibration.part(some)) for some in some_symbols(pl.Series(symbols))]
        return cls(parts, {name: packed(table) for name, table in beside.items()}, calibration.at_grid_end(grid))


@dataclass(frozen=True)
class CorrectHorizon:
    """Corrects the forecasts of one horizon. `symbols` are those of the table, `name` and `eta` as in `free_mix`."""

    params: CalibrationParams
    symbols: Sequence[str]
    name: str
    eta: float

    def __call__(
        self, horizon: str, asked: Sequence[bytes], free: Sequence[bytes]
    ) -> tuple[CorrectedHorizon, CorrectedHorizon]:
        """Asked forecasts by every method, with their offsets; free ones mixed, by the stated method, with weights."""
        forecasts, candidates = (pl.concat(map(unpacked, packs)) for packs in (asked, free))
        calibration = calibrate(forecasts, self.params)
        mixed, weights = calibrated_free(candidates, forecasts, self.params, self.name, self.eta)
        grid = self.params.widen_grid
        return (
            CorrectedHorizon.of(calibration, self.symbols, grid, **dict(calibration.offset_parts())),
            CorrectedHorizon.of(mixed, self.symbols, grid, weights=weights),
        )


def parts_of(horizons: Sequence[CorrectedHorizon]) -> Iterator[pl.DataFrame]:
    """The parts of the table, all horizons of some symbols at a time."""
    return (pl.concat(map(unpacked, pieces)) for pieces in zip(*(one.parts for one in horizons), strict=True))


def beside_of(horizons: Sequence[CorrectedHorizon]) -> Iterator[pl.DataFrame]:
    """The parts of the table beside it, all horizons together."""
    for name in sorted(horizons[0].beside):
        yield pl.concat(unpacked(one.beside[name]) for one in horizons)
