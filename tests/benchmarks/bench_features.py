"""Features in polars against idiomatic pandas: 3 symbols x 250 days, the same columns, equal within 1e-9.

Run: python -m tests.benchmarks.bench_features
"""

import math
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pandas as pd

from stages.features.catalogue import FEATURES, build_features
from stages.features.context import Context
from stages.features.params import FeaturesParams
from tests.features.made_bars import features_params, made_calendar, random_bars, usable_of

SYMBOLS = ("A", "B", "C")
SESSIONS = 250
REPEATS = 3
MARKET = [name for name, feature in FEATURES.items() if not feature.known_ahead and not name.startswith("context_")]
CLOCK = ["minute", "session_share", "minutes_to_close", "day_of_week", "sin_1", "cos_1"]
LEAST_RATIO = 5


def in_pandas(bars: pd.DataFrame, n_bars: pd.Series, params: FeaturesParams) -> pd.DataFrame:
    """The same columns as one writes them in pandas: groupby, shift, rolling. For bars without a missing minute."""
    by_session = bars.groupby("session", sort=False)
    close, m = bars["close"], bars["m"]

    def rolling(values: pd.Series, window: int, min_periods: int) -> pd.Series:
        grouped = values.groupby(bars["session"], sort=False).rolling(window, min_periods=min_periods)
        return grouped.mean().reset_index(level=0, drop=True)

    before = by_session["close"].shift(1)
    r = np.log(close / before.fillna(bars["open"]))
    log_range, log_body = np.log(bars["high"] / bars["low"]), np.log(close / bars["open"])
    reach = pd.concat([bars["high"] - bars["low"], (bars["high"] - before).abs(), (bars["low"] - before).abs()], axis=1)
    typical = (bars["high"] + bars["low"] + close) / 3
    log_volume = np.log1p(bars["volume"])

    out = pd.DataFrame({"ret_1m": r})
    for k in (5, 15):
        out[f"ret_{k}m"] = np.log(close / by_session["close"].shift(k))
        out[f"rv_{k}m"] = np.sqrt(k * rolling(r**2, k, k))
    out["sigma_5m"] = np.sqrt(5 * rolling(r**2, params.sigma_window_min, params.sigma_min_obs))
    ranges = params.range_window_min, params.sigma_min_obs
    out["parkinson"] = np.sqrt(rolling(log_range**2, *ranges) / (4 * math.log(2)))
    garman_klass = rolling(0.5 * log_range**2 - (2 * math.log(2) - 1) * log_body**2, *ranges)
    out["garman_klass"] = np.sqrt(garman_klass.clip(lower=0))
    out["atr"] = rolling(reach.max(axis=1), params.atr_window_min, params.sigma_min_obs)
    out["atr_rel"] = out["atr"] / close
    money, volume = (rolling(x, params.vwap_window_min, 1) for x in (typical * bars["volume"], bars["volume"]))
    out["vwap_30m"] = money / volume
    out["z_vwap"] = (close - out["vwap_30m"]) / (close * out["sigma_5m"] * math.sqrt(params.vwap_window_min / 5))
    sessions = params.volume_norm_sessions
    usual = log_volume.groupby(m, sort=False).transform(
        lambda x: x.rolling(sessions, min_periods=max(1, sessions // 2)).median().shift(1)
    )
    out["volume_norm"] = log_volume - usual
    out["minute"], out["session_share"], out["minutes_to_close"] = m, m / n_bars, n_bars - 1 - m
    out["day_of_week"] = bars["session"].dt.dayofweek + 1
    out["sin_1"], out["cos_1"] = np.sin(2 * np.pi * m / 390), np.cos(2 * np.pi * m / 390)
    return out


def best(function: Callable[[], object]) -> float:
    """Seconds of the fastest of a few runs."""
    seconds = []
    for _ in range(REPEATS):
        start = perf_counter()
        function()
        seconds.append(perf_counter() - start)
    return min(seconds)


def main() -> None:
    """Print both times, their ratio and the largest difference."""
    calendar = made_calendar(SESSIONS)
    bars = {symbol: random_bars(calendar, seed) for seed, symbol in enumerate(SYMBOLS)}
    usable = usable_of(calendar, *SYMBOLS)
    params = features_params(names=[*MARKET, *CLOCK], required=[])
    frames = {symbol: frame.to_pandas() for symbol, frame in bars.items()}
    for frame in frames.values():
        frame["session"] = pd.to_datetime(frame["session"])
    n_bars = pd.Series(390, index=frames["A"].index)

    ours = build_features(bars, usable, calendar, params, Context())
    difference = 0.0
    for symbol in SYMBOLS:
        theirs = in_pandas(frames[symbol], n_bars, params)
        for name in params.names:
            values, reference = ours[symbol][name].to_numpy(), theirs[name].to_numpy(float)
            assert (np.isnan(values) == np.isnan(reference)).all(), name
            scale = np.maximum(1, np.abs(reference))
            difference = max(difference, float(np.nanmax(np.abs(values - reference) / scale)))
    assert difference < 1e-9, difference

    fast = best(lambda: build_features(bars, usable, calendar, params, Context()))
    slow = best(lambda: [in_pandas(frame, n_bars, params) for frame in frames.values()])
    rows = sum(frame.height for frame in bars.values())
    print(f"{rows:,} rows, {len(params.names)} features, largest difference {difference:.1e}")
    print(f"pandas {slow:.2f} s  polars {fast:.2f} s  ratio {slow / fast:.1f} (at least {LEAST_RATIO} wanted)")


if __name__ == "__main__":
    main()
