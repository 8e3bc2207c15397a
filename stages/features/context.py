"""What the market as a whole did: features of `universe.context_symbol`, at least one bar old.

*Time*: a row known at t carries the context's value known at `t - features.context_lag_min`, of the same session.
*Errors*: `ConfigurationError` when such a feature is named and no context symbol is.
"""

from dataclasses import dataclass, field

import polars as pl

from stages.features.minute import M
from stages.features.params import FeaturesParams
from stages.features.returns import ret
from stages.tables.events import Events

CONTEXT_MINUTES = (1, 5)


@dataclass(frozen=True, eq=False)
class Context:
    """What is known beside a symbol's own bars: the context symbol, if there is one, and table `Events`."""

    symbol: str | None = None
    events: pl.DataFrame = field(default_factory=Events.create_empty)


@dataclass(frozen=True, eq=False)
class Beside:
    """The same, ready to be joined: table `Calendar`, the context symbol's minute columns, table `Events`."""

    calendar: pl.DataFrame
    leader: pl.DataFrame | None
    events: pl.DataFrame


def context_ret(minutes: int) -> pl.Expr:
    """The context symbol's return over k minutes, lagged."""
    return pl.col(f"context_r{minutes}")


def with_context(frame: pl.DataFrame, context: pl.DataFrame, params: FeaturesParams) -> pl.DataFrame:
    """Add the context's lagged returns, matched by time."""
    lag = params.context_lag_min
    lagged = context.select("ts", "m", **{f"context_r{k}": ret(k)(params) for k in CONTEXT_MINUTES}).select(
        "ts", pl.when(lag <= M).then(pl.col("^context_r.*$").shift(lag)).name.keep()
    )
    led = frame.select("ts").join_asof(lagged, on="ts", tolerance="0s", check_sortedness=False)  # of that minute only
    return frame.with_columns(led.drop("ts"))
