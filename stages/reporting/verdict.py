"""The verdict of the run as text, and section "Gates": what was judged, against what, on how much evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.errors import shorten
from stages.reporting.elements import Grid, Section, count, grid, measure, number, probability, sharpe
from stages.reporting.record import Record

REASONS = {
    "PASS": "Every required gate passes.",
    "FAIL": "At least one required gate fails: nothing here justifies a trade.",
    "INCONCLUSIVE": "No required gate fails, but there is too little evidence to pass them all.",
    "SEALED": "Nothing in the search span speaks against this strategy, and nothing is judged out of sample yet.",
}
GATES = {
    "controls": "the controls",
    "forecast": "forecast skill and coverage",
    "oos_sharpe": "the Sharpe ratio on the holdout",
    "hit_rate": "the share of winning trades on the holdout",
    "pnl_at_1p5x": "the result at 1.5 times the costs on the holdout",
}


@dataclass(frozen=True)
class Headline:
    """The verdict, its reason, and its main numbers."""

    word: str
    reason: str
    facts: tuple[tuple[str, str], ...]
    caveat: str = ""


def headline(record: Record) -> Headline:
    """The verdict as `evaluate` gave it; figures of the holdout only where it released them."""
    verdict = record.gates["verdict"]
    reason = f"{REASONS[verdict]} {_deciding(record.gates)}".strip()
    return Headline(verdict, reason, tuple(_facts(record)), _caveat(record))


def _caveat(record: Record) -> str:
    """What a quick reader must not overlook: artificial bars, local forecasts."""
    sayings = {
        "The market is artificial: this verdict says that the pipeline works or not, nothing about money.": (
            record.is_synthetic
        ),
        "The forecasts were made on this machine: this verdict says nothing about TimeGPT.": record.is_local,
    }
    return " ".join(words for words, holds in sayings.items() if holds)


def _deciding(gates: Mapping[str, Any]) -> str:
    """The gates that decided the verdict, with their text where it is the same for all."""
    if gates["verdict"] == "PASS":
        return ""
    names = [name for name, gate in gates["gates"].items() if gate["required"] and gate["verdict"] == gates["verdict"]]
    said = ", ".join(GATES[name] for name in names)
    words = {gates["gates"][name]["words"] for name in names}
    return f"{gates['verdict'].capitalize()}: {said}. {words.pop() if len(words) == 1 else ''}".strip()


def _facts(record: Record) -> list[tuple[str, str]]:
    spans = {"search span": record.book} | ({"holdout": record.oos["kpis"]} if record.oos["kpis"] else {})
    facts = []
    for span, figures in spans.items():
        facts.append((span, _earned(figures)))
        facts.append((record.sharpe_title, sharpe(figures["sharpe"], figures["sharpe_se"])))
    if "holdout" not in spans:
        begun = any(record.oos.get("held", {"all": 1}).values())
        facts.append(("holdout", "sealed" if begun else "sealed, not begun"))
    trading = shorten(record.oos["trading"]) or "no symbol"
    return [*facts, ("may trade", trading), ("strategy", record.oos["strategy_id"])]


def _earned(figures: Mapping[str, Any]) -> str:
    words = (count(figures["trades"], "trade"), count(figures["sessions"], "session"))
    return f"{number(figures['net_bp'], 1)} bp net, {', '.join(words)}"


TITLES = ("gate", "verdict", "value", "threshold", "bound", "n", "days", "what this much evidence can say")
POLICIES = {
    "ci": "a verdict needs enough days, outcomes and trades, and a confidence bound on the right side",
    "point": "values are compared with thresholds, however little evidence there is",
}
SIDES = {
    "controls": "controls that hold",
    "forecast": "symbols that may trade, at least",
    "rmae": "rMAE below",
    "rrmse": "rRMSE below",
    "coverage": "50 % coverage: off 0.5 by at most",
    "fdr": "p adjusted for all symbols at most",
    "oos_sharpe": "Sharpe at least",
    "hit_rate": "share of winning trades at least",
    "pnl_at_1p5x": "net bp at 1.5 times the costs at least",
}


def gates(record: Record) -> Section:
    """Trading gates of the holdout, then the forecast gates of the cells that the strategy would trade."""
    cells = record.forecast_gates["cells"]
    eligible = sum(cell["eligible"] for cell in cells)
    policy = record.forecast_gates["policy"]
    sentences = (
        "PASS and FAIL need enough evidence; INCONCLUSIVE means that there is too little; SEALED means that the "
        "holdout was not opened for this strategy, or has not begun, and nothing was judged.",
        f"Policy {policy}: {POLICIES[policy]}.",
        f"Of {count(len(cells), 'cell')} (symbol, history, horizon, calibration) {eligible} may trade.",
        *record.selection,
    )
    return Section("gates", "Gates", sentences, grids=(_deciding_gates(record), _forecast(record)))


def _deciding_gates(record: Record) -> Grid:
    lines = [_line(name, gate) for name, gate in _in_order(record.gates["gates"])]
    return grid("The gates that decide the verdict; those of the book are judged on the holdout", TITLES, lines)


def _forecast(record: Record) -> Grid:
    lines = [
        (cell["symbol"], cell["eligible"], *_line(name, gate))
        for cell in (record.gates["cells"][symbol] for symbol in record.shown if symbol in record.gates["cells"])
        for name, gate in _in_order(cell["gates"])
    ]
    caption = "Forecast gates, judged on the search span, for what the strategy trades"
    return grid(caption, ("symbol", "may trade", *TITLES), lines)


def _in_order(judged: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, judged[name]) for name in SIDES if name in judged]


def _line(name: str, gate: Mapping[str, Any]) -> tuple[Any, ...]:
    value, words = gate["value"], gate["words"]
    if name == "coverage" and value is not None:
        value, words = abs(value - 0.5), f"covers {measure(value)}: {words}"
    format_ = probability if name == "fdr" else measure
    figures = [format_(value), *(measure(number) for number in (gate["threshold"], gate["bound"]))]
    return (SIDES[name], gate["verdict"], *figures, gate["n"], gate["n_days"], words)
