"""The outcome of a run: all gates with the verdict, what the holdout released, and the summary figures.

Three kinds of gates are required: the controls hold, at least one symbol of the whitelist may trade, and the book of
those that trade passes on the holdout. A symbol with nothing to forecast is excluded by the gates of its own cell; this
does not fail a run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from stages.errors import shorten
from stages.params.gates import GatesParams
from stages.scoring.inference import Judgement, Verdict, worst
from stages.sessions.spans import ALL
from stages.tables.forecasts import FREE
from stages.tables.scores import Cell
from stages.tables.trades import Daily, Trades
from stages.trading.book import Span, break_even
from stages.trading.by_symbol import HOLDOUT, SEARCHED, SpanFigures
from stages.trading.daily import benchmark, daily_table
from stages.trading.gates import evidence, sealed_gates, trading_gates
from stages.trading.holdout import OpenFor, forecast_figures, sealed_words
from stages.trading.performance import Book, rounded
from stages.trading.strategy import Strategy

Document = dict[str, Any]
BEST_FIRST = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)


@dataclass(frozen=True)
class Outcome:
    """A strategy by id, traded on the search span and on the holdout parts that are open for exactly this id.

    `held` is the number of sessions of each holdout part: `{"all": 30}`, or a number by month. `figures` are of the
    search span, the open parts and the opened holdout.
    """

    name: str
    open_for: OpenFor
    strategy: Strategy
    search: Span
    held: Mapping[str, int]
    opened: Mapping[str, Span]
    figures: Mapping[str, SpanFigures]

    @cached_property
    def released(self) -> Span | None:
        """All open parts as one span."""
        parts = list(self.opened.values())
        return Span.joined(parts) if parts else None

    @property
    def sealed_words(self) -> str | None:
        """Why the book is not judged on the holdout."""
        return sealed_words(self.held, self.opened)

    @property
    def holdout(self) -> Span | None:
        """The whole holdout, if every part of it is open."""
        return self.released if self.sealed_words is None else None

    @property
    def status(self) -> str:
        """`OPEN` if the whole holdout is open, else `SEALED`."""
        return "OPEN" if self.holdout else "SEALED"

    @property
    def months(self) -> dict[str, Span]:
        """The open months of the holdout; empty where it is one part."""
        return {name: span for name, span in self.opened.items() if name != ALL}

    @property
    def spans(self) -> dict[str, Span]:
        """The spans that are judged: the search span, and the whole holdout if it is open."""
        return {SEARCHED: self.search} | ({HOLDOUT: self.holdout} if self.holdout else {})

    @property
    def released_trades(self) -> pl.DataFrame:
        """The trades of the open parts; none while all are sealed."""
        return self.released.trades if self.released else Trades.create_empty()

    @property
    def released_daily(self) -> pl.DataFrame:
        """Daily P&L of the open parts; no row while all are sealed."""
        sessions = self.released.calendar["session"].to_list() if self.released else []
        return daily_table(self.released_trades, sessions, self.strategy.whitelist, self.strategy.trading)

    @property
    def redecided(self) -> dict[str, Sequence[Book]]:
        """The books of the strategy's `variants` by span."""
        return {name: one.books for name, one in self.figures.items()}

    @property
    def benchmark(self) -> pl.DataFrame:
        """Buy and hold of the symbols that may trade, or of the whitelist where none may, in the judged spans."""
        sessions = {name: span.calendar["session"] for name, span in self.spans.items()}
        earned = {name: one.earned for name, one in self.figures.items()}
        return benchmark(sessions, earned, self.strategy.trading or self.strategy.whitelist)

    @property
    def ungated_daily(self) -> pl.DataFrame:
        """Daily P&L on the search span without the symbol gate if nothing trades with it, else no row.

        The report shows it; no gate judges it.
        """
        if self.search.trades.height:
            return Daily.create_empty()
        sessions, whitelist = self.search.calendar["session"].to_list(), self.strategy.whitelist
        return daily_table(self.figures[SEARCHED].span.trades, sessions, whitelist, whitelist)


