"""What the market as a whole, or a sector, did: features of other symbols, at least one bar old.

`context_ret_1m` is of `universe.context_symbol`; `context_ret_1m@XLK` of XLK, which `universe.context_symbols` names.

*Time*: a row known at t carries the context's value known at `t - features.context_lag_min`, of the same session.
*Errors*: `ConfigurationError` when such a feature is named and no context symbol is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from stages.features.minute import M
from stages.features.params import FeaturesParams
from stages.features.returns import ret
from stages.tables.events import Events

CONTEXT_MINUTES = (1, 5)
OF = "@"


@dataclass(frozen=True, eq=False)
class Context:
    """What is known beside a symbol's own bars: the context symbol, if there is one, table `Events`, other symbols."""

    symbol: str | None = None
    events: pl.DataFrame = field(default_factory=Events.create_empty)
    others: tuple[str, ...] = ()

    def leaders(self, names: Iterable[str]) -> dict[str, str]:
        """Whose bars these features need: the ending of their names -> symbol, the context symbol first."""
        endings = {"".join(name.partition(OF)[1:]) for name in names if name.startswith("context_")}
        symbols = {} if self.symbol is None else {"": self.symbol}
        symbols |= {f"{OF}{other}": other for other in self.others}
        return {ending: symbol for ending, symbol in symbols.items() if ending in endings}


@dataclass(frozen=True, eq=False)
class Beside:
    """The same, ready to be joined: table `Calendar`, minute columns of each leader by ending, table `Events`."""

    calendar: pl.DataFrame
    leaders: Mapping[str, pl.DataFrame]
    events: pl.DataFrame


def context_ret(minutes: int, ending: str = "") -> pl.Expr:
    """A leader's return over k minutes, lagged."""
    return pl.col(f"context_r{minutes}{ending}")


def with_context(frame: pl.DataFrame, context: pl.DataFrame, params: FeaturesParams, ending: str) -> pl.DataFrame:
    """Add a leader's lagged returns, matched by time."""
    lag = params.context_lag_min
    lagged = context.select("ts", "m", **{f"context_r{k}{ending}": ret(k)(params) for k in CONTEXT_MINUTES}).select(
        "ts", pl.when(lag <= M).then(pl.col("^context_r.*$").shift(lag)).name.keep()
    )
    led = frame.select("ts").join_asof(lagged, on="ts", tolerance="0s", check_sortedness=False)  # of that minute only
    return frame.with_columns(led.drop("ts"))
