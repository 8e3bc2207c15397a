"""Elementary losses of each forecast, as answered and as calibrated.

Formulas are utilsforecast's. Each forecast is a series of its own here, so its mean loss is the loss itself.

*Tables*: one row a forecast, in the given order; columns `n`, `abs_y`, `sq_y` (the losses of persistence, a move of
zero), `unmoved` (y is exactly 0), `crossed`, and for each version v in `raw`, `calibrated` its losses, `v_hit_05` to
`v_hit_95` (y at or below the quantile), `v_tie_05` to `v_tie_95` (y exactly on it) and `v_tied` (y on any of the five).
*Units*: bp (squared losses bp^2); hits and ties are 0 or 1.
"""

from collections.abc import Iterator

import polars as pl
from utilsforecast import losses

from stages.tables.forecasts import LEVELS, QUANTILES

VERSIONS = ["raw", "calibrated"]
COLUMNS = {"raw": "raw_{}", "calibrated": "{}"}  # a version's columns
INTERVALS = {50: ("q25", "q75"), 90: ("q05", "q95")}


def elementary_losses(forecasts: pl.DataFrame) -> pl.DataFrame:
    """One row a forecast with an outcome; no row may be void."""
    series = _as_series(forecasts)
    points = [f"{version}-q50" for version in VERSIONS]
    parts = [
        losses.mae(series, [*points, "zero"]).rename({"zero": "abs_y"} | _named(points, "abs")),
        losses.mse(series, [*points, "zero"]).rename({"zero": "sq_y"} | _named(points, "sq")),
        *(losses.quantile_loss(series, _pinball_models(level), level / 100) for level in LEVELS),
        *(
            losses.winkler_score(series, VERSIONS, level).rename(_named(VERSIONS, f"interval_{level}"))
            for level in INTERVALS
        ),
    ]
    counted = series.select(
        pl.lit(1.0).alias("n"),
        forecasts["crossed"].cast(pl.Float64),
        *(
            (pl.col(f"{version}-hi-{level}") - pl.col(f"{version}-lo-{level}")).alias(f"{version}_width_{level}")
            for version in VERSIONS
            for level in INTERVALS
        ),
    )
    at_quantiles = forecasts.select((pl.col("y_bp") == 0).cast(pl.Float64).alias("unmoved"), *hits_and_ties())
    return counted.hstack(at_quantiles).hstack([column for part in parts for column in part.drop("unique_id")])


def hits_and_ties() -> Iterator[pl.Expr]:
    """Columns `v_hit_*`, `v_tie_*` and `v_tied` of a frame of forecasts with outcomes."""
    y = pl.col("y_bp")
    for version, column in COLUMNS.items():
        quantiles = [pl.col(column.format(name)) for name in QUANTILES]
        for name, quantile in zip(QUANTILES, quantiles, strict=True):
            yield (y <= quantile).cast(pl.Float64).alias(f"{version}_hit_{name[1:]}")
            yield (y == quantile).cast(pl.Float64).alias(f"{version}_tie_{name[1:]}")
        yield pl.any_horizontal(y == quantile for quantile in quantiles).cast(pl.Float64).alias(f"{version}_tied")


def _as_series(forecasts: pl.DataFrame) -> pl.DataFrame:
    """The frame in utilsforecast's form: unique_id, y, and one model a version."""
    quantiles = [pl.col(COLUMNS[v].format(name)).alias(f"{v}-{name}") for v in VERSIONS for name in QUANTILES]
    bounds = [
        pl.col(COLUMNS[v].format(name)).alias(f"{v}-{side}-{level}")
        for v in VERSIONS
        for level, pair in INTERVALS.items()
        for side, name in zip(("lo", "hi"), pair, strict=True)
    ]
    return forecasts.select(
        pl.int_range(pl.len()).alias("unique_id"),
        pl.col("y_bp").alias("y"),
        pl.lit(0.0).alias("zero"),
        *quantiles,
        *bounds,
    )


def _pinball_models(level: int) -> dict[str, str]:
    return {f"{version}_pinball_{level:02d}": f"{version}-q{level:02d}" for version in VERSIONS}


def _named(models: list[str], loss: str) -> dict[str, str]:
    return {model: f"{model.split('-')[0]}_{loss}" for model in models}