def gates_document(
    outcome: Outcome,
    forecast_gates: Mapping[str, Any],
    controls: Mapping[str, Any],
    ranking: pl.DataFrame,
    params: GatesParams,
) -> Document:
    """`gates.json`. `holds`: whether every gate is good enough: PASS, or INCONCLUSIVE where params only warn.

    `selection` is evidence that is shown and not judged: what remains of the strategy's Sharpe ratio after all trials.
    """
    cells = _trading_cells(forecast_gates, outcome.strategy)
    forecast = _forecast(cells, outcome.strategy.whitelist)
    gates = {"controls": _controls(controls), "forecast": forecast, **_trading(outcome, params)}
    verdict = worst(gate.verdict for gate in gates.values())
    enough = {Verdict.PASS} if params.inconclusive == "fail" else {Verdict.PASS, Verdict.INCONCLUSIVE}
    return {
        "verdict": verdict.value,
        "holds": all(gate.verdict in enough for gate in gates.values()),
        "policy": params.policy,
        "inconclusive": params.inconclusive,
        "strategy_id": outcome.name,
        "gates": {name: gate.as_document() | {"required": True} for name, gate in gates.items()},
        "cells": cells,
        "selection": _selection(ranking, outcome.strategy),
    }


def oos_document(outcome: Outcome, params: GatesParams) -> Document:
    """`oos.json`: the strategy's id and who trades; figures of the holdout and its months, for open parts only."""
    return {
        "strategy_id": outcome.name,
        "open_for": outcome.open_for,
        "trading": outcome.strategy.trading,
        "status": outcome.status,
        "words": outcome.sealed_words,
        "held": dict(outcome.held),
        **_released(outcome, HOLDOUT, outcome.holdout, params),
        "months": {name: _released(outcome, name, span, params) for name, span in outcome.months.items()},
    }


def summary(outcome: Outcome, gates: Mapping[str, Any], metrics: Mapping[str, Any], compared_min: int) -> Document:
    """The eight figures of the leaderboard; `compared_min` is the horizon at which free forecasts are compared.

    All but `oos_sharpe` and `verdict` are of the search span, errors pooled.
    """
    strategy, search, held = outcome.strategy, outcome.search, outcome.holdout
    stated = search.kpis(len(strategy.trading))
    oos_sharpe = held.kpis(len(strategy.trading))["sharpe"] if held else None
    rules = strategy.rules
    kind = {"history_days": rules.history_days, "horizon_min": rules.horizon_min, "method": strategy.method}.items()
    pooled = next((entry["metrics"] for entry in metrics["pooled"] if kind <= entry.items()), None)
    return {
        "rmae": rounded(pooled["rmae"]["calibrated"]["value"], 3) if pooled else None,
        "over_free_pct": rounded(_over_free(metrics["free"], compared_min), 2),
        "cover": rounded(pooled["coverage_50"]["calibrated"]["value"], 3) if pooled else None,
        "sharpe": rounded(stated["sharpe"], 2),
        "oos_sharpe": rounded(oos_sharpe, 2),
        "net_bp": rounded(stated["net_bp"], 1),
        "trades": stated["trades"],
        "verdict": gates["verdict"],
    }


def _over_free(entries: Iterable[Mapping[str, Any]], horizon_min: int) -> float | None:
    """By how many percent the asked model's CRPS is below that of the best free forecast, all symbols together."""
    asked = (entry for entry in entries if entry["symbol"] is None and not entry["model"].startswith(FREE))
    found = (entry["over_free_mix_pct"]["value"] for entry in asked if entry["horizon_min"] == horizon_min)
    return next(found, None)


