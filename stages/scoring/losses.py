"""Elementary losses of each forecast, as answered and as calibrated.

Tests hold every formula to the library whose it is (utilsforecast, scoringrules).

*Tables*: one row a forecast, in the given order; columns `n`, `abs_y`, `sq_y` (the losses of persistence, a move of
zero), `unmoved` (y is exactly 0), `crossed`, and for each version v in `raw`, `calibrated` its losses, `v_hit_05` to
`v_hit_95` (y at or below the quantile), `v_tie_05` to `v_tie_95` (y exactly on it) and `v_tied` (y on any of the five).
*Units*: bp (squared losses bp^2); hits and ties are 0 or 1.
"""

from collections.abc import Iterator

import polars as pl

from stages.tables.forecasts import LEVELS, QUANTILES

VERSIONS = ["raw", "calibrated"]
COLUMNS = {"raw": "raw_{}", "calibrated": "{}"}  # a version's columns
Y = pl.col("y_bp")
INTERVALS = {50: ("q25", "q75"), 90: ("q05", "q95")}


def elementary_losses(forecasts: pl.DataFrame) -> pl.DataFrame:
    """One row a forecast with an outcome; no row may be void."""
    return forecasts.select(
        pl.lit(1.0).alias("n"),
        pl.col("crossed").cast(pl.Float64),
        (Y == 0).cast(pl.Float64).alias("unmoved"),
        Y.abs().alias("abs_y"),
        (Y**2).alias("sq_y"),
        *hits_and_ties(),
        *(loss.alias(f"{version}_{name}") for version in VERSIONS for name, loss in _losses(COLUMNS[version])),
    )


def _losses(column: str) -> Iterator[tuple[str, pl.Expr]]:
    """The losses of one version by name."""
    error = Y - pl.col(column.format("q50"))
    yield "abs", error.abs()
    yield "sq", error**2
    for level, name in zip(LEVELS, QUANTILES, strict=True):
        error, share = Y - pl.col(column.format(name)), level / 100
        yield f"pinball_{name[1:]}", pl.max_horizontal(share * error, (share - 1) * error)
    for level, names in INTERVALS.items():
        lower, upper = (pl.col(column.format(name)) for name in names)
        width, miss = upper - lower, pl.max_horizontal(lower - Y, Y - upper, pl.lit(0.0))
        yield f"width_{level}", width
        yield f"interval_{level}", width + 2 / ((100 - level) / 100) * miss


def hits_and_ties() -> Iterator[pl.Expr]:
    """Columns `v_hit_*`, `v_tie_*` and `v_tied` of a frame of forecasts with outcomes."""
    for version, column in COLUMNS.items():
        quantiles = [pl.col(column.format(name)) for name in QUANTILES]
        for name, quantile in zip(QUANTILES, quantiles, strict=True):
            yield (quantile >= Y).cast(pl.Float64).alias(f"{version}_hit_{name[1:]}")
            yield (quantile == Y).cast(pl.Float64).alias(f"{version}_tie_{name[1:]}")
        yield pl.any_horizontal(quantile == Y for quantile in quantiles).cast(pl.Float64).alias(f"{version}_tied")
