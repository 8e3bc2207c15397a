"""The verdict in three lines, from the document `worth.json`.

A line is one paragraph of whole sentences without line breaks; the caller wraps it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from stages.errors import count, shorten
from stages.worth.verdict import State

Document = Mapping[str, Any]
REHEARSAL = "a rehearsal: nothing was paid"
MILLION = 1e6
GAINS = {
    State.WORTH_IT: "surely a gain",
    State.NOT_WORTH_IT: "surely no gain",
    State.NOT_YET_KNOWN: "not yet known",
    State.NOT_SHOWN: "not shown",
}


def card(worth: Document) -> tuple[str, str, str]:
    """The three lines of the verdict."""
    lines = {
        State.WORTH_IT: _worth_it,
        State.NOT_WORTH_IT: _not_worth_it,
        State.NOT_YET_KNOWN: _not_yet_known,
        State.NOT_SHOWN: _not_shown,
    }
    return lines[State(worth["state"])](worth)


def _worth_it(worth: Document) -> tuple[str, str, str]:
    asked = "" if in_money(worth) else f"; you asked for {_asked(worth)}"
    stop = "" if worth["rehearsal"] else "You may stop buying evidence."
    return (
        f"{_head(worth)} {worth['model']}'s {_did(worth)}.",
        f"{_advantage(worth, of_what=True)} ({_surely(worth, 1)}{asked}). Evidence {_evidence_then(worth)}; "
        f"{odds(worth['threshold'])} was needed, {_included(worth)} included.",
        _joined(_money(worth), _training(worth), stop),
    )


def _did(worth: Document) -> str:
    """What was shown; symbols and horizon only where money does not decide, since the rule has its own."""
    if in_money(worth):
        return f"forecasts earn more than {_hurdle(worth)}"
    return f"distributions beat the best free forecast on {shorten(worth['symbols'])}, {worth['horizon_min']} min"


def _evidence_then(worth: Document) -> str:
    """The most evidence so far; also that of the deciding day if an earlier day already had enough."""
    then = f" on an earlier day, {odds(worth['e_better'])} on this one"
    return odds(worth["most_better"]) + then * bool(worth["e_better"] < worth["threshold"])


def _not_worth_it(worth: Document) -> tuple[str, str, str]:
    better = worth["most_better"] >= worth["threshold"]
    if in_money(worth):
        why = f"The forecasts surely earn no more than {_hurdle(worth)}."
    elif better:
        why = f"Surely better than what is free, but surely by less than {_asked(worth)}."
    else:
        why = f"Nothing you would pay for: surely less than {_asked(worth)} better than what is free."
    against = "Evidence against a gain" if in_money(worth) else f"Evidence against {_asked(worth)}"
    left = max(worth["planned_sessions"] - _bought(worth), 0)
    verb = "is" if left == 1 else "are"
    saved = f"The {_sessions(left)} left of the plan{_calls(worth, left, '({})')} {verb} saved." if left else ""
    return (
        f"{_head(worth)} {why}",
        _joined(
            f"{_advantage(worth, 2)} ({_range(worth, 2)}).",
            f"{against}: {odds(worth['most_small'])}.",
            _free_mix(worth["free_weights"]),
        ),
        _joined("" if worth["rehearsal"] else "Stop buying.", saved),
    )


def _bought(worth: Document) -> int:
    """The sessions of evidence bought so far: a step or a whole run may go beyond the deciding session."""
    judged = int(worth["sessions"])
    return judged if worth["rehearsal"] else max(judged, worth["training"]["sessions_after"])


def _not_yet_known(worth: Document) -> tuple[str, str, str]:
    left = worth["planned_sessions"] - worth["sessions"]
    step = min(worth["step"], left)
    return (
        _joined(_head(worth), _evidence_so_far(worth)),
        _joined(_outlook(worth, left), _training(worth)),
        f"Next: make study STEP={step}{_calls(worth, step, '({})')}.",
    )


def _not_shown(worth: Document) -> tuple[str, str, str]:
    figures = f"({_range(worth, 1)}, {odds(worth['most_better'])})"
    if in_money(worth):
        why = f"Not known to earn more than {_hurdle(worth)} {figures}."
    elif worth["most_better"] >= worth["threshold"]:
        why = f"Better than free, surely {figures}, but not known to reach the {_asked(worth)} you asked for."
    else:
        why = f"Not known to be better than free {figures}, nor surely less than {_asked(worth)} better."
    advice = "Stop." if in_money(worth) else "Stop, or lower worth.delta in a new study."
    return f"{_head(worth)} {why}", _joined(f"{_advantage(worth)}.", _money(worth), _training(worth)), advice


def odds(e: float) -> str:
    """Evidence as `28 to 1`, rounded down so that nothing reaches the threshold by rounding."""
    if e > MILLION:
        return "more than a million to 1"
    if e >= 10.0:
        return f"{int(e):,} to 1"
    return f"{int(10.0 * e) / 10.0:g} to 1" if e >= 0.1 else "less than 0.1 to 1"


def _head(worth: Document) -> str:
    sessions = _sessions(worth["sessions"])
    if worth["state"] == State.NOT_SHOWN:
        return f"{worth['state']} (plan ended, {sessions}{', ' + REHEARSAL if worth['rehearsal'] else ''})."
    paid = REHEARSAL if worth["rehearsal"] else count(worth["calls"], "call")
    if worth["decided_on"] is None:
        return f"{worth['state']} ({sessions}, {paid})."
    day = date.fromisoformat(worth["decided_on"])
    return f"{worth['state']} (decided {day.day} {day:%B} {day.year}, after {sessions}, {paid})."


def _evidence_so_far(worth: Document) -> str:
    """The evidence so far, and why it does not decide."""
    if worth["estimate"] is None:
        return f"No complete session counts yet; a verdict needs {worth['min_days']}."
    needed = f"{odds(worth['threshold'])} decides"
    if worth["sessions"] < worth["min_days"]:
        needed += f", from {worth['min_days']} sessions on"
    elif worth["most_better"] >= worth["threshold"]:
        less = "no gain on average" if in_money(worth) else f"by less than the {_asked(worth)} you asked for"
        needed = f"better than free, surely, but so far {less}"
    return (
        f"{_advantage(worth)} ({_range(worth, 1)}). Evidence {odds(worth['e_better'])} for, "
        f"{odds(worth['e_small'])} against; {needed}."
    )


def _outlook(worth: Document, left: int) -> str:
    if worth["more_sessions"] is None:
        return f"The plan ends after {_sessions(left)} more{_calls(worth, left, '({})')}."
    first, last = worth["more_sessions"]
    ahead, end = "If it goes on like this:", f"; the plan ends after {left} more."
    if first is None:
        return f"{ahead} not before the plan ends, after {left} more{_calls(worth, left, '({})')}."
    if last is None:
        return f"{ahead} about {_sessions(first, 'more ')} or longer{_calls(worth, first, '({} or more)')}{end}"
    span = f"{first} to {_sessions(last, 'more ')}" if first != last else _sessions(first, "more ")
    calls = f"({first * worth['calls_a_session']:,} to {{}})" if first != last else "({})"
    return f"{ahead} about {span}{_calls(worth, last, calls)}{end}"


def _money(worth: Document) -> str:
    money = worth["money"]
    if money is None or money["bp_a_call"] is None:
        return ""
    span = _bounds(money["bp_interval"], "{:.1f}".format)
    gain, price = f"Money: {_unsigned_zero(format(money['bp_a_call'], '+.1f'))} bp a call", money["price_per_call"]
    even, needed = money["break_even"], money["sessions_needed"]
    sentences = [f"{gain} before its price ({span}), {_gained(money)}."]
    if price is None:
        sentences = [f"{gain}, no price stated, {_gained(money)} ({span})."]
    elif even is not None:
        between = _bounds(money["break_even_interval"], _price)
        sentences.append(f"It breaks even at a price of {_price(even)} a call ({between}); yours is {_price(price)}.")
    unknown = State(money["state"]) in {State.NOT_YET_KNOWN, State.NOT_SHOWN}
    if unknown and needed and needed > worth["sessions"]:  # else days so far vary less than planned
        sentences.append(f"At this size an answer takes about {_sessions(needed)}.")
    return _joined(*sentences)


def _gained(money: Document) -> str:
    """What is known of the gain; `by an earlier day` if today's bounds no longer show it."""
    price = money["price_per_call"]
    low, _ = money["bp_interval" if price is None else "break_even_interval"]
    gain = GAINS[State(money["state"])] + ("" if price is None else " after it")
    is_bounded = low is not None and low > (price or 0.0)
    return gain if is_bounded or money["state"] != State.WORTH_IT else f"{gain} by an earlier day"


