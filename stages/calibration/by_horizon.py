"""Calibration of one horizon at a time: no correction uses outcomes of another one, but it may use other symbols'.

First the outcomes of each symbol are looked up, then each horizon is corrected with all symbols beside each other.
Tables are packed on the way, so that one process holds one horizon.

*Tables*: `Quantiles` -> parts of `Calibrated`, some symbols each, and `Offsets` or `FreeWeights`.
*Errors*: `DataContractError` when there is no forecast at all.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from stages.calibration.methods import Calibration, calibrate, some_symbols
from stages.calibration.mix import calibrated_free
from stages.calibration.past import with_outcomes
from stages.errors import DataContractError
from stages.params.calibration import CalibrationParams
from stages.tables.contract import packed, unpacked


@dataclass(frozen=True)
class Known:
    """The forecasts of a symbol beside their outcomes, by horizon, with their number and that of the void ones."""

    by_horizon: Mapping[int, bytes]
    rows: int
    void: int


def outcomes_of(symbol: str, forecasts: pl.DataFrame, bars: pl.DataFrame, usable: tuple[date, ...]) -> Known:
    """Tables `Quantiles` (at least one row) and `Bars` of a symbol, and its usable sessions."""
    known = with_outcomes(forecasts, {symbol: bars}, {symbol: usable}).select(pl.exclude("^q.._px$"))
    parts = known.partition_by("horizon_min", as_dict=True, maintain_order=True)
    return Known({minutes: packed(part) for (minutes,), part in parts.items()}, known.height, int(known["void"].sum()))


def horizons_of(symbols: Iterable[Known]) -> dict[str, tuple[list[bytes]]]:
    """The forecasts of each horizon, symbol after symbol, by the horizon's name."""
    found: dict[str, tuple[list[bytes]]] = {}
    for one in symbols:
        for minutes, content in one.by_horizon.items():
            found.setdefault(f"{minutes} min", ([],))[0].append(content)
    if not found:
        raise DataContractError(
            "there is no forecast to calibrate: every snapshot was skipped. See the statuses in schedule.parquet, and "
            "shorten requests.history_days or widen universe.first_session to universe.last_session."
        )
    return found


@dataclass(frozen=True)
class Corrected:
    """A horizon's part of each part of the table, and a table beside it: offsets by method, or weights of the mix."""

    parts: Sequence[bytes]
    beside: Mapping[str, bytes]
    at_grid_end: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, calibration: Calibration, symbols: Sequence[str], **beside: pl.DataFrame) -> "Corrected":
        """The corrected rows of these symbols, some at a time."""
        parts = [packed(calibration.part(some)) for some in some_symbols(pl.Series(symbols))]
        return cls(parts, {name: packed(table) for name, table in beside.items()})


@dataclass(frozen=True)
class CorrectHorizon:
    """Corrects the asked forecasts of a horizon by every method; `symbols` are those of the table."""

    params: CalibrationParams
    symbols: Sequence[str]

    def __call__(self, horizon: str, forecasts: Sequence[bytes]) -> Corrected:
        """The corrected rows, the offsets of each method, and how many of `widen` are at the end of their grid."""
        calibration = calibrate(pl.concat(map(unpacked, forecasts)), self.params)
        corrected = Corrected.of(calibration, self.symbols, **dict(calibration.offset_parts()))
        return replace(corrected, at_grid_end=calibration.at_grid_end(self.params.widen_grid))


@dataclass(frozen=True, eq=False)
class CorrectFree:
    """Mixes the free forecasts of a horizon and corrects them by the stated method, at the `asked` snapshots."""

    params: CalibrationParams
    symbols: Sequence[str]
    name: str
    eta: float
    asked: pl.DataFrame

    def __call__(self, horizon: str, forecasts: Sequence[bytes]) -> Corrected:
        """The corrected rows, and the weights of the mix."""
        free = pl.concat(map(unpacked, forecasts))
        calibration, weights = calibrated_free(free, self.asked, self.params, self.name, self.eta)
        return Corrected.of(calibration, self.symbols, weights=weights)


def parts_of(horizons: Sequence[Corrected]) -> Iterator[pl.DataFrame]:
    """The parts of the table, all horizons of some symbols at a time."""
    return (pl.concat(map(unpacked, pieces)) for pieces in zip(*(one.parts for one in horizons), strict=True))


def beside_of(horizons: Sequence[Corrected]) -> Iterator[pl.DataFrame]:
    """The parts of the table beside it, all horizons together."""
    for name in sorted(horizons[0].beside):
        yield pl.concat(unpacked(one.beside[name]) for one in horizons)
