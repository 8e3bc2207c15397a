"""Levels, wicks and copies bar by bar, as docs/DATA_QUALITY.md tells them: a slow oracle for the gate in pandas.

Written for one symbol without others and without a list of known jumps; shares no line with `stages/quality`.
"""

from fractions import Fraction
from math import log, sqrt
from typing import Any

import numpy as np
import pandas as pd

from stages.params.quality import QualityParams

PRICES = ["open", "high", "low", "close"]
NORMAL = 1.4826


def judge_levels_in_pandas(
    placed: pd.DataFrame, calendar: pd.DataFrame, quality: QualityParams
) -> tuple[pd.Series, pd.DataFrame]:
    """Which rows are void, and by session PX4 and the longest void run."""
    sound = placed[placed["sound"]]
    days = dict(list(sound.groupby("session")))
    numbers = {day: number for number, day in enumerate(calendar["session"])}
    void: list[int] = []
    told = {day: [False, 0] for day in calendar["session"]}
    past = _Past(days, list(calendar["session"]), quality)
    price, last_day, seen, start, rejecting = 0.0, None, 0, 0, False
    for day, frame in days.items():
        opened, run = last_day is None, 0
        rows = zip(frame.index, frame["m"], np.log(frame["open"]), np.log(frame["close"]), strict=True)
        for position, (index, m, opening, close) in enumerate(rows):
            away = max(abs(opening - price), abs(close - price))
            if last_day is None and position == 0:
                good = True
            elif not opened:
                nights = 1 if rejecting or position else numbers[day] - numbers[last_day]
                good = away <= past.night_limit(day, nights)
                if not good and position == 0 and abs(close - opening) <= log(1 + quality.jump_floor_share):
                    good = told[day][0] = _is_split(opening - price, 3 * past.night_scale(day), quality)
            else:
                good = away <= past.minute_limit(day, m, price)
            if good:
                price, opened, rejecting, run = close, True, False, 0
            else:
                start = start if rejecting else seen
                rejecting, run = True, run + 1
                void.append(index)
                told[day][1] = max(told[day][1], run)
            seen += 1
        if rejecting and (start <= run or abs(close - price) < log(quality.jump_ceiling_ratio)):
            price, start = close, max(start, seen)
        last_day = day
    marks = pd.DataFrame.from_dict(told, orient="index", columns=["PX4", "level_run"])
    return pd.Series(placed.index.isin(void), placed.index), marks


