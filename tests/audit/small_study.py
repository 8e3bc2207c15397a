"""A study small enough to be replayed dozens of times: two symbols, fourteen sessions, two snapshots a day."""

import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from hashlib import md5
from typing import Any

import polars as pl

from stages.audit.audit import Passed, after_gaps, audit, instants
from stages.audit.replay import Known, Replay, run
from stages.audit.world import World
from stages.params.quality import DialectParams
from stages.params.study import Study
from stages.questions.market import Market
from stages.runs.replayed_study import Record, dialect_of, replay_of
from stages.sessions.calendar import trading_calendar
from stages.sources.synthetic import synthetic_bars
from stages.tables.forecasts import Quantiles
from tests.features.made_bars import committed_params, made_events

CALENDAR = trading_calendar(date(2024, 10, 28), date(2024, 11, 14))  # New York leaves summer time on 2024-11-03
SYMBOLS = ("NULL", "STRONG")
CHANGES: dict[str, dict[str, Any]] = {
    "universe": {"symbols": SYMBOLS, "whitelist": ["STRONG"], "context_symbol": "NULL"},
    "features": {"names": ["ret_1m", "sigma_5m", "volume_norm", "context_ret_1m", "event_today", "minutes_to_event"]},
    "requests": {"history_days": [2], "horizons_min": [10, 20], "snapshots_et": ["10:30", "13:30"]},
    "forecaster": {"lookback_sessions": 2, "min_rows": 1, "fhs_paths": 100},
    "calibration": {"methods": ["identity", "widen", "cqr", "aci"], "min_outcomes": 4, "window_sessions": 8},
    "rules": {"history_days": 2, "k_sigma": 0.0},
    "worth": {"candidates": ["persistence", "ewma_fhs"]},
}
GRID = {"history_days": [2], "horizon_min": [10]}
GATES = {
    "cells": [
        {"symbol": symbol, "history_days": 2, "horizon_min": 10, "method": "cqr", "eligible": True}
        for symbol in SYMBOLS
    ]
}


def study_of(**changes: dict[str, Any]) -> Study:
    """The committed params, made small, with changes by section."""
    document = deepcopy(committed_params())
    document["sweep"]["grid"] |= GRID
    for sections in (CHANGES, changes):
        for name, values in sections.items():
            document[name] |= values
    return Study.parse(document)


@cache
def delivered() -> dict[str, pl.DataFrame]:
    """Bars as the artificial vendor delivers them."""
    market = study_of().source.synthetic
    assert market is not None
    return {symbol: synthetic_bars(symbol, market, CALENDAR) for symbol in SYMBOLS}


def announced() -> pl.DataFrame:
    """An event on every session at noon, announced ten minutes after the first snapshot."""
    opens = CALENDAR["open_utc"].to_list()
    return made_events(*((at + timedelta(minutes=150), "*", at + timedelta(minutes=70)) for at in opens))


def record_of(quantiles: pl.DataFrame | None = None) -> Record:
    """The whole record; its last two sessions are sealed."""
    return Record(CALENDAR, CALENDAR[:-2], GATES, Quantiles.create_empty() if quantiles is None else quantiles)


STAGES = ("check", "build", "plan", "answer", "answer_free", "correct", "mix", "decide")
Stage = Callable[..., Any]


def remembering(replay: Replay) -> Replay:
    """The same replay, of which each stage is computed once for the same tables."""

    def remembered(stage: Stage) -> Stage:
        known: dict[bytes, Any] = {}

        def told(*tables: Any) -> Any:
            parts = [(m.bars, m.features, m.usable, m.halts) if isinstance(m, Market) else m for m in tables]
            asked = md5(pickle.dumps(parts), usedforsecurity=False).digest()
            if asked not in known:
                known[asked] = stage(*tables)
            return known[asked]

        return told

    return replace(replay, **{name: remembered(getattr(replay, name)) for name in STAGES})


@cache
def honest() -> Replay:
    """The small study's."""
    return remembering(replay_of(study_of(), record_of()))


def leaking(honest: Replay, world: World, **leaky: Stage) -> Replay:
    """The honest replay with some stages exchanged; those after them say what they say of the world as it is."""
    said: dict[str, Any] = {}

    def noting(name: str) -> Stage:
        def noted(*tables: Any) -> Any:
            said[name] = getattr(honest, name)(*tables)
            return said[name]

        return noted

    run(replace(honest, **{name: noting(name) for name in STAGES}), world)
    later = STAGES[1 + max(map(STAGES.index, leaky)) :]
    return replace(honest, **leaky, **{name: lambda *_, name=name: said[name] for name in later})


@dataclass(frozen=True)
class Audited:
    """A world, a replay and instants to try."""

    replay: Replay = field(default_factory=lambda: replay_of(study_of(), record_of()))
    bars: dict[str, pl.DataFrame] = field(default_factory=delivered)
    dialect: DialectParams = field(default_factory=lambda: dialect_of(study_of()))

    @property
    def world(self) -> World:
        return World(self.bars, announced(), self.dialect)

    @cached_property
    def base(self) -> list[Known]:
        """The replay of the whole world, which every pass is held against."""
        return run(self.replay, self.world)

    def passes(self, count: int = 8, seed: int = 1) -> list[Passed]:
        """Every instant that passed; raises at the first that does not."""
        return list(audit(self.replay, self.world, self.base, moments(self.base, count, seed)))


@cache
def unchanged() -> Audited:
    """The small study as its params and bars are, for tests that change nothing: it is replayed once."""
    return Audited(honest())


def moments(base: list[Known], count: int, seed: int) -> list[datetime]:
    """Random instants of the small study, and some amid gaps if it has any."""
    (schedule,) = (one.rows for one in base if one.stage == "build_requests")
    at = instants(schedule, CALENDAR, 20, count, seed)
    return sorted({*at, *after_gaps(base[0].rows, at[0], count // 2, seed)})
