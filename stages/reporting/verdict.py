"""The head of a page: the verdict, what was tested, what came out, what to do next, and the main numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from stages.errors import count, shorten
from stages.reporting.elements import MISSING, number, sharpe
from stages.reporting.record import Record

REASONS = {
    "PASS": "Every required gate passes.",
    "FAIL": "At least one required gate fails: nothing here justifies a trade.",
    "INCONCLUSIVE": "No required gate fails, but there is too little evidence to pass them all.",
    "SEALED": "No required gate of the search span fails, and nothing is judged out of sample yet.",
}
OWN_BARS = "`make first-run PRESET=name URI=folder` asks the same of your own bars; this market is artificial."
NEXT = {
    "PASS": "let it trade on paper on new days before it trades with money: a holdout is unseen only once.",
    "FAIL": "do not trade it; change the symbols, the horizon or the forecaster, and `make plan` prices the change.",
    "INCONCLUSIVE": "give it more sessions (`universe.first_session`, `last_session`); `make plan` prices them.",
    "SEALED": "if you stand by this strategy, `make open-holdout` judges it on the holdout, once and on the record.",
}
NAME_A_SYMBOL = (
    "`make whitelist` puts the symbols that passed every forecast gate on universe.whitelist; then `make run`."
)
UNTRADED = "The rule traded nothing on the search span, and nothing is judged out of sample yet."
LOST = "The rule loses on the search span, where it was chosen, and nothing is judged out of sample yet."
LOSES = "change the rule or the symbols before you open the holdout: what loses where it was chosen rarely earns there."
NOTHING_TO_JUDGE = (
    "loosen the rule (`rules.k_sigma`, stops and targets) before you open the holdout: without a trade it would judge "
    "nothing."
)
NEVER_TRADES = "loosen the rule (`rules.k_sigma`, stops and targets): without a trade there is nothing to judge."
GATES = {
    "controls": "the controls",
    "forecast": "forecast skill and coverage",
    "oos_sharpe": "the Sharpe ratio on the holdout",
    "hit_rate": "the share of winning trades on the holdout",
    "pnl_at_1p5x": "the result at 1.5 times the costs on the holdout",
}


@dataclass(frozen=True)
class Headline:
    """The verdict, its reason, its main numbers, where it holds, and three sentences for a reader in a hurry."""

    word: str
    reason: str
    facts: tuple[tuple[str, str], ...]
    caveat: str = ""
    where: str = ""
    in_short: tuple[tuple[str, str], ...] = ()


def headline(record: Record) -> Headline:
    """The verdict as `evaluate` gave it; figures of the holdout only where it released them."""
    verdict = record.gates["verdict"]
    reason = f"{_reason(record)} {_deciding(record.gates)}".strip()
    identity = ("may trade", shorten(record.oos["trading"]) or "no symbol"), ("strategy", record.oos["strategy_id"])
    facts = (*_facts(record), *_delay(record), *identity)
    return Headline(verdict, reason, facts, _caveat(record), _where(record), _in_short(record))


def _reason(record: Record) -> str:
    """The verdict in a sentence; a sealed one depends on the result of the search span."""
    if record.gates["verdict"] == "SEALED" and not record.book["trades"]:
        return UNTRADED
    return (
        LOST if record.gates["verdict"] == "SEALED" and record.book["net_bp"] < 0 else REASONS[record.gates["verdict"]]
    )


def _caveat(record: Record) -> str:
    """The warnings about artificial bars and local forecasts."""
    sayings = {
        "The market is artificial: this verdict says whether the pipeline works, and nothing about money.": (
            record.is_synthetic
        ),
        "The forecasts were made on this machine: this verdict says nothing about TimeGPT.": record.is_local,
    }
    return " ".join(words for words, holds in sayings.items() if holds)


def _deciding(gates: Mapping[str, Any]) -> str:
    """The gates that decided the verdict, with their words if these are the same for all."""
    if gates["verdict"] == "PASS":
        return ""
    names = [name for name, gate in gates["gates"].items() if gate["required"] and gate["verdict"] == gates["verdict"]]
    listed = ", ".join(GATES[name] for name in names)
    words = {gates["gates"][name]["words"] for name in names}
    return f"{gates['verdict'].capitalize()}: {listed}. {words.pop() if len(words) == 1 else ''}".strip()


def _facts(record: Record) -> list[tuple[str, str]]:
    spans = {"search span": record.book} | ({"holdout": record.oos["kpis"]} if record.oos["kpis"] else {})
    facts = []
    for span, figures in spans.items():
        facts.append((span, _earned(figures)))
        facts.append((record.sharpe_title, sharpe(figures["sharpe"], figures["sharpe_se"])))
    if "holdout" not in spans:
        begun = any(record.oos.get("held", {"all": 1}).values())
        facts.append(("holdout", _sealed(record) if begun else "sealed, not begun"))
    return facts


def _sealed(record: Record) -> str:
    """`sealed but for 2025-02`: the open months of a holdout that is not judged as a whole are on the page."""
    months = shorten(list(record.oos.get("months", {})))
    return f"sealed but for {months}" if months else "sealed"


def _delay(record: Record) -> list[tuple[str, str]]:
    """The cost of entering later, on the last span that is shown."""
    traded = record.delay.filter(pl.col("trades").sum().over("span") > 0).tail(2)
    if traded.height < 2:
        return []
    stated, later = traded.rows(named=True)
    bars = later["entry_delay_bars"] - stated["entry_delay_bars"]
    change = number(later["net_bp"] - stated["net_bp"], 1)
    gained = "" if change.startswith("\N{MINUS SIGN}") else "+"
    words = f"{gained}{change} bp, {number(later['net_bp'], 1)} bp left"
    return [(f"entered {count(bars, 'bar')} later, {stated['span']}", words)]


def _sessions(record: Record) -> tuple[str, str, int]:
    """First, last and number of the sessions of the search span."""
    days = record.daily.select(pl.col("session").unique().sort())["session"]
    return (str(days[0]), str(days[-1]), len(days)) if len(days) else (MISSING, MISSING, 0)


def _where(record: Record) -> str:
    """Symbols, spans and the ids by which this study is known."""
    first, last, sessions = _sessions(record)
    held = sum(record.oos.get("held", {}).values())
    parts = [shorten(record.symbols), f"search span {first} to {last}, {count(sessions, 'session')}"]
    parts += [f"holdout {count(held, 'session')}, {'open' if record.oos['kpis'] else _sealed(record)}"] if held else []
    parts += [f"study {record.worth['study_id']}"] if record.worth else []
    return " · ".join([*parts, f"strategy {record.oos['strategy_id']}"])


def _in_short(record: Record) -> tuple[tuple[str, str], ...]:
    """Three sentences: what was tested, what came out, what to do next."""
    rules, asked = record.config["rules"], record.config["forecaster"]["model"]
    first, last, sessions = _sessions(record)
    judged = {cell["symbol"] for cell in record.scores("cells")}  # a later listing may lack the stated history yet
    symbols = [symbol for symbol in record.symbols if symbol in judged]
    tested = (
        f"whether {asked} predicts the next {_ahead(rules, symbols)} better than “the price stays”, on "
        f"{count(sessions, 'session')} from {first} to {last}, and whether a rule that trades its forecasts earns more "
        "than it costs."
    )
    return (("Tested", tested), ("Found", _came_out(record)), ("Next", _next(record)))


def _ahead(rules: Mapping[str, Any], symbols: list[str]) -> str:
    """`10 minutes of STRONG, NULL, and the next 20 minutes of WEAK`, by the horizon that is traded."""
    traded: dict[int, list[str]] = {}
    for symbol in symbols:
        traded.setdefault(rules["horizon_min_by_symbol"].get(symbol, rules["horizon_min"]), []).append(symbol)
    return ", and the next ".join(f"{count(minutes, 'minute')} of {shorten(of)}" for minutes, of in traded.items())


def _came_out(record: Record) -> str:
    if not record.config["universe"]["whitelist"]:
        return "no symbol is on universe.whitelist, so none is judged and nothing was traded."
    if not record.oos["trading"]:
        return f"{_none_may_trade(record.gates['gates'])}, so nothing was traded."
    good = _good(record)
    book, held = record.book, record.oos["kpis"]
    if not book["trades"]:
        return f"{good}, but the rule found nothing worth its costs on the search span."
    earned = f"the rule {_made(book)} on the search span, where it was chosen"
    kept = (
        f", and {_made(held)} on the holdout, where nothing was chosen."
        if held
        else f"; the holdout is {_sealed(record)}."
    )
    return f"{good}; {earned}{kept}"


def _good(record: Record) -> str:
    """The symbols that may trade, and those of them with too little evidence (`gates.inconclusive: warn`)."""
    trading, cells = record.oos["trading"], record.gates["cells"]
    unsure = [symbol for symbol in trading if symbol in cells and cells[symbol]["verdict"] == "INCONCLUSIVE"]
    subject = f"the forecasts of {shorten(trading)}"
    if unsure:
        return f"{subject} may trade, though too little is known of {shorten(unsure)} (gates.inconclusive: warn)"
    return f"{subject} are good enough to trade"


def _none_may_trade(gates: Mapping[str, Any]) -> str:
    if gates["controls"]["verdict"] == "FAIL":
        return "a control fails, and no forecast is trusted"
    known = gates["forecast"]["verdict"] != "INCONCLUSIVE"
    return "no whitelisted symbol's forecasts are good enough to trade" if known else "too little to say who may trade"


def _made(figures: Mapping[str, Any]) -> str:
    if not figures["trades"]:
        return "traded nothing"
    did = "earned" if figures["net_bp"] >= 0 else "lost"
    return f"{did} {number(abs(figures['net_bp']), 1)} bp after costs in {count(figures['trades'], 'trade')}"


def _next(record: Record) -> str:
    verdict = record.gates["verdict"]
    if verdict == "SEALED":
        if not record.book["trades"]:
            return NOTHING_TO_JUDGE
        if record.book["net_bp"] < 0:
            return LOSES
        return NEXT["SEALED"] if any(record.oos.get("held", {"all": 1}).values()) else _wait(record.config)
    if verdict == "INCONCLUSIVE" and not record.config["universe"]["whitelist"]:
        return NAME_A_SYMBOL
    if verdict == "INCONCLUSIVE" and _never_trades(record):
        return NEVER_TRADES
    return OWN_BARS if record.is_synthetic else NEXT[verdict]


def _never_trades(record: Record) -> bool:
    """Whether the forecasts pass, and the rule found nothing to trade on any span that was judged."""
    held = record.oos["kpis"] or {"trades": 0}
    return record.gates["gates"]["forecast"]["verdict"] == "PASS" and not record.book["trades"] + held["trades"]


def _wait(config: Mapping[str, Any]) -> str:
    """How to ask sessions of the holdout: by `requests` alone where the record holds them, else by a longer record."""
    asked_until, begins = config["requests"]["last_session"], config["split"]["holdout_from"]
    if asked_until is not None and begins is not None and asked_until < begins <= config["universe"]["last_session"]:
        return (
            "raise `requests.last_session` into the holdout, which the record holds; `make plan` prices its questions, "
            "then `make run`."
        )
    bought_in_steps = " and `requests.last_session`" * (asked_until is not None)
    return (
        f"when the first sessions of the holdout are over, raise `universe.last_session`{bought_in_steps}; then `make "
        "refresh`, `make run`."
    )


def _earned(figures: Mapping[str, Any]) -> str:
    words = (count(figures["trades"], "trade"), count(figures["sessions"], "session"))
    return f"{number(figures['net_bp'], 1)} bp net, {', '.join(words)}"
