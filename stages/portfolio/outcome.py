"""How a run ended: the gates with the verdict of all, what the holdout released, and seven short figures.

Three kinds of gates are required: the controls hold, at least one symbol of the whitelist may trade, and the book of
those that trade passes on the holdout. A symbol that has nothing to forecast is kept out by its own cell's gates; that
it stays out is the gates at work and fails no run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from stages.backtesting.daily import daily_table
from stages.backtesting.strategy import Strategy
from stages.portfolio.book import Span, book_figures, break_even
from stages.portfolio.evidence import evidence
from stages.portfolio.gates import trading_gates
from stages.scoring.params import GatesParams
from stages.scoring.verdict import Judgement, Verdict, worst
from stages.tables.trades import Trades
from stages.universe.names import few

Document = dict[str, Any]
BEST_FIRST = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)
CELL = ("symbol", "history_days", "horizon_min", "method")


@dataclass(frozen=True)
class Outcome:
    """A strategy by name and its traded spans: `search`, and `holdout` only if it was opened for this very name."""

    name: str
    open_for: str | None
    strategy: Strategy
    spans: Mapping[str, Span]

    @property
    def holdout(self) -> Span | None:
        """The holdout, if it is open."""
        return self.spans.get("holdout")

    @property
    def status(self) -> str:
        """`OPEN` or `SEALED`."""
        return "OPEN" if self.holdout else "SEALED"

    @property
    def released_trades(self) -> pl.DataFrame:
        """The holdout's trades; none while it is sealed."""
        return self.holdout.trades if self.holdout else Trades.create_empty()

    @property
    def released_daily(self) -> pl.DataFrame:
        """What the holdout's sessions earned; no row while it is sealed."""
        sessions = self.holdout.calendar["session"].to_list() if self.holdout else []
        return daily_table(self.released_trades, sessions, self.strategy.whitelist)


def gates_document(
    outcome: Outcome,
    forecast_gates: Mapping[str, Any],
    controls: Mapping[str, Any],
    ranking: pl.DataFrame,
    params: GatesParams,
) -> Document:
    """`gates.json`. `holds` says whether the verdict is good enough: PASS, or INCONCLUSIVE where params only warn.

    `selection` is evidence that is shown and not judged: what is left of the strategy's Sharpe ratio after all trials.
    """
    whitelist, holdout = outcome.strategy.whitelist, outcome.holdout
    cells = _trading_cells(forecast_gates, outcome.strategy)
    found = evidence(holdout, whitelist, params) if holdout else None
    gates = {"controls": _controls(controls), "forecast": _forecast(cells), **trading_gates(found, params)}
    verdict = worst(gate.verdict for gate in gates.values())
    enough = {Verdict.PASS} if params.inconclusive == "fail" else {Verdict.PASS, Verdict.INCONCLUSIVE}
    return {
        "verdict": verdict.value,
        "holds": verdict in enough,
        "policy": params.policy,
        "inconclusive": params.inconclusive,
        "strategy_id": outcome.name,
        "gates": {name: gate.as_document() | {"required": True} for name, gate in gates.items()},
        "cells": cells,
        "selection": _selection(ranking, outcome.strategy.combo),
    }


def oos_document(outcome: Outcome) -> Document:
    """`oos.json`: the strategy's id and who trades; its holdout's key figures if it was opened for exactly this id."""
    held = outcome.holdout
    return {
        "strategy_id": outcome.name,
        "open_for": outcome.open_for,
        "trading": outcome.strategy.trading,
        "status": outcome.status,
        "sessions": held.calendar["session"].dt.to_string().to_list() if held else None,
        "kpis": book_figures(held, held.trades, outcome.strategy.whitelist) if held else None,
        "break_even_cost_multiple": break_even(held) if held else None,
    }


