"""Calibration: every forecast corrected by every method of `METHODS`, next to the answer itself.

For each row: crossed levels are sorted, the method corrects, levels are sorted again, and the median is moved back into
[q25, q75]. A row with too few known outcomes in every group stays as answered, with `calibrated` false. All models are
corrected in the same way, including the benchmark.

*Tables*: forecasts with outcomes -> `Calibrated` and `Offsets`.
*Shapes*: `q` is (n, 5), one row a forecast, columns q05 q25 q50 q75 q95.
*Time*: a row at snapshot s uses outcomes of earlier sessions only (`past.py`), all known at or before s.
*Source*: Chernozhukov, Fernandez-Val, Galichon (2010): sorting a crossed row never worsens its summed pinball loss.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.calibration.conformal import CQR, CQR_SIDES, SPLIT, WIDEN, Conformal
from stages.calibration.online import adaptive, tracked
from stages.calibration.past import NEVER, Block, Corrections, Floats, Pool, Ranks, Served, order_statistics, serve
from stages.params.calibration import CalibrationParams, Method
from stages.tables.forecasts import OFFSETS, QUANTILES

AROUND_MEDIAN = [0, 1, 3, 4]
MEDIAN = 2


def in_order(q: Floats) -> Floats:
    """Each row sorted."""
    return np.sort(q, axis=1)


def in_order_around_median(q: Floats) -> Floats:
    """The four outer levels sorted, then the median moved, if necessary, to the nearest end of [q25, q75].

    Sorting all five would let a median outside a narrowed interval widen that interval again.
    """
    out = q.copy()
    out[:, AROUND_MEDIAN] = np.sort(q[:, AROUND_MEDIAN], axis=1)
    out[:, MEDIAN] = np.clip(q[:, MEDIAN], out[:, 1], out[:, 3])
    return out


RAW = tuple(f"raw_{name}" for name in QUANTILES)
BLOCK = ["model", "history_days", "horizon_min"]
CORRECTED = (*QUANTILES, "group_used", "n_cal", "last_outcome_used_utc", "calibrated")
SYMBOLS_AT_ONCE = 8
Corrected = tuple[pl.DataFrame, pl.DataFrame]  # the corrected columns of each forecast, and the offsets
Finder = Callable[[Block, Floats, Sequence[Served], Ranks, CalibrationParams], Corrections]


@dataclass(frozen=True)
class Part:
    """The answers of some symbols, with each method's corrections row by row, and the offsets used."""

    answered: pl.DataFrame
    corrected: Mapping[Method, pl.DataFrame]
    by_offsets: Mapping[Method, pl.DataFrame]

    @property
    def rows(self) -> pl.DataFrame:
        """Rows for table `Calibrated`: every forecast by every method."""
        return pl.concat(
            self.answered.with_columns(pl.lit(name).alias("method"), *rows) for name, rows in self.corrected.items()
        )

    @property
    def offsets(self) -> pl.DataFrame:
        """Rows for table `Offsets`."""
        return pl.concat(one.with_columns(pl.lit(name).alias("method")) for name, one in self.by_offsets.items())

    def at_grid_end(self, grid: tuple[float, ...]) -> tuple[int, int]:
        """How many offsets of `widen` are the largest value of `calibration.widen_grid`, and how many there are.

        Such an interval can grow no further, and may not reach nominal coverage on its own past.
        """
        if "widen" not in self.by_offsets:
            return 0, 0
        offsets = self.by_offsets["widen"].select(OFFSETS)
        return offsets.filter(pl.any_horizontal(pl.all() == max(grid))).height, offsets.height


@dataclass(frozen=True)
class Calibration:
    """The answers of all symbols, and the sessions and past of each block, ready to correct some symbols at a time."""

    answered: pl.DataFrame
    params: CalibrationParams
    sessions: Mapping[tuple[object, ...], Sequence[date]]
    pools: Mapping[tuple[object, ...], Mapping[Conformal, Pool]]

    @cached_property
    def whole(self) -> Part:
        """All symbols corrected, some at a time to limit memory."""
        parts = [self.part(symbols) for symbols in some_symbols(self.answered["symbol"])] or [self.part(())]
        return Part(
            answered=pl.concat(one.answered for one in parts),
            corrected={name: pl.concat(one.corrected[name] for one in parts) for name in self.params.methods},
            by_offsets={name: pl.concat(one.by_offsets[name] for one in parts) for name in self.params.methods},
        )

    def part(self, symbols: Sequence[str]) -> Part:
        """These symbols corrected."""
        answered = self.answered.filter(pl.col("symbol").is_in(list(symbols)))
        blocks = answered.with_row_index("row").partition_by(BLOCK, as_dict=True, maintain_order=True)
        done = [_correct(rows, self.sessions[block], self.params, self.pools[block]) for block, rows in blocks.items()]
        corrected, offsets = {}, {}
        for name in self.params.methods:
            if METHODS[name] is None or not done:
                corrected[name], offsets[name] = identity(answered)
            else:
                corrected[name] = pl.concat(one[name][0] for one in done).sort("row").select(CORRECTED)
                offsets[name] = pl.concat(one[name][1] for one in done)
        return Part(answered, corrected, offsets)


def calibrate(forecasts: pl.DataFrame, params: CalibrationParams) -> Calibration:
    """Calibration by every method of `calibration.methods`; each history and horizon is independent of the others."""
    answered = as_answered(forecasts)
    blocks = answered.partition_by(BLOCK, as_dict=True, maintain_order=True)
    sessions = {block: sorted(rows["session"].unique()) for block, rows in blocks.items()}
    pools = {block: _pools(rows, sessions[block], params) for block, rows in blocks.items()}
    return Calibration(answered, params, sessions, pools)


