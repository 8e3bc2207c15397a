"""Free forecasts: the candidates of `worth.candidates` at every asked snapshot, from every bar known there.

A free question is the asked one without its limits: it looks back up to `forecaster.lookback_sessions` usable sessions,
whatever the service would take. The draws of `ewma_fhs` are seeded by its key, so they are the same on every machine.

The same snapshots of the `worth.warmup_sessions` before the first asked session are answered too, if bars reach back
far enough. That first session is the study's, not the symbol's: a symbol that is asked later would otherwise choose its
warm-up by its own future.

A program of the user's (`command`) is not run here: `program_candidate.py` asks it the questions planned here.

*Tables*: `Schedule` -> rows of `Quantiles`, model `free:<name>`, without key, since nobody is asked.
*Time*: a candidate sees the bars known at the snapshot, as any forecaster does.
"""

import zlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import polars as pl

from stages.errors import DataContractError
from stages.forecasting.answering import answered, require_whole
from stages.forecasting.backend import Answer, Asked
from stages.forecasting.local.har import FEWEST_SESSIONS
from stages.forecasting.local.persistence import FEWEST_MOVES
from stages.forecasting.local_backend import local_backend
from stages.forecasting.program_candidate import Planned
from stages.params.forecaster import COMMAND, LocalParams, local_spec
from stages.params.model_spec import ModelSpec
from stages.params.quality import QualityParams
from stages.params.requests import RequestsParams
from stages.params.worth import Candidate, FreeParams
from stages.questions.market import Market
from stages.questions.question import Question
from stages.questions.schedule import Planner, schedule_of, verdicts_so_far
from stages.questions.timetable import timetable
from stages.tables.contract import packed
from stages.tables.forecasts import FREE, Quantiles

SNAPSHOT = ["symbol", "session", "snapshot_utc", "snapshot_et", "m0", "last", "sigma_5m"]
UNLIMITED = 1_000_000.0


@dataclass(frozen=True)
class FreeSettings:
    """The params of free forecasts, which use no exogenous column and have no limit on the look-back."""

    free: FreeParams
    local: LocalParams
    requests: RequestsParams
    quality: QualityParams

    @property
    def unlimited(self) -> RequestsParams:
        """The questions without their limits."""
        limits = {"hist_exog": (), "futr_exog": (), "exog_policy": {}, "max_lookback_ratio": UNLIMITED}
        return self.requests.model_copy(update=limits)

    @property
    def specs(self) -> dict[Candidate, ModelSpec]:
        """Every candidate as a model."""
        local, names = self.local, self.free.candidates
        return {name: local.free_spec if name == COMMAND else local_spec(name, local) for name in names}


@dataclass(frozen=True, eq=False)
class Known:
    """A symbol's inputs besides its bars: usable sessions, table `Halts`, its rows of `Schedule`."""

    usable: tuple[date, ...]
    halts: pl.DataFrame
    schedule: pl.DataFrame


