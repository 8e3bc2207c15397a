"""Figures (metrics) from losses summed by day.

Functions take a mapping from loss name to array, for one total or many resampled totals. A figure without a denominator
is NaN.

Ties: where prices move in coarse ticks, many outcomes are exactly on a quantile. A quantile q of level t is correct
when `P(y < q) <= t <= P(y <= q)`, so a tie may count as at or below q, or above it. As many ties count as below as
bring the share nearest to the level.

*Units*: those of the losses, summed.
*Source*: Gneiting, Raftery (2007) for pinball, CRPS and interval score; Hyndman, Koehler (2006) for relative errors;
Gneiting, Wolffram, Resin and others (2023), Model Diagnostics and Forecast Evaluation for Quantiles, for ties.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stages.tables.forecasts import LEVELS

Floats = NDArray[np.float64]
Sums = Mapping[str, Floats]


def relative_errors(sums: Sums) -> dict[str, Floats]:
    """Errors of the median divided by those of persistence, which forecasts no move."""
    return {"rmae": ratio(sums["abs"], sums["abs_y"]), "rrmse": np.sqrt(ratio(sums["sq"], sums["sq_y"]))}


def figures(sums: Sums) -> dict[str, Floats]:
    """Every metric. *Units*: bp where the name says so; the rest are ratios and shares."""
    n, pinball, counts = sums["n"], mean_pinball(sums), hit_counts(sums)
    hits = {level: ratio(count, n) for level, count in counts.items()}
    return {
        **relative_errors(sums),
        "mae_bp": ratio(sums["abs"], n),
        "rmse_bp": np.sqrt(ratio(sums["sq"], n)),
        "pinball_bp": ratio(pinball, n),
        "crps_bp": 2.0 * ratio(pinball, n),
        "crps_skill": 1.0 - ratio(pinball, sums["benchmark_pinball"]),
        "coverage_50": ratio(counts[75] - counts[25], n),
        "coverage_90": ratio(counts[95] - counts[5], n),
        **{f"hit_{level:02d}": hits[level] for level in LEVELS},
        "calibration_error": np.mean([np.abs(hits[level] - level / 100) for level in LEVELS], axis=0),
        "interval_score_50_bp": ratio(sums["interval_50"], n),
        "interval_score_90_bp": ratio(sums["interval_90"], n),
        "sharpness_50_bp": ratio(sums["width_50"], n),
        "sharpness_90_bp": ratio(sums["width_90"], n),
    }


def mean_pinball(sums: Sums) -> Floats:
    """Pinball loss averaged over the levels."""
    return np.asarray(np.mean([sums[f"pinball_{level:02d}"] for level in LEVELS], axis=0))


def hit_counts(sums: Sums) -> dict[int, Floats]:
    """Level -> number of outcomes that count as at or below its quantile, whole unless there are ties."""
    found = {}
    for level in LEVELS:
        most, ties = sums[f"hit_{level:02d}"], sums[f"tie_{level:02d}"]
        found[level] = np.clip(level / 100 * sums["n"], most - ties, most)
    return found


def covered_50(sums: Sums) -> Floats:
    """Outcomes inside [q25, q75], both ends always included."""
    return sums["hit_75"] - (sums["hit_25"] - sums["tie_25"])


def pit_counts(sums: Sums) -> Floats:
    """Outcomes at or below q25, up to q50, up to q75, above: the discrete PIT. *Shapes*: (..., 4)."""
    counts = hit_counts(sums)
    upto = [counts[level] for level in (25, 50, 75)]
    edges = np.stack([np.zeros_like(sums["n"]), *upto, sums["n"]], axis=-1)
    return np.diff(edges, axis=-1)


def ratio(above: Floats, below: Floats) -> Floats:
    """A quotient, NaN where the denominator is zero."""
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    quotient = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


Ints = NDArray[np.int64]
PARTS_AT_ONCE = 16
ERRORS = ("abs_y", "sq_y", "abs", "sq")  # compared with persistence symbol by symbol; other losses are only summed


@dataclass(frozen=True)
class Totals:
    """Sums of all symbols by loss, and those in `ERRORS` of each symbol. *Shapes*: (...), and (symbols, ...)."""

    together: Sums
    by_symbol: Sums


@dataclass(frozen=True)
class DaySums:
    """Losses summed by day.

    *Shapes*: days (days,), ascending, only those with an outcome, as days since 1970-01-01; sums (..., days, losses) of
    all symbols; errors (symbols, ..., days, errors) of each symbol, in the order of `ERRORS`. Here `...` is (versions,)
    for one cell, (cells, versions) for `stacked` cells, and (found,) for `distinct` versions.
    """

    names: list[str]
    days: Ints
    sums: Floats
    errors: Floats

    @classmethod
    def of_cells(cls, losses: Sums, day: Ints, sizes: Ints) -> Iterator[Self]:
        """The sums of each cell, from forecasts sorted by cell and time; each cell is of one symbol.

        *Shapes*: losses (versions, n), day (n,), sizes (cells,) the number of forecasts in each.
        """
        cell = np.repeat(np.arange(len(sizes)), sizes)
        starts = np.flatnonzero(np.diff(cell, prepend=-1) | np.diff(day, prepend=-1))
        stacked = np.stack(list(losses.values()), axis=-1)
        sums = np.add.reduceat(stacked, starts, axis=1) if len(starts) else stacked
        names, ends = list(losses), np.searchsorted(cell[starts], np.arange(len(sizes)), side="right")
        compared = [names.index(name) for name in ERRORS]
        for first, end in pairwise([0, *ends]):
            of_cell = sums[:, first:end]
            errors = of_cell[None, ..., compared][: end - first]  # no symbol without an outcome
            yield cls(names, day[starts[first:end]], of_cell, errors)

    @classmethod
    def of_all(cls, parts: Sequence[Self]) -> Self:
        """The sums of all parts; no symbol is in two parts."""
        days = np.unique(np.concatenate([one.days for one in parts]))
        *of_cell, _, n_losses = parts[0].sums.shape
        sums = np.zeros((*of_cell, len(days), n_losses))
        errors = np.zeros((sum(len(one.errors) for one in parts), *of_cell, len(days), len(ERRORS)))
        first = 0
        for one in parts:
            at, stop = np.searchsorted(days, one.days), first + len(one.errors)
            sums[..., at, :] += one.sums
            errors[first:stop, ..., at, :] = one.errors
            first = stop
        return cls(parts[0].names, days, sums, errors)

    @classmethod
    def stacked(cls, cells: Sequence[Self]) -> Self:
        """Cells with equal numbers of days and symbols as one; `days` are those of the first."""
        sums, errors = np.stack([one.sums for one in cells]), np.stack([one.errors for one in cells], axis=1)
        return cls(cells[0].names, cells[0].days, sums, errors)

    def some(self, cells: Sequence[int] | slice) -> Self:
        """Some of the stacked cells."""
        return replace(self, sums=self.sums[cells], errors=self.errors[:, cells])

    def in_parts(self, at_once: int) -> Iterator[Self]:
        """Parts of at most `at_once` rows of sums."""
        for first in range(0, len(self.sums), at_once):
            yield self.some(slice(first, first + at_once))

    def distinct(self) -> tuple[Self, Ints]:
        """The distinct versions of all cells, and the row among them of each version of each cell.

        *Shapes*: sums (found, days, losses), errors (symbols, found, days, errors), and (cells, versions).
        """
        n_cells, n_versions = self.sums.shape[:2]
        sums = self.sums.reshape(n_cells * n_versions, *self.sums.shape[2:])
        errors = self.errors.reshape(self.n_symbols, n_cells * n_versions, *self.errors.shape[3:])
        known: dict[bytes, int] = {}
        same = [known.setdefault(sums[at].tobytes() + errors[:, at].tobytes(), at) for at in range(len(sums))]
        kept, found = np.unique(same, return_inverse=True)
        return replace(self, sums=sums[kept], errors=errors[:, kept]), found.reshape(n_cells, n_versions)

    @property
    def n_days(self) -> int:
        """Days with at least one outcome."""
        return len(self.days)

    @property
    def n_symbols(self) -> int:
        """Symbols with at least one outcome."""
        return len(self.errors)

    @property
    def n_symbols_unmoved(self) -> int:
        """Symbols of one cell whose outcomes were all exactly 0."""
        return int((self.totals().by_symbol["abs_y"] == 0).all(axis=-1).sum())

    @property
    def daily(self) -> Sums:
        """Loss -> one sum a day, (..., days)."""
        return dict(zip(self.names, np.moveaxis(self.sums, -1, 0), strict=True))

    def totals(self) -> Totals:
        """Sums over all days."""
        return self._named(np.moveaxis(self.sums.sum(axis=-2), -1, 0), np.moveaxis(self.errors.sum(axis=-2), -1, 0))

    def drawn(self, weights: Floats) -> Totals:
        """Sums over drawn days, the same days for all symbols. *Shapes*: weights (draws, days)."""
        by_loss = (np.moveaxis(values, -1, 0) for values in (self.sums, self.errors))
        return self._named(
            *((one.reshape(-1, self.n_days) @ weights.T).reshape(*one.shape[:-1], -1) for one in by_loss)
        )

    def _named(self, sums: Floats, errors: Floats) -> Totals:
        return Totals(dict(zip(self.names, sums, strict=True)), dict(zip(ERRORS, errors, strict=True)))


@dataclass
class RunningSums:
    """The running total of a cell; parts are added in batches, since each addition copies the total."""

    parts: list[DaySums] = field(default_factory=list)

    def add(self, part: DaySums) -> None:
        """Add the sums of further symbols."""
        self.parts.append(part)
        if len(self.parts) > PARTS_AT_ONCE:
            self.parts = [self.total]

    @property
    def total(self) -> DaySums:
        """The sums so far."""
        return DaySums.of_all(self.parts)


def summary(totals: Totals) -> dict[str, Floats]:
    """Every metric from the total sums; relative errors are the geometric mean over symbols.

    A symbol whose outcomes never moved has no relative error: it is left out of the figure and of each draw.
    """
    found = figures(totals.together)
    for name, error in relative_errors(totals.by_symbol).items():
        if len(error) > 1:
            moved = totals.by_symbol["abs_y"] != 0
            with np.errstate(divide="ignore"):
                logs = np.where(moved, np.log(error), 0.0)
            found[name] = np.exp(ratio(logs.sum(axis=0), moved.sum(axis=0)))
    return found