def as_answered(forecasts: pl.DataFrame) -> pl.DataFrame:
    """Forecasts with crossed levels sorted, as `raw_*` and as `q*`."""
    ordered = in_order(forecasts.select(QUANTILES).to_numpy())
    levels = [pl.Series(name, ordered[:, i]) for names in (RAW, QUANTILES) for i, name in enumerate(names)]
    return forecasts.with_columns(levels)


def identity(answered: pl.DataFrame) -> Corrected:
    """As answered. It always counts as calibrated, since it uses no past outcomes."""
    rows = answered.with_columns(
        group_used=pl.lit("identity"),
        n_cal=pl.lit(0, pl.Int32),
        last_outcome_used_utc=pl.lit(None, pl.Datetime("us", "UTC")),
        calibrated=pl.lit(True),
    )
    return rows.select(CORRECTED), _offsets_used(rows.clear(), np.empty((4, 0)))


@dataclass(frozen=True)
class ByPastErrors:
    """A method that corrects by an order statistic of past scores, with a fixed or an adaptive rank."""

    how: Conformal
    find: Finder = order_statistics


METHODS: dict[Method, ByPastErrors | None] = {
    "identity": None,
    "widen": ByPastErrors(WIDEN),
    "split": ByPastErrors(SPLIT),
    "cqr": ByPastErrors(CQR),
    "cqr_sides": ByPastErrors(CQR_SIDES),
    "aci": ByPastErrors(CQR, adaptive),
    "pid": ByPastErrors(CQR, tracked),
}


def _pools(rows: pl.DataFrame, sessions: Sequence[date], params: CalibrationParams) -> dict[Conformal, Pool]:
    """The past scores of all symbols of a block, by correction."""
    whole, values = Block.of(rows, sessions), _values(rows, params)
    hows = {method.how for name in params.methods if (method := METHODS[name]) is not None}
    return {how: Pool(whole, how.scores(*values), params.window_sessions) for how in hows}


def _correct(
    rows: pl.DataFrame, sessions: Sequence[date], params: CalibrationParams, pools: Mapping[Conformal, Pool]
) -> dict[Method, Corrected]:
    """Each method's corrections of one block and some symbols; methods with the same scores share the past."""
    block, (q, y, u) = Block.of(rows, sessions), _values(rows, params)
    scored: dict[Conformal, tuple[Floats, list[Served]]] = {}
    done = {}
    for name in params.methods:
        method = METHODS[name]
        if method is None:
            continue
        how = method.how
        if how not in scored:
            scores = how.scores(q, y, u)
            scored[how] = scores, list(serve(block, scores, how.ranks, params, pools[how]))
        corrections = method.find(block, *scored[how], how.ranks, params)
        offsets = how.settle(corrections.offsets, params.widen_grid)
        certain = ~np.isnan(corrections.offsets[0]) & ~np.isnan(u)
        moved = in_order_around_median(how.apply(q, u, offsets).T)
        final = np.where(certain[:, None], moved, q.T)
        corrected = rows.with_columns(
            *(pl.Series(name, final[:, i]) for i, name in enumerate(QUANTILES)), *_provenance(corrections, certain)
        )
        done[name] = corrected.select("row", *CORRECTED), _offsets_used(corrected, offsets)
    return done


def some_symbols(symbols: pl.Series) -> list[list[str]]:
    """All symbols, in order, in lists of at most `SYMBOLS_AT_ONCE`."""
    every = symbols.unique().sort().to_list()
    return [every[first : first + SYMBOLS_AT_ONCE] for first in range(0, len(every), SYMBOLS_AT_ONCE)]


def _values(rows: pl.DataFrame, params: CalibrationParams) -> tuple[Floats, Floats, Floats]:
    """The inputs of scores: quantiles (5, n), outcomes (n,) and units (n,)."""
    return rows.select(QUANTILES).to_numpy().T, rows["y_bp"].to_numpy(), _unit_bp(rows, params)


def _unit_bp(rows: pl.DataFrame, params: CalibrationParams) -> Floats:
    """Bp per unit of score: the volatility over the horizon (NaN where unknown or zero), or one."""
    if params.scale == "none":
        return np.ones(rows.height)
    sigma = rows["sigma_5m"].to_numpy() * np.sqrt(rows["horizon_min"].to_numpy() / 5) * 1e4
    return np.where(sigma > 0, sigma, np.nan)


def _provenance(corrections: Corrections, certain: NDArray[np.bool_]) -> list[pl.Series]:
    """Which past outcomes corrected each row."""
    return [
        pl.Series("group_used", np.where(certain, corrections.group, "identity").tolist()),
        pl.Series("n_cal", np.where(certain, corrections.n, 0).astype(np.int32)),
        pl.Series("last_outcome_used_utc", np.where(certain, corrections.last_us, NEVER))
        .replace(NEVER, None)
        .cast(pl.Datetime("us", "UTC")),
        pl.Series("calibrated", certain),
    ]


def _offsets_used(rows: pl.DataFrame, offsets: Floats) -> pl.DataFrame:
    """One row a symbol, group and session that corrected any forecast."""
    added = [pl.Series(name, offsets[i]) for i, name in enumerate(OFFSETS)]
    group = pl.col("group_used").alias("group")
    used = rows.select("symbol", *BLOCK, group, "session", *added, "n_cal", "last_outcome_used_utc")
    return used.filter(rows["calibrated"]).unique(maintain_order=True)
