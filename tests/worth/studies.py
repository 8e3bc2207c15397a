"""A made study of worth: an asked model that knows a tenth of the variance, and its verdict."""

import copy
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from stages.params.study import StageStudy
from stages.tables.forecasts import is_untrained, makers
from stages.worth.day_values import compare, symbol_days
from stages.worth.judgement import judge_worth
from stages.worth.money import MoneyDays
from stages.worth.series import LeftOut, Sides, cells_of
from tests.scoring.simulated import FIRST_DAY, PARAMS, as_answered, with_truth

SYMBOLS = ("STRONG", "WEAK", "NULL")
DAYS = 40


def study_with(**changes: Any) -> StageStudy:
    """The default study with keys like `worth__delta` set to other values."""
    document = copy.deepcopy(PARAMS)
    for name, value in changes.items():
        section, key = name.split("__")
        document[section][key] = value
    return StageStudy.parse(document)


@cache
def sides_of(
    n_days: int = DAYS, *, first_day: int = 0, learns_here: bool = False, calibrated_from: int = 0, **world: Any
) -> Sides:
    """An asked model that knows a tenth of the variance, against persistence as the mix and as a candidate."""
    frame = with_truth(DAYS, symbols=SYMBOLS, **({"r2": 0.1} | world))
    known = pl.col("session").is_between(FIRST_DAY + timedelta(first_day), FIRST_DAY + timedelta(n_days - 1))
    scored = as_answered(frame).with_columns(calibrated=pl.lit(True)).filter(known)
    asked, free = (scored.filter(model=name) for name in ("asked", "persistence"))
    asked = asked.with_columns(calibrated=pl.col("session") >= FIRST_DAY + timedelta(calibrated_from))
    sessions = asked["session"].unique().sort().to_list()
    calls = pl.DataFrame({"session": sessions}).with_columns(calls=pl.lit(4), tokens=pl.lit(40_000))
    gross = np.array([3.0 if day.day % 2 else 1.0 for day in sessions])
    money = MoneyDays(calls=calls, gross=gross, net=gross - 1.0, sd=2.0)
    found, cells = compare(asked, free), cells_of(study_with(), {"free_mix", "har", "seasonal"})
    compared = {cell.compared for cell in cells}
    return Sides(
        days={one: symbol_days(found.questions, one.column, one.horizon_min) for one in compared},
        left_out=LeftOut(found.void, found.uncalibrated, found.no_scale),
        weights={"har": 0.75, "ewma_fhs": 0.25}, calls=calls, money=money, learns_here=learns_here,
        untrained=is_untrained(makers(asked)),
    )  # fmt: skip


@cache
def judged() -> tuple[dict[str, Any], pl.DataFrame]:
    """The verdict and the days of the default study."""
    return judge_worth(study_with(), "w00000000001", sides_of(r2=0.3, learns_here=True))
