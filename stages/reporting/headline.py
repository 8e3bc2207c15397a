"""The verdict of the run and its reason in words: the first thing a reader sees."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.reporting.record import Record
from stages.reporting.words import count, number, sharpe
from stages.universe.names import few

REASONS = {
    "PASS": "Every required gate passes.",
    "FAIL": "At least one required gate fails: nothing here justifies a trade.",
    "INCONCLUSIVE": "No required gate fails, but there is too little evidence to pass them all.",
    "SEALED": "The search span holds nothing against this strategy. Its holdout was not opened, so nothing is judged "
    "out of sample yet: `make open-holdout` opens it, on the record.",
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
    """The word, its reason, and the few numbers that belong beside it."""

    word: str
    reason: str
    facts: tuple[tuple[str, str], ...]
    caveat: str = ""


def headline(record: Record) -> Headline:
    """The run's verdict as `evaluate` gave it; numbers of the holdout only where it released them."""
    verdict = record.gates["verdict"]
    reason = f"{REASONS[verdict]} {_deciding(record.gates)}".strip()
    return Headline(verdict, reason, tuple(_facts(record)), _caveat(record))


def _caveat(record: Record) -> str:
    """What a reader in a hurry must not overlook: bars that were made up, forecasts that nobody bought."""
    sayings = {
        "The market is artificial: this verdict says that the pipeline works or not, nothing about money.": (
            record.is_synthetic
        ),
        "The forecasts were made on this machine: this verdict says nothing about TimeGPT.": record.is_local,
    }
    return " ".join(words for words, holds in sayings.items() if holds)


def _deciding(gates: Mapping[str, Any]) -> str:
    """Which gates made the verdict, with their words where one gate alone did."""
    if gates["verdict"] == "PASS":
        return ""
    names = [name for name, gate in gates["gates"].items() if gate["required"] and gate["verdict"] == gates["verdict"]]
    said = ", ".join(GATES[name] for name in names)
    words = gates["gates"][names[0]]["words"] if len(names) == 1 else ""
    return f"{gates['verdict'].capitalize()}: {said}. {words}".strip()


def _facts(record: Record) -> list[tuple[str, str]]:
    spans = {"search span": record.book} | ({"holdout": record.oos["kpis"]} if record.oos["kpis"] else {})
    facts = []
    for span, figures in spans.items():
        facts.append((span, _earned(figures)))
        facts.append((record.sharpe_title, sharpe(figures["sharpe"], figures["sharpe_se"])))
    if "holdout" not in spans:
        facts.append(("holdout", "sealed"))
    trading = few(record.oos["trading"]) or "no symbol"
    return [*facts, ("may trade", trading), ("strategy", record.oos["strategy_id"])]


def _earned(figures: Mapping[str, Any]) -> str:
    words = (count(figures["trades"], "trade"), count(figures["sessions"], "session"))
    return f"{number(figures['net_bp'], 1)} bp net, {', '.join(words)}"