def summary(outcome: Outcome, gates: Mapping[str, Any], metrics: Mapping[str, Any]) -> Document:
    """The leaderboard's seven figures; all but `oos_sharpe` and `verdict` are the search span's, errors pooled."""
    strategy, search, held = outcome.strategy, outcome.spans["search"], outcome.holdout
    stated = book_figures(search, search.trades, strategy.whitelist)
    oos_sharpe = book_figures(held, held.trades, strategy.whitelist)["sharpe"] if held else None
    kind = (strategy.rules.history_days, strategy.rules.horizon_min, strategy.method)
    pooled = {tuple(entry[name] for name in CELL[1:]): entry["metrics"] for entry in metrics["pooled"]}.get(kind)
    return {
        "rmae": _short(pooled["rmae"]["calibrated"]["value"], 3) if pooled else None,
        "cover": _short(pooled["coverage_50"]["calibrated"]["value"], 3) if pooled else None,
        "sharpe": _short(stated["sharpe"], 2),
        "oos_sharpe": _short(oos_sharpe, 2),
        "net_bp": _short(stated["net_bp"], 1),
        "trades": stated["trades"],
        "verdict": gates["verdict"],
    }


def _trading_cells(forecast_gates: Mapping[str, Any], strategy: Strategy) -> dict[str, Document]:
    """By symbol of the whitelist: its judgement for the forecasts that the strategy would trade."""
    wanted = {
        symbol: (symbol, strategy.rules.history_days, strategy.horizon_min(symbol), strategy.method)
        for symbol in strategy.whitelist
    }
    judged = {tuple(cell[name] for name in CELL): cell for cell in forecast_gates["cells"]}
    return {symbol: judged[cell] for symbol, cell in wanted.items() if cell in judged}


def _selection(ranking: pl.DataFrame, combo: str) -> Document:
    """What the sweep says of the stated rule; `dsr` is null where the grid does not hold that rule.

    `dsr` knows of all `trials`; the other figures know of the `grid_variants` alone.
    """
    grid = ranking.row(0, named=True)  # what concerns the whole grid stands alike on every row
    stated = ranking.filter(combo=combo)
    return {
        "combo": combo,
        "dsr": stated["dsr"][0] if stated.height else None,
        "grid_variants": ranking.height,
        **{name: grid[name] for name in ("pbo", "spa_p", "trials", "effective_trials")},
    }


def _controls(controls: Mapping[str, Any]) -> Judgement:
    said = {name: Verdict(proof["verdict"]) for name, proof in sorted(controls.items()) if name != "verdict"}
    return Judgement(
        verdict=Verdict(controls["verdict"]),
        value=float(sum(verdict == Verdict.PASS for verdict in said.values())),
        threshold=float(len(said)),
        bound=None,
        n=len(said),
        n_days=0,
        words=f"Forecasters that would expose this pipeline: {_listed(said)}.",
    )


def _forecast(cells: Mapping[str, Document]) -> Judgement:
    said = {symbol: Verdict(cell["verdict"]) for symbol, cell in cells.items()}
    judged = [gate for cell in cells.values() for gate in cell["gates"].values()]
    return Judgement(
        verdict=next((verdict for verdict in BEST_FIRST if verdict in said.values()), Verdict.INCONCLUSIVE),
        value=float(sum(cell["eligible"] for cell in cells.values())),
        threshold=1.0,
        bound=None,
        n=len(cells),
        n_days=max((gate["n_days"] for gate in judged), default=0),
        words=f"Symbols of the whitelist by the forecasts they would trade: {_listed(said) or 'none'}.",
    )


def _listed(verdicts: Mapping[str, Verdict]) -> str:
    """Names by their verdict: `2 PASS: STRONG, WEAK; 1 FAIL: NULL`."""
    found = {verdict: [name for name, said in verdicts.items() if said == verdict] for verdict in Verdict}
    return "; ".join(f"{len(names)} {verdict.value}: {few(names)}" for verdict, names in found.items() if names)


def _short(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals)
