"""Context features: returns of other symbols, such as the market or a sector, and announced events of the day.

`context_ret_1m` is of `universe.context_symbol`; `context_ret_1m@XLK` is of XLK, which `universe.context_symbols`
names.

*Tables*: rows of `Events`; those of `*` concern every symbol. An event belongs to the session of its date in New York.
*Time*: a row known at t has the context's value known at `t - features.context_lag_min`, of the same session, and
events with `announced_at <= known_at`. For the minutes ahead, the last known row's events are sent (`Market.ahead`),
since the next minute may announce another.
*Errors*: `ConfigurationError` when such a feature is named without a context symbol.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.features.formulas import ret
from stages.features.minutes import M, with_returns
from stages.params.features import FeaturesParams
from stages.tables.market import EVERYBODY, NEW_YORK, Events

CONTEXT_MINUTES = (1, 5)
OF = "@"


@dataclass(frozen=True, eq=False)
class Context:
    """Shared inputs besides a symbol's own bars: the context symbol, if any, table `Events`, other symbols."""

    symbol: str | None = None
    events: pl.DataFrame = field(default_factory=Events.create_empty)
    others: tuple[str, ...] = ()

    def leaders(self, names: Iterable[str]) -> dict[str, str]:
        """Symbols whose bars these features need, by the ending of their names; the context symbol first."""
        endings = {"".join(name.partition(OF)[1:]) for name in names if name.startswith("context_")}
        symbols = {} if self.symbol is None else {"": self.symbol}
        symbols |= {f"{OF}{other}": other for other in self.others}
        return {ending: symbol for ending, symbol in symbols.items() if ending in endings}


@dataclass(frozen=True, eq=False)
class SharedTables:
    """Tables that all symbols share: `Calendar`, each leader's lagged returns by ending, `Events`."""

    calendar: pl.DataFrame
    leaders: Mapping[str, pl.DataFrame]
    events: pl.DataFrame


def lagged_returns(leader: pl.DataFrame, params: FeaturesParams) -> pl.DataFrame:
    """`ts, context_r1, context_r5`: the leader's returns of `features.context_lag_min` earlier."""
    lag = params.context_lag_min
    moves = with_returns(leader).select("ts", "m", **{f"context_r{k}": ret(k)(params) for k in CONTEXT_MINUTES})
    return moves.select("ts", pl.when(lag <= M).then(pl.col("^context_r.*$").shift(lag)).name.keep())


def with_context(frame: pl.DataFrame, lagged: pl.DataFrame, ending: str) -> pl.DataFrame:
    """Add a leader's lagged returns, matched by time."""
    led = frame.select("ts").join_asof(lagged, on="ts", tolerance="0s", check_sortedness=False)  # same minute only
    return frame.with_columns(led.drop("ts").rename(lambda name: name + ending))


MICROSECOND, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
KINDS = ("fomc", "cpi", "earnings")  # values of column `event`, in any letter case


def minutes_to_event(_: FeaturesParams) -> pl.Expr:
    """Minutes from `known_at` to the next event of today; null where none is announced."""
    return (pl.col("next_event") - pl.col("known_at")) / MINUTE


def news_of(
    symbol: str, events: pl.DataFrame, sessions: pl.DataFrame, known_at: pl.Series
) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """What is known of the day's events, one row a change, and the index of the row that holds at each of `known_at`.

    Columns: whether any event, or one of a kind, is announced for today, and `next_event` (an instant, or null). They
    change only at a session's first minute, and when an event is announced or has passed.
    """
    opens = sessions.select("session", "known_at")
    relevant = events.filter(pl.col("symbol").is_in([EVERYBODY, symbol])).select(
        "announced_at",
        kind=pl.col("event").str.to_lowercase(),
        event_ts="ts",
        session=pl.col("ts").dt.convert_time_zone(NEW_YORK).dt.date(),
    )
    changes = (pl.col("announced_at"), pl.col("event_ts") + MICROSECOND)
    today = opens.join(relevant, on="session")
    announced, ahead = pl.col("announced_at") <= pl.col("known_at"), pl.col("event_ts") >= pl.col("known_at")
    news = (
        pl.concat([opens, *(today.select("session", pl.max_horizontal("known_at", change)) for change in changes)])
        .join(relevant, on="session", how="left")
        .group_by("session", "known_at")
        .agg(
            any_today=announced.any(),
            **{f"{kind}_today": (announced & (pl.col("kind") == kind)).any() for kind in KINDS},
            next_event=pl.col("event_ts").filter(announced & ahead).min(),
        )
        .sort("known_at")
    )
    first = known_at.search_sorted(news["known_at"]).to_numpy()
    return news, np.repeat(np.arange(news.height), np.diff(first, append=len(known_at)))