@dataclass(frozen=True, eq=False)
class PerSymbol:
    """Answers of one symbol, with only its tables in memory. `warm_up`: the snapshots before any asked session.

    `remembered` caches answers by key, so that a replay answers each question once.
    """

    settings: FreeSettings
    calendar: pl.DataFrame
    warm_up: pl.DataFrame
    remembered: dict[str, Answer] | None = None

    @classmethod
    def of(cls, settings: FreeSettings, calendar: pl.DataFrame, schedule: pl.DataFrame) -> "PerSymbol":
        """For a study with this schedule."""
        first = schedule.filter(status="ok").select(pl.col("session").min().alias("first"))
        earlier = calendar.join(first, how="cross").filter(pl.col("session") < pl.col("first"))["session"]
        sessions = earlier.sort().tail(settings.free.warmup_sessions)
        always = settings.requests.model_copy(update={"first_session": None, "last_session": None})
        warm_up = timetable(calendar, always).filter(pl.col("session").is_in(sessions.implode()))
        return cls(settings, calendar, warm_up)

    def __call__(
        self, symbol: str, bars: pl.DataFrame, features: pl.DataFrame, known: Known
    ) -> tuple[pl.DataFrame, Planned]:
        """Table `Quantiles` of the symbol by the local candidates, and the questions planned for a program."""
        usable, halts = {symbol: known.usable}, {symbol: known.halts}
        market = Market({symbol: bars}, {symbol: features}, usable, self.calendar, halts)
        asked = known.schedule.filter(status="ok").select(SNAPSHOT).unique().sort("snapshot_utc")
        snapshots = pl.concat([self._warm_up(market, symbol), asked])
        if snapshots.is_empty():
            return Quantiles.create_empty(), Planned(snapshots)
        rows, questions = self._answers(market, snapshots)
        table = Quantiles.of(pl.concat(rows)) if rows else Quantiles.create_empty()
        return table, self._planned(snapshots, questions)

    def _warm_up(self, market: Market, symbol: str) -> pl.DataFrame:
        """The snapshots before the first asked session at which every candidate has enough past."""
        requests = self.settings.unlimited.model_copy(update={"history_days": (FEWEST_SESSIONS,)})
        planner = Planner(market, requests, next(iter(self.settings.specs.values())))
        blocks, horizon = market.series(symbol).blocks, requests.question_horizon_min
        until = max((blocks[session][1] for session in self.warm_up["session"]), default=0)
        verdicts = verdicts_so_far(market, symbol, self.settings.quality, until)
        planned = schedule_of([row for row, _ in planner.plan(symbol, self.warm_up.rows(named=True), verdicts)])
        moves = {session: max(0, stop - first - horizon) for session, (first, stop) in blocks.items()}
        enough = {
            session: sum(moves[day] for day in self._past(market, symbol, session)) >= FEWEST_MOVES
            for session in planned["session"].unique()
        }
        kept = [session for session, holds in enough.items() if holds]
        return planned.filter(pl.col("session").is_in(kept), status="ok").select(SNAPSHOT)

    def _answers(self, market: Market, snapshots: pl.DataFrame) -> tuple[list[pl.DataFrame], list[Question]]:
        """Rows of the local candidates, and a program's questions; a snapshot's rows are cut once for all."""
        settings = self.settings
        specs, horizons = settings.specs, settings.requests.horizons_min
        (first, spec), *rest = specs.items()
        planner, others = Planner(market, settings.unlimited, spec), dict(rest)
        backends = {name: local_backend(name, settings.local, horizons) for name in specs if name != COMMAND}
        answers: dict[str, Answer] = {} if self.remembered is None else self.remembered
        keys: dict[Candidate, list[str]] = {name: [] for name in backends}
        of_program: list[Question] = []
        for _, rows in groupby(snapshots.iter_rows(named=True), itemgetter("session")):
            day = [self._question(planner, row) for row in rows]
            windows = [cache(partial(market.window, question)) for question in day]
            for name in specs:
                questions = day if name == first else [_asked_of(others[name], question) for question in day]
                if name == COMMAND:
                    of_program += questions
                    continue
                asked = [Asked(*one) for one in zip(questions, windows, strict=True) if one[0].key not in answers]
                answers |= backends[name].answer(asked)
                for question in questions:
                    require_whole(question, answers.get(question.key))
                    keys[name].append(question.key)
        return list(self._rows(snapshots, answers, keys)), of_program

    def _rows(
        self, snapshots: pl.DataFrame, answers: dict[str, Answer], keys: dict[Candidate, list[str]]
    ) -> Iterator[pl.DataFrame]:
        """Rows of `Quantiles`, one candidate after the other."""
        for name, mine in keys.items():
            unasked = {"model": pl.lit(f"{FREE}{name}"), "key": pl.lit(None, pl.String)}
            yield answered(self._keyed(snapshots, mine), answers, self.settings.requests).with_columns(**unasked)

    def _planned(self, snapshots: pl.DataFrame, questions: list[Question]) -> Planned:
        """The questions to a program, if one is a candidate."""
        if not questions:
            return Planned(snapshots)
        keyed = self._keyed(snapshots, [one.key for one in questions])
        return Planned(keyed, zlib.compress(b"".join(one.canonical() for one in questions)))

    def _keyed(self, snapshots: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
        """The snapshots with `history_days` and the `key` of each one's question."""
        days = pl.lit(self.settings.local.lookback_sessions, pl.Int32)
        return snapshots.with_columns(history_days=days, key=pl.Series(keys))

    def _question(self, planner: Planner, row: dict[str, Any]) -> Question:
        """The question over the whole past that a candidate may use."""
        symbol = row["symbol"]
        question = planner.ask(row, len(self._past(planner.market, symbol, row["session"])))
        if not isinstance(question, Question):
            raise DataContractError(
                f"{symbol} at {row['snapshot_utc']:%Y-%m-%dT%H:%MZ} is asked, but its bars no longer hold its past "
                f"({question}): `dvc repro build_requests` writes the questions again."
            )
        return question

    def _past(self, market: Market, symbol: str, session: date) -> tuple[date, ...]:
        """The usable sessions before `session` that a candidate may use."""
        usable = market.usable[symbol]
        before = bisect_left(usable, session)
        return usable[max(0, before - self.settings.local.lookback_sessions) : before]


def _asked_of(spec: ModelSpec, question: Question) -> Question:
    """The same question to another candidate; all candidates use every row and the same clock."""
    named = {name: getattr(spec, name) for name in ("model", "model_epoch", "deployment", "options")}
    return replace(question, **named)


@dataclass(frozen=True, eq=False)
class Packed:
    """`PerSymbol` with a packed result."""

    answer: PerSymbol

    def __call__(self, symbol: str, bars: pl.DataFrame, features: pl.DataFrame, known: Known) -> tuple[bytes, Planned]:
        """Table `Quantiles` of the symbol as bytes, and the questions planned for a program."""
        quantiles, planned = self.answer(symbol, bars, features, known)
        return packed(quantiles), planned