def _training(worth: Document) -> str:
    training = worth["training"]
    before, both = training["sessions_before"], training["sessions_before"] + training["sessions_after"]
    if training["unseen"] or (training["trained_until"] is not None and not before):
        return ""
    if training["trained_until"] is None:
        return "Training days: unknown, it may have seen these."
    return (
        f"Training days: {before} of {_sessions(both)} lie before the end of its training, "
        f"{training['trained_until']}, and do not count."
    )


def _free_mix(weights: Mapping[str, float]) -> str:
    shares = [(round(100 * weight), name) for name, weight in weights.items()]
    largest_first = sorted((-share, name) for share, name in shares if share)
    mix = ", ".join(f"{-share} % {name}" for share, name in largest_first)
    return f"The free forecast is {mix}." if mix else ""


def _advantage(worth: Document, decimals: int = 1, *, of_what: bool = False) -> str:
    if in_money(worth):
        price = "after its price" if _is_priced(worth) else "before any price"
        return f"Gain {_unsigned_zero(format(worth['estimate'], ',.2f'))} a session {price}"
    return f"Advantage {_percent(worth['estimate'], decimals)} %" + " of the loss" * of_what


def _surely(worth: Document, decimals: int) -> str:
    return f"surely {_range(worth, decimals)}" if any(end is not None for end in worth["interval"]) else "no bound yet"


