"""Params section `sweep`: the grid of rule variants, and how one of them is proposed."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from stages.requests.params import Minutes
from stages.tables.section import Section


class Grid(BaseModel):
    """The values of each swept rule; every combination is one combo."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    history_days: Annotated[tuple[int, ...], Field(min_length=1)]
    horizon_min: Annotated[tuple[Minutes, ...], Field(min_length=1)]
    k_sigma: Annotated[tuple[float, ...], Field(min_length=1)]
    s_stop: Annotated[tuple[float, ...], Field(min_length=1)]
    s_take: Annotated[tuple[float, ...], Field(min_length=1)]


class ChooseBy(BaseModel):
    """The stated rule of choice: the best plateau Sharpe among combos with enough trades, ties by lower turnover."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_trades: Annotated[int, Field(ge=0)]
    plateau: bool


class SweepParams(Section):
    """Grid, choice, and how many variants were tried before this grid."""

    section = "sweep"

    grid: Grid
    choose_by: ChooseBy
    prior_trials: Annotated[int, Field(ge=0)]
    pbo_blocks: Annotated[int, Field(ge=2)]
    spa_reps: Annotated[int, Field(ge=100)]
    spa_seed: Annotated[int, Field(ge=0)]
