"""Prices: what the present questions would cost, and which params would make stored answers fit.

Answers are looked up as in a run, damage included, so the price is what the run will pay. Records that only a shared
remote has are fetched. Two params can be changed so that stored answers fit: `requests.clock`, and
`requests.asked_horizon_min` if longer answers are stored. This is only advice: an answer is never used for another
question.

*Errors*: `ConfigurationError` (exit 5) while answers to exactly these questions are stored under the other clock.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import polars as pl

from stages.errors import ConfigurationError, PipelineError
from stages.forecasting.backend import Asked
from stages.io.object_store import ObjectStore
from stages.paid.answer_store import AnswerStore
from stages.paid.batches import Batch, as_sent, is_packable, no_rows, packed, per_snapshot
from stages.paid.model_facts import parse_facts, path_of_facts, read_note
from stages.paid.records import path_of
from stages.paid.units import Units
from stages.params.api import Tariff
from stages.params.model_spec import is_azure
from stages.questions.question import ARTIFICIAL, Question

NO_CLOCK = "none"
SAMPLES = 3  # questions that are tried with a longer horizon
LONGEST_MIN = 389
T = TypeVar("T")


def require_same_clock(store: AnswerStore, missing: Sequence[Question]) -> None:
    """Refuse to buy questions that are answered under the other clock."""
    if store.is_empty():
        return
    others = [_other_clock(question) for question in missing]
    if found := len(_stored(store, others)):
        clock = others[0].clock
        raise ConfigurationError(
            f"{found} of {len(missing)} missing answers are stored under the other clock; nothing was bought. Set "
            f"`requests.clock: {clock}` to use them, or change forecaster.model_epoch to buy them all again under "
            f"`{missing[0].clock}`."
        )


def fitting(store: AnswerStore, further: Iterable[Question]) -> str:
    """Which params make stored answers with a longer horizon fit; empty when none is stored."""
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
    """Some of the questions with a longer horizon: those whose rows and columns do not depend on it."""
    for question in samples_of(missing):
        if not question.futr_exog:
            for horizon in range(question.horizon_min + 1, LONGEST_MIN + 1):
                yield replace(question, horizon_min=horizon)


def samples_of(of: Sequence[T]) -> list[T]:
    """The first, one in the middle, the last."""
    places = {part * (len(of) - 1) // (SAMPLES - 1) for part in range(SAMPLES)} if of else set()
    return [of[place] for place in sorted(places)]


def _other_clock(question: Question) -> Question:
    return replace(question, clock=NO_CLOCK if question.clock == ARTIFICIAL else ARTIFICIAL)


def _stored(store: AnswerStore, questions: Sequence[Question]) -> set[str]:
    keys = {question.key for question in questions}
    here = keys_in(store.local, keys)
    try:
        return here | (keys_in(store.remote, keys - here - store.dropped.keys) if store.remote is not None else set())
    except (OSError, PipelineError):  # a remote that fails is reported where its answers are needed
        return here


def keys_in(objects: ObjectStore, keys: Iterable[str]) -> set[str]:
    """Which of these keys have a record there, from one listing per folder."""
    by_folder: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        by_folder[key[:2]].add(key)
    found: set[str] = set()
    for folder, wanted in by_folder.items():
        names = {f"{folder}/{name}" for name in objects.names(folder)}
        found |= {key for key in wanted if path_of(key) in names}
    return found


@dataclass(frozen=True)
class Price:
    """*Units*: questions, HTTP requests. `span` is the longest run of sessions that is fully paid, if any."""

    questions: int
    local: int
    remote: int
    batches: tuple[Batch, ...]
    facts: int
    repeated: int
    tariff: Tariff | None
    span: tuple[str, str] | None

    @property
    def missing(self) -> int:
        """Questions without an answer."""
        return sum(len(batch.asked) for batch in self.batches)

    @property
    def requests(self) -> int:
        """Requests as `api.pack` sends them, plus one for the model facts if they are not known yet."""
        return len(self.batches) + self.facts

    def costs(self, count: Callable[[Sequence[Question], Tariff | None], Units]) -> list[Units]:
        """The units of each request, in order, as `units.most` or `units.least` counts them."""
        asked: list[list[Question]] = [[]] * self.facts + [batch.questions for batch in self.batches]
        return [count(questions, self.tariff) for questions in asked]

    def cost(self, count: Callable[[Sequence[Question], Tariff | None], Units]) -> Units:
        """The units of all requests."""
        return sum(self.costs(count), Units())

    @property
    def packed_requests(self) -> int | None:
        """Requests with `api.pack: snapshots`; None for questions that are never packed."""
        if not all(is_packable(batch.questions[0]) for batch in self.batches):
            return None
        return len(packed(self.batches)) + self.facts

    @property
    def largest_bytes(self) -> int:
        """An upper bound of the largest request."""
        return max((batch.size for batch in self.batches), default=0)


def price(
    questions: Sequence[Question],
    schedule: pl.DataFrame,
    store: AnswerStore,
    tariff: Tariff | None = None,
    pack: str = "none",
) -> Price:
    """The price of these questions for this store; `tariff` and `pack` as in section `api`."""
    answered = set(store.get(sorted({question.key for question in questions})))
    missing = [Asked(question, no_rows) for question in questions if question.key not in answered]
    return Price(
        questions=len(questions),
        local=len(answered) - store.hits_remote,
        remote=store.hits_remote,
        batches=tuple(as_sent(per_snapshot(missing), pack)),
        facts=missing_facts(store, questions[0]) if missing else 0,
        repeated=schedule.filter(pl.col("status") == "ok").height - len(questions),
        span=paid_span(schedule, answered),
        tariff=tariff,
    )


def missing_facts(store: AnswerStore, question: Question) -> int:
    """How many requests for the model's facts come before the first question that is bought: 1, or 0 if known."""
    known = is_azure(question.deployment) or read_note(store, path_of_facts(question), parse_facts) is not None
    return 0 if known else 1


def paid_span(schedule: pl.DataFrame, paid: set[str]) -> tuple[str, str] | None:
    """First and last session of the longest stretch in which every question has its answer."""
    asked = schedule.filter(pl.col("status") == "ok")
    by_session = asked.group_by("session").agg(pl.col("key").is_in(list(paid)).all()).sort("session")
    best: tuple[int, str, str] = (0, "", "")
    length, start = 0, ""
    for session, all_paid in by_session.iter_rows():
        length, start = (length + 1, start or str(session)) if all_paid else (0, "")
        best = max(best, (length, start, str(session)), key=lambda one: one[0])
    return (best[1], best[2]) if best[0] else None
