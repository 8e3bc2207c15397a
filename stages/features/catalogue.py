"""The feature catalogue: every feature by name, and the frame of those that a run asks for.

To add one: a function in `formulas.py` (or a column in `context.py`), a line here, a test, and `make features-page`;
its name in `conf/features/` if every run shall build it.

*Tables*: one frame a symbol: `ts, known_at, session, m`, then the features in the order of `features.names`; one row a
minute, also of sessions that the gate dropped.
*Time*: a row is known at its `known_at`. No bit of a row changes when later bars change, are cut off or are added.
*Errors*: `ConfigurationError` for an unknown name; `DataContractError` when a required feature is too often unknown
(`minutes.require_known`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial
from typing import Any

import polars as pl

from stages.errors import ConfigurationError
from stages.features import context, formulas
from stages.features.context import Context, SharedTables
from stages.features.minutes import count_unknown, require_known, sessions_of, with_minute_columns
from stages.params.features import FeaturesParams
from stages.tables.contract import rounded

INDEX = ("ts", "known_at", "session", "m")


def _nothing(_: FeaturesParams) -> int:
    return 0


def _bars(count: int) -> Callable[[FeaturesParams], int]:
    return lambda _: count


def _observations(params: FeaturesParams) -> int:
    return params.sigma_min_obs


@dataclass(frozen=True)
class Feature:
    """One column: formula and unit for readers, decimals kept in the file, and how it is computed.

    As a rule, returns and shares have 12 decimals, amounts 9 and whole numbers none.

    A value needs `lookback_bars` earlier bars of its session and `lookback_sessions` earlier sessions. Two kinds may be
    sent for the minutes ahead: `known_ahead`, which follows from the minute and from its session's length and weekday,
    and `announced`, for which the snapshot's value is sent for every minute.
    """

    formula: str
    unit: str
    decimals: int
    expression: Callable[[FeaturesParams], pl.Expr]
    lookback_bars: Callable[[FeaturesParams], int] = _nothing
    lookback_sessions: Callable[[FeaturesParams], int] = _nothing
    known_ahead: bool = False
    announced: bool = False

    @property
    def exog_policy(self) -> str:
        """What a question does where the value is unknown, unless `requests.exog_policy` states otherwise.

        A feature that needs bars of its session is unknown in the first minutes of each, so its last value is carried.
        """
        return "void" if self.lookback_bars is _nothing else "carry"


def _column(name: str) -> Callable[[FeaturesParams], pl.Expr]:
    """The expression of a feature that the frame already holds as column `name`."""
    return lambda _: pl.col(name)


SHARED = {"sigma": formulas.sigma_5m, "vwap": formulas.vwap, "atr": formulas.atr}  # used by several features

_ahead = partial(Feature, known_ahead=True)
_announced = partial(Feature, announced=True)

FEATURES: dict[str, Feature] = {
    "ret_1m": Feature("ln(C_m / C_{m-1}); at the open ln(C_0 / O_0)", "log return", 12, formulas.ret(1)),
    "ret_5m": Feature("ln(C_m / C_{m-5})", "log return", 12, formulas.ret(5), _bars(5)),
    "ret_15m": Feature("ln(C_m / C_{m-15})", "log return", 12, formulas.ret(15), _bars(15)),
    "rv_5m": Feature("sqrt(sum of r^2 over 5 min)", "fraction per 5 min", 12, formulas.rv(5), _bars(4)),
    "rv_15m": Feature("sqrt(sum of r^2 over 15 min)", "fraction per 15 min", 12, formulas.rv(15), _bars(14)),
    "sigma_5m": Feature(
        "sqrt(5 * mean of r^2 over sigma_window_min)", "fraction per 5 min", 12, _column("sigma"), _observations
    ),
    "parkinson": Feature(
        "sqrt(mean of ln(H/L)^2 / (4 ln 2))", "fraction per min", 12, formulas.parkinson, _observations
    ),
    "garman_klass": Feature(
        "sqrt(mean of ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2)",
        "fraction per min",
        12,
        formulas.garman_klass,
        _observations,
    ),
    "atr": Feature("mean true range over atr_window_min", "price", 9, _column("atr"), _observations),
    "atr_rel": Feature("atr / C", "fraction", 12, formulas.atr_rel, _observations),
    "vwap_30m": Feature("sum of (H+L+C)/3 * V / sum of V over vwap_window_min", "price", 9, _column("vwap")),
    "z_vwap": Feature(
        "(C - vwap) / (C * sigma of a minute * sqrt(window))", "sigmas", 9, formulas.z_vwap, _observations
    ),
    "volume_norm": Feature(
        "ln(1 + V) - median of ln(1 + V) at the same minute over volume_norm_sessions",
        "log ratio",
        9,
        formulas.volume_norm,
        lookback_sessions=lambda params: params.volume_norm_sessions,
    ),
    "context_ret_1m": Feature(
        "ret_1m of context_symbol, context_lag_min ago",
        "log return",
        12,
        _column("context_r1"),
        lambda params: params.context_lag_min,
    ),
    "context_ret_5m": Feature(
        "ret_5m of context_symbol, context_lag_min ago",
        "log return",
        12,
        _column("context_r5"),
        lambda params: params.context_lag_min + 5,
    ),
    "event_today": _announced("1 if an event of today has been announced", "0 or 1", 0, _column("any_today")),
    "event_fomc": _announced("1 if a FOMC event of today has been announced", "0 or 1", 0, _column("fomc_today")),
    "event_cpi": _announced("1 if a CPI event of today has been announced", "0 or 1", 0, _column("cpi_today")),
    "event_earnings": _announced(
        "1 if an earnings event of today has been announced", "0 or 1", 0, _column("earnings_today")
    ),
    "minutes_to_event": Feature(
        "minutes from known_at to the next announced event of today", "minutes", 6, context.minutes_to_event
    ),
    "minute": _ahead("m", "minutes since the open", 0, _column("m")),
    "session_share": _ahead("m / n", "share of the session", 12, formulas.session_share),
    "minutes_to_close": _ahead("n - 1 - m", "minutes", 0, formulas.minutes_to_close),
    "is_half": _ahead("1 on a half day", "0 or 1", 0, _column("is_half")),
    "bucket_open": _ahead("1 in the first session_open_min", "0 or 1", 0, formulas.bucket_open),
    "bucket_mid": _ahead("1 between the other buckets", "0 or 1", 0, formulas.bucket_mid),
    "bucket_close": _ahead("1 in the last session_close_min", "0 or 1", 0, formulas.bucket_close),
    "day_of_week": _ahead("1 Monday to 5 Friday", "day", 0, _column("weekday")),
    "sin_1": _ahead("sin(2 pi m / 390)", "wave", 12, formulas.sine(1)),
    "cos_1": _ahead("cos(2 pi m / 390)", "wave", 12, formulas.cosine(1)),
    "sin_2": _ahead("sin(4 pi m / 390)", "wave", 12, formulas.sine(2)),
    "cos_2": _ahead("cos(4 pi m / 390)", "wave", 12, formulas.cosine(2)),
    "sin_3": _ahead("sin(6 pi m / 390)", "wave", 12, formulas.sine(3)),
    "cos_3": _ahead("cos(6 pi m / 390)", "wave", 12, formulas.cosine(3)),
    "sin_13": _ahead("sin(2 pi m / 30)", "wave of half an hour", 12, formulas.sine(13)),
    "cos_13": _ahead("cos(2 pi m / 30)", "wave of half an hour", 12, formulas.cosine(13)),
}


def build_features(
    bars: Mapping[str, pl.DataFrame],
    usable: Mapping[str, tuple[date, ...]],
    calendar: pl.DataFrame,
    params: FeaturesParams,
    around: Context,
) -> dict[str, pl.DataFrame]:
    """One frame of features a symbol, context symbols included; one symbol in memory at a time."""
    require_buildable(params, around)
    needed = around.leaders(params.names)
    leaders = {ending: context.lagged_returns(bars[symbol], params) for ending, symbol in needed.items()}
    shared = SharedTables(calendar, leaders, around.events)
    return {symbol: features_of(symbol, frame, usable[symbol], params, shared)[0] for symbol, frame in bars.items()}


@dataclass(frozen=True, eq=False)
class PerSymbol:
    """Builds the features of one symbol with only its tables in memory; `around` and table `Calendar` are shared."""

    params: FeaturesParams
    calendar: pl.DataFrame
    around: Context

    def __call__(
        self, symbol: str, bars: pl.DataFrame, usable: tuple[date, ...], *led: pl.DataFrame
    ) -> tuple[pl.DataFrame, dict[str, Any]]:
        """The features, and how often each is unknown; `led` holds the bars of `Context.leaders`, in their order."""
        endings = self.around.leaders(self.params.names)
        leaders = {end: context.lagged_returns(leader, self.params) for end, leader in zip(endings, led, strict=True)}
        return features_of(symbol, bars, usable, self.params, SharedTables(self.calendar, leaders, self.around.events))


def features_of(
    symbol: str, bars: pl.DataFrame, usable: tuple[date, ...], params: FeaturesParams, shared: SharedTables
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The features of one symbol, and how often each is unknown."""
    frame = with_minute_columns(bars)
    for ending, lagged in shared.leaders.items():
        frame = context.with_context(frame, lagged, ending)
    sessions, number = sessions_of(bars, shared.calendar)
    frame = formulas.with_usual_volume(frame, sessions, number, usable, params.volume_norm_sessions)
    clock = clock_features(sessions, number, bars["m"], params)
    news, known = context.news_of(symbol, shared.events, sessions, bars["known_at"])
    announced = values(news, ("next_event",), [name for name in params.names if feature(name).announced], params)[known]
    complete = frame.with_columns(announced["next_event"]).with_columns(
        expression(params).alias(name) for name, expression in SHARED.items()
    )
    by_bars = [name for name in params.names if name not in clock.columns + announced.columns]
    features = (
        values(complete, INDEX, by_bars, params)
        .with_columns(clock.get_columns() + announced.get_columns())
        .select(*INDEX, *params.names)
    )
    lookbacks = {
        name: (feature(name).lookback_bars(params), feature(name).lookback_sessions(params)) for name in params.names
    }
    counts = count_unknown(features, usable, lookbacks, params.required)
    require_known(symbol, counts, params)
    return features, counts


