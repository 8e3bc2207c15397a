"""What the sweep proposes: the best combo by the stated rule, as the params that would have to change.

*Tables*: `{combo, params, why}`: `params` by section, only what differs from params.yaml; null with `combo` null where
nothing qualifies. `make adopt` writes `params` into conf/.
"""

from typing import Any

import polars as pl

from stages.backtesting.grid import Combo
from stages.backtesting.params import ChooseBy
from stages.backtesting.ranking import Swept, merit_of
from stages.backtesting.statistics import MIN_SESSIONS
from stages.backtesting.strategy import Strategy


def proposal(swept: Swept, ranking: pl.DataFrame, choose_by: ChooseBy) -> dict[str, Any]:
    """The first proposable row of the ranking."""
    merit = merit_of(choose_by)
    best = ranking.filter("proposable").head(1).to_dicts()
    if not best:
        return {"combo": None, "params": None, "why": _nothing(ranking, choose_by)}
    (row,) = best
    chosen = next(combo for combo in swept.combos if combo.strategy.combo == row["combo"])
    measure = "mean Sharpe ratio with its neighbours on the grid" if choose_by.plateau else "Sharpe ratio"
    why = (
        f"the best {measure} ({row[merit]:.2f}) of {ranking['proposable'].sum()} combos that qualify, "
        f"out of {ranking.height} tried here and {row['trials']} in all"
    )
    return {"combo": row["combo"], "params": _changes(swept.base, chosen), "why": why}


def _nothing(ranking: pl.DataFrame, choose_by: ChooseBy) -> str:
    most = max(ranking["trades"].to_list())
    if most == 0:
        return "no combo trades"
    if most < choose_by.min_trades:
        return f"no combo makes sweep.choose_by.min_trades = {choose_by.min_trades} trades; the most is {most}"
    if ranking["sharpe"].null_count() == ranking.height:
        sessions = ranking["sessions"][0]
        return f"no combo has a Sharpe ratio to choose by: {sessions} sessions, and it takes {MIN_SESSIONS}"
    return "no combo with enough trades earns more than it costs"


def _changes(base: Strategy, chosen: Combo) -> dict[str, dict[str, Any]]:
    """The params in which the chosen strategy differs from the stated one."""
    stated, wanted = base.rules.model_dump(), chosen.strategy.rules.model_dump()
    rules = {name: value for name, value in wanted.items() if value != stated[name]}
    method = {"method": chosen.strategy.method} if chosen.strategy.method != base.method else {}
    return {section: values for section, values in (("rules", rules), ("calibration", method)) if values}