class _Past:
    """What was usual on the sessions before."""

    def __init__(self, days: dict[Any, pd.DataFrame], sessions: list[Any], quality: QualityParams) -> None:
        self.days, self.sessions, self.quality = days, sessions, quality
        ends = [(day, log(frame["open"].iloc[0]), log(frame["close"].iloc[-1])) for day, frame in days.items()]
        self.order, self.opens, self.closes = (np.array(part) for part in zip(*ends, strict=True))
        self.returns = {day: np.log(frame["close"]).diff() for day, frame in days.items()}
        self.usual: dict[Any, float] = {}

    def night_scale(self, day: Any) -> float:
        number = int(np.flatnonzero(self.order == np.datetime64(day))[0])
        since = max(0, number - self.quality.night_past_sessions - 1)
        moves = self.closes[since:number] - self.opens[since:number]
        nights = self.opens[since + 1 : number] - self.closes[since : max(since, number - 1)]
        within = [part[np.abs(part) <= log(self.quality.jump_ceiling_ratio)] for part in (moves, nights)]
        return max(*map(_deviation, within), self.quality.night_scale_floor_share)

    def night_limit(self, day: Any, nights: int) -> float:
        own = self.quality.night_mads * self.night_scale(day) * sqrt(nights)
        return min(max(own, log(1 + self.quality.night_floor_share)), log(self.quality.jump_ceiling_ratio))

    def minute_limit(self, day: Any, m: int, price: float) -> float:
        bucket = m // self.quality.outlier_bucket_min
        if (day, bucket) not in self.usual:
            number = self.sessions.index(day)
            before = self.sessions[max(0, number - self.quality.outlier_past_sessions) : number]
            pool = [
                self.returns[one][(self.days[one]["m"] // self.quality.outlier_bucket_min == bucket).to_numpy()]
                for one in before
                if one in self.days
            ]
            self.usual[day, bucket] = _deviation(pd.concat(pool).dropna().to_numpy()) if pool else 0.0
        ticks = log(1 + 2 * self.quality.tick_size / np.exp(price))
        own = max(self.quality.jump_mads * self.usual[day, bucket], ticks, log(1 + self.quality.jump_floor_share))
        return min(own, log(self.quality.jump_ceiling_ratio))


def _deviation(moves: np.ndarray) -> float:
    return NORMAL * float(np.median(np.abs(moves - np.median(moves)))) if len(moves) else 0.0


def _is_split(move: float, tolerance: float, quality: QualityParams) -> bool:
    size = np.exp(abs(move))
    ratios = [Fraction(n) for n in range(2, quality.split_max_ratio + 1)]
    ratios += [Fraction(3, 2), Fraction(5, 2), Fraction(4, 3), Fraction(5, 3), Fraction(5, 4)]
    return bool(min(abs(log(ratio / size)) for ratio in ratios) <= tolerance)


def cut_wicks_in_pandas(placed: pd.DataFrame, calendar: pd.DataFrame, quality: QualityParams) -> pd.DataFrame:
    """High and low of marked bars at their body."""
    placed["PX8"] = False
    sound = placed[placed["sound"] & ~placed["PX7"]]
    body = sound[["open", "close"]]
    top, bottom = body.max(axis=1), body.min(axis=1)
    up, down = np.log(sound["high"] / top).clip(lower=0), np.log(bottom / sound["low"]).clip(lower=0)
    larger, sessions = np.maximum(up, down), list(calendar["session"])
    before = np.log(sound["close"].shift())
    bucket = sound["m"] // quality.outlier_bucket_min
    for index in larger.index[larger > log(1 + quality.wick_floor_share)]:
        day = sound.loc[index, "session"]
        number = sessions.index(day)
        past = sessions[max(0, number - quality.outlier_past_sessions) : number]
        usual = larger[sound["session"].isin(past) & (bucket == bucket[index])].median()
        today = larger[(sound["session"] == day) & (sound.index < index)].tail(30)
        scale = NORMAL * np.fmax(usual, today.median() if len(today) >= 5 else 0.0)
        close = log(sound.loc[index, "close"])
        moves = np.abs(close - np.array([log(sound.loc[index, "open"]), before[index]]))
        ceiling = log(quality.jump_ceiling_ratio)
        limit = np.fmax(quality.wick_mads * scale, log(1 + quality.wick_floor_share)) + 3 * min(
            np.nanmax(moves), ceiling
        )
        limit = min(max(limit, log(1 + 3 * quality.tick_size / bottom[index])), ceiling)
        for name, wick, edge in (("high", up, top), ("low", down, bottom)):
            if wick[index] > limit:
                placed.loc[index, [name, "PX8"]] = [edge[index], True]
    placed["PX8"] = placed["PX8"].astype(bool)
    return placed


def copies_in_pandas(placed: pd.DataFrame, quality: QualityParams) -> pd.DataFrame:
    """`TS8` by session that holds rows of an earlier one."""
    rows = placed[placed["sound"] & (placed["volume"] > 0) & (placed["high"] > placed["low"])]
    keys = ["m", *PRICES, "volume"]
    pairs = rows.merge(rows, on=keys, suffixes=("", "_before"))
    pairs = pairs[pairs["session_before"] < pairs["session"]]
    pairs = pairs.sort_values("session_before").groupby(["session", "m"], as_index=False).last()
    counts = pairs.groupby(["session", "session_before"]).size().rename("TS8").reset_index()
    least = quality.copy_min_share * rows.groupby("session").size().reindex(counts["session"]).to_numpy()
    counts = counts[(counts["TS8"] >= 20) & (counts["TS8"] >= least)]
    return counts.sort_values(["TS8", "session_before"], ascending=False).groupby("session")[["TS8"]].first()