def values(frame: pl.DataFrame, keys: Sequence[str], names: Sequence[str], params: FeaturesParams) -> pl.DataFrame:
    """`keys`, and the named features as rounded floats."""
    features = {name: feature(name) for name in names}
    exact = {name: column.expression(params).cast(pl.Float64) for name, column in features.items()}
    return frame.select(*keys, **{name: rounded(exact[name], column.decimals) for name, column in features.items()})


def clock_features(sessions: pl.DataFrame, number: pl.Series, m: pl.Series, params: FeaturesParams) -> pl.DataFrame:
    """The clock features of rows; `number` is the index of a row's session in `sessions`, `m` its minute there.

    All symbols of a run share them, so the last result is cached.
    """
    kinds = sessions.select("n_bars", "is_half", pl.col("session").dt.weekday())
    every_minute = _every_minute(tuple(kinds.rows()), params)
    if every_minute.height == len(m):
        return every_minute
    first = kinds["n_bars"].cum_sum() - kinds["n_bars"]
    return every_minute[first.gather(number) + m]


@lru_cache(maxsize=1)
def _every_minute(kinds: tuple[tuple[int, bool, int], ...], params: FeaturesParams) -> pl.DataFrame:
    """Clock features of every minute of sessions with these `n_bars, is_half, weekday`."""
    sessions = pl.DataFrame(kinds, schema=["n_bars", "is_half", "weekday"], orient="row")
    minutes = sessions.with_columns(m=pl.int_ranges(0, "n_bars", dtype=pl.Int32)).explode("m")
    return values(minutes, ("m",), [name for name in params.names if feature(name).known_ahead], params)


