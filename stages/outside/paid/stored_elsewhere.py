"""Whether the store answers the same questions asked in another manner: told before anything is paid again.

Two params can be set so that stored answers fit: `requests.clock`, and `requests.asked_horizon_min` when longer answers
lie there. Nothing is ever taken from another question: these are words for people.
*Errors*: `ConfigurationError` (exit 5) while answers to exactly these questions lie there under the other clock.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from stages.errors import ConfigurationError
from stages.outside.paid.answers import AnswerStore
from stages.outside.paid.records import path_of
from stages.outside.places import Place
from stages.requests.question import ARTIFICIAL, Question

NO_CLOCK = "none"
FEW = 3  # questions that are looked at further ahead
LONGEST_MIN = 389
T = TypeVar("T")


def demand_same_clock(store: AnswerStore, missing: Sequence[Question]) -> None:
    """Refuse to ask anew what was answered under the other clock."""
    if store.is_empty():
        return
    others = [_other_clock(question) for question in missing]
    if found := len(_stored(store, others)):
        clock = others[0].clock
        raise ConfigurationError(
            f"{found} of {len(missing)} missing answers are stored under the other clock; nothing was bought. Set "
            f"`requests.clock: {clock}` to use them, or give forecaster.model_epoch a new name to buy them all again "
            f"under `{missing[0].clock}`."
        )


def fitting(store: AnswerStore, further: Iterable[Question]) -> str:
    """Which params make stored answers fit, of questions asked further ahead; empty when none is stored."""
    if store.is_empty():
        return ""
    asked = [one for question in further for one in (question, _other_clock(question))]
    stored = _stored(store, asked)
    counts = Counter((one.horizon_min, one.clock) for one in asked if one.key in stored)
    if not counts:
        return ""
    (horizon, clock), _ = max(counts.items(), key=lambda item: (item[1], item[0][1] == asked[0].clock, -item[0][0]))
    more = "" if clock == asked[0].clock else f" with `requests.clock: {clock}`"
    return f"Longer answers to the same questions are stored: `requests.asked_horizon_min: {horizon}`{more} uses them."


def further_ahead(missing: Sequence[Question]) -> Iterator[Question]:
    """Some of the questions, asked further ahead: those whose rows and columns do not depend on how far."""
    for question in few(missing):
        if not question.futr_exog:
            for horizon in range(question.horizon_min + 1, LONGEST_MIN + 1):
                yield replace(question, horizon_min=horizon)


def few(of: Sequence[T]) -> list[T]:
    """The first, one in the middle, the last."""
    return [of[number] for number in sorted({part * (len(of) - 1) // (FEW - 1) for part in range(FEW)})] if of else []


def _other_clock(question: Question) -> Question:
    return replace(question, clock=NO_CLOCK if question.clock == ARTIFICIAL else ARTIFICIAL)


def _stored(store: AnswerStore, questions: Sequence[Question]) -> set[str]:
    keys = {question.key for question in questions}
    here = keys_in(store.local, keys)
    try:
        return here | (keys_in(store.remote, keys - here - store.dropped.keys) if store.remote is not None else set())
    except OSError:  # a remote that does not answer is told by whoever needs its answers
        return here


def keys_in(place: Place, keys: Iterable[str]) -> set[str]:
    """Which of these keys have a record there, from one listing per folder."""
    by_folder: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        by_folder[key[:2]].add(key)
    found: set[str] = set()
    for folder, wanted in by_folder.items():
        names = {f"{folder}/{name}" for name in place.names(folder)}
        found |= {key for key in wanted if path_of(key) in names}
    return found