def _range(worth: Document, decimals: int) -> str:
    if in_money(worth):
        return _bounds(worth["interval"], "{:,.2f}".format)
    in_percent = [None if end is None else 100 * end for end in worth["interval"]]
    return _bounds(in_percent, f"{{:.{decimals}f}}".format, " %")


def _bounds(ends: Sequence[float | None], form: Callable[[float], str], unit: str = "") -> str:
    low, high = (None if end is None else _unsigned_zero(form(end)) for end in ends)
    if low is None and high is None:
        return "no bound yet"
    return f"{low} to {high}{unit}" if low and high else f"at least {low}{unit}" if low else f"at most {high}{unit}"


def _price(value: float) -> str:
    """Three significant digits without an exponent: 0.05, 63.1, 1,230."""
    return f"{Decimal(f'{value:.3g}'):,f}"


def _percent(share: float, decimals: int) -> str:
    return _unsigned_zero(f"{100 * share:.{decimals}f}")


def _unsigned_zero(text: str) -> str:
    return text.lstrip("+-") if float(text.replace(",", "")) == 0.0 else text


def _asked(worth: Document) -> str:
    return f"{100 * worth['delta']:g} %"


def _included(worth: Document) -> str:
    prior = worth["prior_studies"]
    return f"looks and {prior} earlier {'study' if prior == 1 else 'studies'}" if prior else "looks"


def _sessions(many: int, kind: str = "") -> str:
    return count(many, f"{kind}session")


def _calls(worth: Document, sessions: int, form: str) -> str:
    calls = sessions * worth["calls_a_session"]
    return "" if worth["rehearsal"] else " " + form.format(count(calls, "call"))


def in_money(worth: Document) -> bool:
    """Whether money decides."""
    return bool(worth["decide_by"] == "money")


def _is_priced(worth: Document) -> bool:
    return worth["money"]["price_per_call"] is not None


def _hurdle(worth: Document) -> str:
    """What the forecasts must out-earn if money decides."""
    return "they cost" if _is_priced(worth) else "the free ones"


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def line(worth: Document) -> str:
    """The verdict so far in one line, for a step of `make study`."""
    paid = REHEARSAL if worth["rehearsal"] else count(worth["calls"], "call")
    verdict = f"{_sessions(worth['sessions'])}, {paid}: {worth['state']}"
    if worth["estimate"] is None:
        return verdict
    evidence = f"{odds(worth['e_better'])} for, {odds(worth['e_small'])} against"
    return f"{verdict}. {_advantage(worth)} ({_range(worth, 1)}), {evidence}"
