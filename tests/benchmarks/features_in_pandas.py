"""Every feature of the catalogue as one writes it in pandas, also over filled and missing bars.

Written from docs/FEATURES.md; shares no line with `stages/features`.
"""

import math

import numpy as np
import pandas as pd

from stages.params.features import FeaturesParams

FULL = 390


def features_in_pandas(
    bars: pd.DataFrame, usable: list[pd.Timestamp], calendar: pd.DataFrame, params: FeaturesParams
) -> pd.DataFrame:
    """The features of a symbol's own bars and of the clock."""
    session, m, close, volume = bars["session"], bars["m"], bars["close"], bars["volume"]
    real = ~bars["is_filled"] & close.notna()
    r = minute_returns(bars, real)

    def rolled(values: pd.Series, window: int, min_periods: int) -> pd.core.window.RollingGroupby:
        return values.groupby(session, sort=False).rolling(window, min_periods=min(min_periods, window))

    def mean(values: pd.Series, window: int, min_periods: int) -> pd.Series:
        return rolled(values, window, min_periods).mean().reset_index(level=0, drop=True)

    def total(values: pd.Series, window: int, min_periods: int) -> pd.Series:
        return rolled(values, window, min_periods).sum().reset_index(level=0, drop=True)

    out = pd.DataFrame({"ret_1m": r})
    for k in (5, 15):
        whole = total(r, k, k).notna() & (m >= k)
        out[f"ret_{k}m"] = np.log(close / close.groupby(session).shift(k)).where(whole)
        out[f"rv_{k}m"] = np.sqrt(total(r**2, k, k).clip(lower=0))
    out["sigma_5m"] = np.sqrt(5 * mean((r**2).where(real), params.sigma_window_min, params.sigma_min_obs).clip(lower=0))
    log_range, log_body = np.log(bars["high"] / bars["low"]), np.log(close / bars["open"])
    ranges = params.range_window_min, params.sigma_min_obs
    out["parkinson"] = np.sqrt(mean((log_range**2).where(real), *ranges).clip(lower=0) / (4 * math.log(2)))
    spread = 0.5 * log_range**2 - (2 * math.log(2) - 1) * log_body**2
    out["garman_klass"] = np.sqrt(mean(spread.where(real), *ranges).clip(lower=0))
    before = close.groupby(session).shift().where(m > 0, bars["open"])
    reach = pd.concat([bars["high"] - bars["low"], (bars["high"] - before).abs(), (bars["low"] - before).abs()], axis=1)
    true_range = reach.max(axis=1).where(r.notna(), bars["high"] - bars["low"])
    out["atr"] = mean(true_range.where(real), params.atr_window_min, params.sigma_min_obs)
    out["atr_rel"] = out["atr"] / close
    typical = (bars["high"] + bars["low"] + close) / 3
    traded = total(volume.where(real), params.vwap_window_min, 1)
    vwap = (total((typical * volume).where(real), params.vwap_window_min, 1) / traded).where(traded > 0)
    out["vwap_30m"] = vwap
    scale = close * out["sigma_5m"] * math.sqrt(params.vwap_window_min / 5)
    out["z_vwap"] = ((close - vwap) / scale).where(scale > 0)
    log_volume = np.log1p(volume.where(real))
    out["volume_norm"] = log_volume - _usual(log_volume, session, m, usable, params.volume_norm_sessions)
    return pd.concat([out, _clock(session, m, calendar, params)], axis=1)


def minute_returns(bars: pd.DataFrame, real: pd.Series) -> pd.Series:
    """Of a bar's close over the last close of its session, 0 where nothing traded; at the open over the open."""
    session, close = bars["session"], bars["close"]
    before = close.groupby(session).ffill().groupby(session).shift()
    at_open = np.log(close / bars["open"]).where(real)
    return np.log(close / before).where(bars["m"] > 0, at_open)


def context_in_pandas(bars: pd.DataFrame, leader: pd.DataFrame, params: FeaturesParams) -> pd.DataFrame:
    """What the context symbol did, so many minutes ago."""
    session, m, close = leader["session"], leader["m"], leader["close"]
    r = minute_returns(leader, ~leader["is_filled"] & close.notna())
    whole = r.groupby(session).rolling(5).sum().reset_index(level=0, drop=True).notna() & (m >= 5)
    moves = pd.DataFrame({1: r, 5: np.log(close / close.groupby(session).shift(5)).where(whole)})
    lagged = moves.groupby(session).shift(params.context_lag_min).assign(ts=leader["ts"])
    found = bars[["ts"]].merge(lagged, on="ts", how="left")
    return pd.DataFrame({f"context_ret_{k}m": found[k] for k in moves})


def events_in_pandas(bars: pd.DataFrame, events: pd.DataFrame, symbol: str) -> pd.DataFrame:
    """Today's announced events."""
    mine = events[events["symbol"].isin(["*", symbol])]
    mine = mine.assign(session=mine["ts"].dt.tz_convert("America/New_York").dt.tz_localize(None).dt.normalize())
    mine = mine.assign(kind=mine["event"].str.lower()).drop(columns="event")
    mine = mine[["ts", "session", "announced_at", "kind"]].rename(columns={"ts": "event"})
    pairs = bars[["known_at", "session"]].merge(mine, on="session")
    pairs = pairs[pairs["announced_at"] <= pairs["known_at"]]
    ahead = pairs[pairs["event"] >= pairs["known_at"]].groupby("known_at")["event"].min()
    known_at = bars["known_at"]
    left = (known_at.map(ahead) - known_at) / pd.Timedelta(minutes=1)
    of_kind = {kind: pairs["known_at"][pairs["kind"] == kind] for kind in ("fomc", "cpi", "earnings")}
    found = {f"event_{kind}": known_at.isin(known).astype(float) for kind, known in of_kind.items()}
    return pd.DataFrame(
        found | {"event_today": known_at.isin(pairs["known_at"]).astype(float), "minutes_to_event": left}
    )


def _usual(
    log_volume: pd.Series, session: pd.Series, m: pd.Series, usable: list[pd.Timestamp], sessions: int
) -> pd.Series:
    """The median of each minute over the usable sessions before."""
    rows = pd.DataFrame({"session": session, "m": m, "log_volume": log_volume})
    past = rows[rows["session"].isin(usable)]
    rolling = past.groupby("m")["log_volume"].rolling(sessions, min_periods=max(1, sessions // 2))
    past = past.assign(usual=rolling.median().reset_index(level=0, drop=True))
    found = pd.merge_asof(rows, past[["session", "m", "usual"]], on="session", by="m", allow_exact_matches=False)
    return found["usual"]


def _clock(session: pd.Series, m: pd.Series, calendar: pd.DataFrame, params: FeaturesParams) -> pd.DataFrame:
    known = calendar.set_index("session")
    n = session.map(known["n_bars"])
    early, late = m < params.session_open_min, m >= n - params.session_close_min
    waves = {
        f"{name}_{k}": f(2 * np.pi * k * m / FULL)
        for k in (1, 2, 3, 13)
        for name, f in (("sin", np.sin), ("cos", np.cos))
    }
    columns = {
        "minute": m,
        "session_share": m / n,
        "minutes_to_close": n - 1 - m,
        "is_half": session.map(known["is_half"]),
        "bucket_open": early,
        "bucket_mid": ~early & ~late,
        "bucket_close": late,
        "day_of_week": session.dt.dayofweek + 1,
    }
    return pd.DataFrame(columns | waves).astype(float)