def _released(outcome: Outcome, name: str, span: Span | None, params: GatesParams) -> Document:
    """The figures of a holdout part: its sessions, its book, and the quality of the traded forecasts."""
    if span is None:
        return dict.fromkeys(("sessions", "kpis", "break_even_cost_multiple", "forecasts"))
    return {
        "sessions": span.calendar["session"].dt.to_string().to_list(),
        "kpis": span.kpis(len(outcome.strategy.trading)),
        "break_even_cost_multiple": break_even(span.book),
        "forecasts": forecast_figures(outcome.figures[name].scores, params),
    }


def _trading(outcome: Outcome, params: GatesParams) -> dict[str, Judgement]:
    if outcome.holdout is None:
        return sealed_gates(outcome.sealed_words or "", params)
    return trading_gates(evidence(outcome.holdout, outcome.strategy.trading, params), params)


def _trading_cells(forecast_gates: Mapping[str, Any], strategy: Strategy) -> dict[str, Document]:
    """By symbol of the whitelist: the judgement of the forecasts that the strategy would trade."""
    judged = {Cell.of(cell): cell for cell in forecast_gates["cells"]}
    return {symbol: judged[cell] for symbol in strategy.whitelist if (cell := strategy.cell(symbol)) in judged}


def _selection(ranking: pl.DataFrame, strategy: Strategy) -> Document:
    """What the sweep says of the stated rule; `dsr` is null where the grid does not hold that rule.

    `dsr` accounts for all `trials`; the other figures only for the `grid_variants`, those at the stated costs.
    """
    grid = ranking.row(0, named=True)  # figures of the whole grid are equal on every row
    stated = ranking.filter(combo=strategy.combo)
    return {
        "combo": strategy.combo,
        "dsr": stated["dsr"][0] if stated.height else None,
        "grid_variants": ranking.filter(cost_mult=strategy.costs.cost_mult).height,
        **{name: grid[name] for name in ("pbo", "spa_p", "trials", "effective_trials")},
    }


def _controls(controls: Mapping[str, Any]) -> Judgement:
    verdicts = {name: Verdict(proof["verdict"]) for name, proof in sorted(controls.items()) if name != "verdict"}
    return Judgement(
        verdict=Verdict(controls["verdict"]),
        value=float(sum(verdict == Verdict.PASS for verdict in verdicts.values())),
        threshold=float(len(verdicts)),
        n=len(verdicts),
        words=_in_words("control forecasters", verdicts),
    )


def _forecast(cells: Mapping[str, Document], whitelist: Sequence[str]) -> Judgement:
    """A symbol without any forecast, as one that is listed later, is inconclusive."""
    unknown = {"verdict": Verdict.INCONCLUSIVE}
    verdicts = {symbol: Verdict(cells.get(symbol, unknown)["verdict"]) for symbol in whitelist}
    judged = [gate for cell in cells.values() for gate in cell["gates"].values()]
    plural = len(whitelist) != 1
    what = f"symbol{'s' * plural} of the whitelist, by {'their' if plural else 'its'} forecasts"
    return Judgement(
        verdict=next((verdict for verdict in BEST_FIRST if verdict in verdicts.values()), Verdict.INCONCLUSIVE),
        value=float(sum(verdict == Verdict.PASS for verdict in verdicts.values())),
        threshold=1.0,
        n=len(whitelist),
        n_days=max((gate["n_days"] for gate in judged), default=0),
        words=_in_words(what, verdicts),
    )


def _in_words(what: str, verdicts: Mapping[str, Verdict]) -> str:
    """How many there are and which do not pass, as in `Of 4 control forecasters, 1 FAIL: oracle`."""
    found = {verdict: [name for name, one in verdicts.items() if one == verdict] for verdict in Verdict}
    passing = found.pop(Verdict.PASS)
    if not verdicts:
        return "There is none to judge."
    if len(passing) == len(verdicts):
        return "The only one passes." if len(passing) == 1 else f"All {len(passing)} pass."
    named = [f"{len(names)} {verdict.value}: {shorten(names)}" for verdict, names in found.items() if names]
    return f"Of {len(verdicts)} {what}, {'; '.join(named)}."