def is_feature(name: str) -> bool:
    """Whether the catalogue has this name; a context feature may end in a symbol, like `context_ret_1m@XLK`."""
    base, of, symbol = name.partition(context.OF)
    return base in FEATURES and (not of or (base.startswith("context_") and bool(symbol)))


def feature(name: str) -> Feature:
    """The feature with this name."""
    base, of, symbol = name.partition(context.OF)
    if not of:
        return FEATURES[base]
    minutes = int(base.removeprefix("context_ret_").removesuffix("m"))
    return replace(FEATURES[base], expression=_column(f"context_r{minutes}{of}{symbol}"))


def require_buildable(params: FeaturesParams, around: Context) -> None:
    """Refuse names not in the catalogue, required features not built, and context features without context."""
    if unknown := sorted(name for name in params.names if not is_feature(name)):
        raise ConfigurationError(
            f"features.names holds {unknown}, which are not in the catalogue: choose from {sorted(FEATURES)}."
        )
    if missing := sorted(set(params.required) - set(params.names)):
        raise ConfigurationError(
            f"features.required holds {missing}, which features.names does not hold: add them there."
        )
    about_context = sorted(name for name in params.names if name.startswith("context_"))
    if alone := [name for name in about_context if not around.leaders([name])]:
        raise ConfigurationError(
            f"features.names holds {alone} but universe.context_symbol is {around.symbol or 'null'} and "
            f"universe.context_symbols {list(around.others)}: add the symbol there, or remove these features."
        )
