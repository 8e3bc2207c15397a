"""Section "Gates": what was judged, measured against what was needed, on how much evidence."""

from typing import Any

from stages.errors import count
from stages.reporting.elements import Grid, Section, grid, in_order, measure, probability
from stages.reporting.record import Document, Record
from stages.tables.scores import WORSE

TITLES = (
    "gate",
    "verdict",
    "measured and needed, with confidence bound",
    "n",
    "days",
    "what this much evidence can say",
)
POLICIES = {
    "ci": "a verdict needs enough days, outcomes and trades, and a confidence bound on the right side",
    "point": "values are compared with thresholds, however little evidence there is",
}
GATES = {
    "controls": ("controls that hold", "="),
    "forecast": ("symbols whose forecasts pass", "≥"),
    "rmae": ("rMAE", "<"),
    "rrmse": ("rRMSE", "<"),
    "coverage": ("50 % coverage off by", "≤"),
    "fdr": ("p adjusted for the whitelist", "≤"),
    "oos_sharpe": ("Sharpe", "≥"),
    "hit_rate": ("share of winning trades", "≥"),
    "pnl_at_1p5x": ("net bp at 1.5 times the costs", "≥"),
}
OPPOSITE = {"=": "≠", "≥": "<", "<": "≥", "≤": ">"}
SKILL = ("rmae", "rrmse")


def gates(record: Record) -> Section:
    """Trading gates of the holdout, then the forecast gates of the cells that the strategy would trade."""
    cells = record.forecast_gates["cells"]
    eligible = sum(cell["eligible"] for cell in cells)
    policy = record.forecast_gates["policy"]
    sentences = (
        "PASS and FAIL need enough evidence; INCONCLUSIVE means that there is too little; SEALED means that the "
        "holdout was not opened for this strategy, or has not begun, and nothing was judged.",
        f"Policy {policy}: {POLICIES[policy]}. “95 % sure: ≤ 0.7” is a one-sided confidence bound of the true value; "
        "what the bound must reach follows it.",
        f"Of {count(len(cells), 'cell')} (symbol, history, horizon, calibration) {eligible} could trade, if "
        "universe.whitelist names the symbol.",
        *record.selection_of_traders,
    )
    grids = (_deciding(record), _forecast(record)) if record.gates["cells"] else (_deciding(record),)
    return Section("gates", "Gates", sentences, grids=grids)


def _deciding(record: Record) -> Grid:
    lines = [_line(record, name, record.gates["gates"][name]) for name in in_order(record.gates["gates"], GATES)]
    return grid("The gates that decide the verdict; those of the book are judged on the holdout", TITLES, lines)


def _forecast(record: Record) -> Grid:
    cells = record.gates["cells"]
    lines = [
        (symbol, cells[symbol]["eligible"], *_line(record, name, cells[symbol]["gates"][name]))
        for symbol in record.shown_traders
        if symbol in cells
        for name in in_order(cells[symbol]["gates"], GATES)
    ]
    caption = "Forecast gates, judged on the search span, for what the strategy trades"
    return grid(caption, ("symbol", "may trade", *TITLES), lines)


def _line(record: Record, name: str, gate: Document) -> tuple[Any, ...]:
    value, words = gate["value"], gate["words"]
    if name == "coverage" and value is not None:
        words = f"Covers {measure(value)}: {words}"
        if gate["verdict"] == "PASS" and abs(value - 0.5) > gate["threshold"]:
            words = f"{_why_it_passes(gate)} {words}"
    return (GATES[name][0], gate["verdict"], comparison(record, name, gate), gate["n"], gate["n_days"], words)


def _why_it_passes(gate: Document) -> str:
    """Why a coverage that is farther off than the threshold passes, in a sentence."""
    return (
        f"Passes although it is off by more than {measure(gate['threshold'])}: only a distance surely larger than "
        f"that fails, and the true one may be as small as {measure(max(gate['bound'] or 0.0, 0.0))}."
    )


def comparison(record: Record, name: str, gate: Document) -> str:
    """`23.4 ≥ 0.5; 90 % sure: ≥ 18.1, needs > 0`: value, threshold and bound of a gate as one comparison."""
    sign, value, threshold = GATES[name][1], gate["value"], gate["threshold"]
    if value is None:
        return f"needs {sign} {measure(threshold)}"
    value = abs(value - 0.5) if name == "coverage" else value
    shown = sign if _holds(round(value, 6), sign, threshold) else OPPOSITE[sign]
    figure = measure(value, threshold)
    if name == "fdr" and not 0.001 <= value <= 0.999:
        figure = probability(value)
    joint = f", needs {sign}" if figure.startswith(("<", ">")) else f" {shown}"
    text = f"{figure}{joint} {measure(threshold)}"
    return text if gate["bound"] is None else f"{text}; {_sure(record.config['gates'], name, gate)}"


def _holds(value: float, sign: str, threshold: float) -> bool:
    return {"=": value == threshold, "≥": value >= threshold, "<": value < threshold, "≤": value <= threshold}[sign]


def _sure(params: Document, name: str, gate: Document) -> str:
    """The bound with its confidence, its side, and what it must reach."""
    bound, confidence, need, least = gate["bound"], "oos_sharpe_confidence", "", 0.0
    lower = True  # the rule says which: an upper bound of low confidence may lie below the value
    if name in SKILL:
        lower, least = gate["words"].startswith(WORSE), 1.0
        confidence = "worse_confidence" if lower else "skill_confidence"
        need = ", fails > 1" if lower else ", needs < 1"
    elif name == "coverage":
        lower, least, bound = params["coverage_rule"] == "reject", gate["threshold"], max(bound, 0.0)
        confidence, need = "coverage_confidence", f", {'fails >' if lower else 'needs ≤'} {measure(least)}"
    elif name == "oos_sharpe" and params["policy"] == "ci":
        need = ", needs > 0"
    return f"{100 * params[confidence]:g} % sure: {'≥' if lower else '≤'} {measure(bound, least)}{need}"
