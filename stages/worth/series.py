"""The series of days in a study: every comparison of the asked forecaster with a free one, by question.

*Tables*: forecasts in the form of `Scored`, by one calibration method; rows of `WorthDays`.
*Units*: as in `tables/worth.py`.
*Time*: only days after `forecaster.trained_until` are evidence. A day's value is known once its outcomes are.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from stages.params.study import StageStudy
from stages.tables.forecasts import MIX
from stages.worth.day_values import DIRECTION, SHAPE, days_of
from stages.worth.evidence import Floats
from stages.worth.verdict import Finding, Terms, judge

if TYPE_CHECKING:
    from stages.worth.money import MoneyDays  # it loads numba, which is slow, and a plan trades nothing

PRIMARY, RAW, MONEY = "primary", "raw", "money"
CALIBRATED = "calibrated"
LOG10 = np.log(10.0)


class Comparison(NamedTuple):
    """The asked forecasts against a free one: a column of `Compared` at a horizon."""

    free: str
    column: str
    horizon_min: int


class LeftOut(NamedTuple):
    """How many questions were left out of the comparison with `free_mix`, as in `Compared`."""

    void: int
    uncalibrated: int
    no_scale: int


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Both sides of a study on the search span.

    `days` are rows of `symbol_days` by comparison; `weights` are the last ones of the mix, by name; `calls` is table
    `Calls`. `learns_here`: the asked forecaster is local, so nothing is paid. `untrained`: it learns from the record
    alone, whereas a program of the user's may have been trained on these days.
    """

    days: Mapping[Comparison, pl.DataFrame]
    left_out: LeftOut
    weights: Mapping[str, float]
    calls: pl.DataFrame
    money: "MoneyDays"
    learns_here: bool
    untrained: bool


@dataclass(frozen=True, kw_only=True)
class Series:
    """The days of one cell of a question, and how many were set aside for lack of symbols.

    *Shapes*: (days,), oldest first; `before`: days that are no evidence.
    """

    question: str
    cell: str
    sessions: Sequence[date]
    x: Floats
    n_questions: Sequence[int]
    terms: Terms
    trained_until: date | None
    set_aside: int = 0

    @property
    def before(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which days the model may have been trained on."""
        until = self.trained_until or date.min
        return np.array([session <= until for session in self.sessions], dtype=bool)

    @property
    def counted(self) -> list[date]:
        """The sessions that are evidence."""
        return [session for session, before in zip(self.sessions, self.before, strict=True) if not before]

    def judged(self) -> Finding:
        """The verdict on the days that are evidence; only primary series have an interval for every day."""
        return judge(self.x[~self.before], self.terms, bounds_by_day=self.cell == PRIMARY)

    def rows(self, finding: Finding) -> pl.DataFrame:
        """Rows of `WorthDays`."""
        days = finding.by_day
        by_day = {
            "mean": days.mean,
            "s": days.scale,
            "log10_e_better": days.log_e_better / LOG10,
            "log10_e_small": days.log_e_small / LOG10,
            "lower": days.lower,
            "upper": days.upper,
        }
        at = np.flatnonzero(~self.before)[: len(days.x)]
        columns = {name: np.full(len(self.x), np.nan) for name in by_day}
        for name, values in by_day.items():
            columns[name][at] = values
        facts = {"question": self.question, "cell": self.cell, "session": self.sessions, "before": self.before}
        frame = pl.DataFrame({**facts, "n_questions": self.n_questions, "x": self.x, **columns})
        return frame.with_columns(pl.col(*by_day).fill_nan(None))


def primary_horizon(study: StageStudy) -> int:
    """The horizon that the verdict is about."""
    return study.worth.horizon_min or study.rules.horizon_min


def terms_of(study: StageStudy) -> Terms:
    """The terms of the questions of shape and direction."""
    worth = study.worth
    return Terms(
        delta=worth.delta,
        alpha=worth.alpha,
        prior_studies=worth.prior_studies,
        min_days=worth.min_days,
        planned_sessions=worth.planned_sessions,
        s0=worth.planned_sd,
    )


@dataclass(frozen=True)
class Cell:
    """What is compared: a question, its name, the comparison, and the symbols."""

    question: str
    name: str
    compared: Comparison
    symbols: Sequence[str]


def cells_of(study: StageStudy, free: Collection[str]) -> Iterator[Cell]:
    """Every comparison with a free forecast, the primary ones (with the mix) first."""
    symbols, horizon = study.universe.symbols, primary_horizon(study)
    for question in (SHAPE, DIRECTION):
        for name, version in ((PRIMARY, CALIBRATED), (RAW, RAW)):
            yield Cell(question, name, Comparison(MIX, f"{question}_{version}", horizon), symbols)
    shape = f"{SHAPE}_{CALIBRATED}"
    for minutes in study.requests.horizons_min:
        if minutes != horizon:
            yield Cell(SHAPE, f"horizon={minutes}", Comparison(MIX, shape, minutes), symbols)
    for symbol in sorted(symbols) if len(symbols) > 1 else ():
        yield Cell(SHAPE, f"symbol={symbol}", Comparison(MIX, shape, horizon), [symbol])
    for name in sorted(set(free) - {MIX, study.forecaster.name}):
        yield Cell(SHAPE, f"free={name}", Comparison(name, shape, horizon), symbols)


def series_of(study: StageStudy, sides: Sides) -> Iterator[Series]:
    """The days of every cell of every question."""
    terms, until = terms_of(study), study.forecaster.trained_until
    for cell in cells_of(study, {one.free for one in sides.days}):
        rows = sides.days[cell.compared]
        days = days_of(rows.filter(pl.col("symbol").is_in(list(cell.symbols))), cell.symbols)
        yield Series(
            question=cell.question,
            cell=cell.name,
            sessions=days.table["session"].to_list(),
            x=days.table["x"].to_numpy(),
            n_questions=days.table["n_questions"].to_list(),
            terms=terms,
            trained_until=until,
            set_aside=days.set_aside,
        )
    yield Series(
        question=MONEY,
        cell=PRIMARY,
        sessions=sides.money.calls["session"].to_list(),
        x=sides.money.net,
        n_questions=sides.money.calls["calls"].to_list(),
        terms=replace(terms, delta=0.0, s0=sides.money.sd),
        trained_until=until,
    )
