"""The ranking of a sweep, with corrections for multiple testing, and the combo it proposes.

*Tables*: one row a combo, best first: its position on the axes, its key figures, `plateau_sharpe` (mean Sharpe ratio of
the combo and its grid neighbours, missing ones as 0), `dsr` (deflated Sharpe ratio, from `sweep.choose_by.min_trades`
trades on), `same_trades_as` (the first combo of the grid with identical trades), `proposable`, and, equal on every row,
figures of the whole grid: `pbo`, `spa_p` and `effective_trials` (of this grid's combos at the stated costs) and
`trials` (this grid and `sweep.prior_trials`; every `dsr` accounts for all of them).

The proposal is `{combo, params, why}`: `params` by section holds only what differs from params.yaml; it and `combo` are
null where nothing qualifies. `make adopt` writes `params` into conf/.

*Time*: everything comes from the search span.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
import polars as pl

from stages.errors import count
from stages.params.sweep import ChooseBy, SweepParams
from stages.trading.daily import Floats
from stages.trading.grid import Combo, neighbours
from stages.trading.multiplicity import deflated_sharpe, effective_trials, overfitting_probability, superior_ability_p
from stages.trading.performance import DECIMALS, MIN_SESSIONS, Book, kpis, rounded
from stages.trading.strategy import Strategy

COMBOS_AT_ONCE = 50


@dataclass(frozen=True)
class Swept:
    """A finished sweep of variants of `base`: every combo with its book, in the sessions of `calendar`."""

    base: Strategy
    combos: Sequence[Combo]
    books: Sequence[Book]
    calendar: pl.DataFrame

    @cached_property
    def daily_bp(self) -> Floats:
        """Daily P&L, each of its own capital. *Shapes*: (sessions, combos)."""
        daily = np.empty((self.calendar.height, len(self.books)))
        for n, (book, combo) in enumerate(zip(self.books, self.combos, strict=True)):
            daily[:, n] = book.net_bp(max(len(combo.strategy.trading), 1))
        return daily

    def daily(self) -> Iterator[pl.DataFrame]:
        """Rows of `GridDaily`, some combos at a time."""
        sessions = self.calendar["session"]
        by_name = sorted(range(len(self.combos)), key=lambda n: self.combos[n].strategy.combo)
        for first in range(0, len(by_name), COMBOS_AT_ONCE):
            yield self._daily_of(by_name[first : first + COMBOS_AT_ONCE], sessions)

    def _daily_of(self, numbers: Sequence[int], sessions: pl.Series) -> pl.DataFrame:
        names = [self.combos[n].strategy.combo for n in numbers]
        days = pl.DataFrame(self.daily_bp[:, numbers], schema=names, orient="row").with_columns(sessions)
        return days.unpivot(index="session", variable_name="combo", value_name="net_bp")


def ranking(swept: Swept, params: SweepParams) -> pl.DataFrame:
    """Every combo, ordered by the stated rule of choice, best first."""
    whole = _of_the_grid(swept, params)
    figures = [
        kpis(book, swept.calendar, len(combo.strategy.trading))
        for book, combo in zip(swept.books, swept.combos, strict=True)
    ]
    plateaus = _plateaus([row["sharpe"] for row in figures], neighbours(swept.combos))
    rows = [
        {"combo": combo.strategy.combo}
        | _axes(combo)
        | figure
        | {"plateau_sharpe": plateau, "dsr": dsr, "same_trades_as": twin}
        | {"proposable": _proposable(combo, figure, plateau, swept.base, params.choose_by)}
        | whole
        for combo, figure, plateau, dsr, twin in zip(
            swept.combos, figures, plateaus, deflated_sharpes(swept, params), _twins(swept), strict=True
        )
    ]
    merit = merit_of(params.choose_by)
    table = pl.DataFrame(rows, infer_schema_length=None)
    return table.sort(merit, "turnover", "combo", descending=[True, False, False], nulls_last=True)


def merit_of(choose_by: ChooseBy) -> str:
    """The column by which combos are compared."""
    return "plateau_sharpe" if choose_by.plateau else "sharpe"


def _proposable(combo: Combo, figure: Mapping[str, Any], plateau: float, base: Strategy, choose_by: ChooseBy) -> bool:
    """Enough trades, a positive Sharpe ratio by the stated measure, and the costs that params state."""
    merit = plateau if choose_by.plateau else figure["sharpe"]
    earns = figure["sharpe"] is not None and merit > 0.0
    return bool(earns and figure["trades"] >= choose_by.min_trades and combo.strategy.costs == base.costs)


def _axes(combo: Combo) -> dict[str, Any]:
    """The position of a combo; a holding time may be minutes, `horizon` or nothing, so it is text."""
    hold = combo.values["max_hold_min"]
    return {**combo.values, "max_hold_min": None if hold is None else str(hold)}


def _plateaus(sharpes: Sequence[float | None], around: Sequence[Sequence[int]]) -> list[float]:
    known = np.array([0.0 if ratio is None else ratio for ratio in sharpes])
    return [round(float(known[numbers].mean()), DECIMALS) for numbers in around]


def _twins(swept: Swept) -> list[str | None]:
    """The first combo with the same P&L in every session and the same totals: such combos made the same trades."""
    first: dict[tuple[Any, ...], str] = {}
    found: list[str | None] = []
    for combo, book in zip(swept.combos, swept.books, strict=True):
        name = combo.strategy.combo
        twin = first.setdefault((sha256(book.net_units.tobytes()).digest(), *book.totals), name)
        found.append(None if twin == name else twin)
    return found


def deflated_sharpes(swept: Swept, params: SweepParams) -> list[float | None]:
    """The Sharpe ratio of each combo, deflated by the number of all trials ever and the variance of their ratios.

    The spread of this grid is not used, since near-copies would narrow it.
    """
    sessions, combos = swept.daily_bp.shape
    variance = max(1.0, params.prior_sharpe_var or 1.0) / max(sessions, 1)
    trials = combos + params.prior_trials
    return [
        rounded(deflated_sharpe(swept.daily_bp[:, n], variance, trials))
        if book.trades >= params.choose_by.min_trades
        else None
        for n, book in enumerate(swept.books)
    ]


def _of_the_grid(swept: Swept, params: SweepParams) -> dict[str, float | int | None]:
    """Figures of the whole grid, `pbo` and the like of combos at the stated costs: cheaper copies would hide luck."""
    daily_bp = swept.daily_bp[:, [combo.strategy.costs == swept.base.costs for combo in swept.combos]]
    return {
        "pbo": rounded(overfitting_probability(daily_bp, params.pbo_blocks)),
        "spa_p": rounded(superior_ability_p(daily_bp, params.spa_reps, params.spa_seed)),
        "trials": len(swept.combos) + params.prior_trials,
        "effective_trials": rounded(effective_trials(daily_bp)),
    }


def proposal(swept: Swept, ranking: pl.DataFrame, choose_by: ChooseBy) -> dict[str, Any]:
    """The proposal, from the first proposable row of the ranking."""
    merit = merit_of(choose_by)
    best = ranking.filter("proposable").head(1).to_dicts()
    if not best:
        return {"combo": None, "params": None, "why": _nothing(ranking, swept.base.costs.cost_mult, choose_by)}
    (row,) = best
    chosen = next(combo for combo in swept.combos if combo.strategy.combo == row["combo"])
    measure = "mean Sharpe ratio with its neighbours on the grid" if choose_by.plateau else "Sharpe ratio"
    qualified = ranking["proposable"].sum()
    combos = "1 combo that qualifies" if qualified == 1 else f"{qualified} combos that qualify"
    why = (
        f"the best {measure} ({row[merit]:.2f}) of {combos}, "
        f"out of {ranking.height} tried here and {row['trials']} in all"
    )
    return {"combo": row["combo"], "params": _changes(swept.base, chosen), "why": why}


def _nothing(ranking: pl.DataFrame, cost_mult: float, choose_by: ChooseBy) -> str:
    """Why no combo at the stated costs qualifies."""
    ranking = ranking.filter(cost_mult=cost_mult)
    if ranking.is_empty():
        return f"no combo pays the stated costs: add costs.cost_mult = {cost_mult:g} to sweep.grid.cost_mult"
    most = max(ranking["trades"].to_list())
    if most == 0:
        return "no combo trades"
    if most < choose_by.min_trades:
        return f"no combo makes sweep.choose_by.min_trades = {choose_by.min_trades} trades; the most is {most}"
    if ranking["sharpe"].null_count() == ranking.height:
        sessions = ranking["sessions"][0]
        few = f"{count(sessions, 'session')}, and it takes {MIN_SESSIONS}"
        alike = "the result of each is the same on every day"
        return f"no combo has a Sharpe ratio to choose by: {few if sessions < MIN_SESSIONS else alike}"
    if ranking.select(((pl.col("trades") >= choose_by.min_trades) & (pl.col("sharpe") > 0.0)).any()).item():
        return "no combo with enough trades has a mean Sharpe ratio with its neighbours on the grid above zero"
    return "no combo with enough trades earns more than it costs"


def _changes(base: Strategy, chosen: Combo) -> dict[str, dict[str, Any]]:
    """The params in which the chosen strategy differs from the stated one."""
    stated, wanted = base.rules.model_dump(), chosen.strategy.rules.model_dump()
    rules = {name: value for name, value in wanted.items() if value != stated[name]}
    method = {"method": chosen.strategy.method} if chosen.strategy.method != base.method else {}
    return {section: values for section, values in (("rules", rules), ("calibration", method)) if values}
