"""Params section `sweep`: the grid of rule variants, and how one of them is proposed."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator

from stages.params.requests import Days, Minutes
from stages.params.rules import NonNegative, Positive
from stages.params.section import Closed, Section, each_once


class Grid(Closed):
    """The values of each swept axis; every combination is one combo. An empty axis keeps the stated value.

    `horizon_min` is one horizon for all symbols, also for those of `rules.horizon_min_by_symbol`. `method` is a
    calibration method; `cost_mult` is ranked for information and never proposed.
    """

    history_days: tuple[Days, ...]
    horizon_min: tuple[Minutes, ...]
    k_sigma: tuple[NonNegative, ...]
    s_stop: tuple[Positive, ...]
    s_take: tuple[Positive, ...]
    max_hold_min: tuple[Minutes | Literal["horizon"] | None, ...]
    method: tuple[str, ...]
    cost_mult: tuple[NonNegative, ...]

    _names_each_value_once = field_validator("*")(each_once)


class ChooseBy(Closed):
    """The stated rule of choice: the best Sharpe ratio among combos with enough trades, ties by lower turnover.

    With `plateau` a combo is judged with its grid neighbours: the mean of their Sharpe ratios, missing ones as 0.
    """

    min_trades: Annotated[int, Field(ge=0, le=1_000_000_000)]
    plateau: bool


class SweepParams(Section, section="sweep"):
    """Grid, rule of choice, and what was tried before this grid.

    `prior_trials` variants were tried that are not in this grid. `prior_sharpe_var` is the variance of the scores of
    all trials, a score being a Sharpe ratio per session times the root of its sessions; null means 1, the variance of
    luck alone. `make trials` writes both. Up to `folders_up_to` combos have a folder each; above that, one table holds
    all, since DVC hashes file by file. `pbo_blocks` is even: one half of the blocks is compared with the other.
    """

    grid: Grid
    choose_by: ChooseBy
    prior_trials: Annotated[int, Field(ge=0, le=1_000_000_000)]
    prior_sharpe_var: Annotated[float, Field(gt=0, le=1_000_000)] | None
    folders_up_to: Annotated[int, Field(ge=1, le=1_000_000)]
    pbo_blocks: Annotated[int, Field(ge=2, le=20)]
    spa_reps: Annotated[int, Field(ge=100, le=100_000)]
    spa_seed: Annotated[int, Field(ge=0, le=2**32 - 1)]

    def _problems(self) -> Iterator[str]:
        if self.pbo_blocks % 2:
            yield (
                f"sweep.pbo_blocks is {self.pbo_blocks}: it must be even, since PBO compares one half of the blocks "
                f"with the other; use {self.pbo_blocks - 1} or {self.pbo_blocks + 1}"
            )
