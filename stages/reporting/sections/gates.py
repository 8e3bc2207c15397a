"""The gates: what was judged, against what, on how much evidence, and what the test could have seen."""

from collections.abc import Mapping
from typing import Any

from stages.reporting.content import Grid, Section, grid
from stages.reporting.record import Record
from stages.reporting.words import count, measure, probability

TITLES = ("gate", "verdict", "value", "threshold", "bound", "n", "days", "what this much evidence can say")
POLICIES = {
    "ci": "a verdict needs enough days, outcomes and trades, and a confidence bound on the right side",
    "point": "values are compared with thresholds as they stand, however little evidence there is",
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
        "PASS and FAIL are said only where the evidence carries them; INCONCLUSIVE means too little evidence to say; "
        "SEALED means that the holdout was not opened for this strategy, or has not begun, and nothing was judged.",
        f"Policy {policy}: {POLICIES[policy]}.",
        f"Of {count(len(cells), 'cell')} (symbol, history, horizon, calibration) {eligible} may trade.",
        *record.selection,
    )
    return Section("gates", "Gates", sentences, grids=(_deciding(record), _forecast(record)))


def _deciding(record: Record) -> Grid:
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
    told = probability if name == "fdr" else measure
    figures = [told(value), *(measure(number) for number in (gate["threshold"], gate["bound"]))]
    return (SIDES[name], gate["verdict"], *figures, gate["n"], gate["n_days"], words)
