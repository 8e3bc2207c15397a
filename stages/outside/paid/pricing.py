"""What the present questions would cost, before anything is bought.

Answers are looked up as a run looks them up, damage included, so that the price is what the run will pay; what only a
shared remote has is fetched.
*Errors*: none of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import polars as pl

from stages.forecasting.backend import Asked
from stages.forecasting.params import Tariff, is_azure
from stages.outside.paid.answers import AnswerStore
from stages.outside.paid.batches import Batch, packed, per_snapshot
from stages.outside.paid.model_facts import parse_facts, path_of_facts
from stages.outside.paid.notes import read_note
from stages.outside.paid.units import Units
from stages.requests.question import Question


@dataclass(frozen=True)
class Price:
    """*Units*: questions, HTTP requests. `span` is the widest cut of sessions that is paid already, if any."""

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
        """Requests at one per snapshot, with the one for the model's facts if it is still due."""
        return len(self.batches) + self.facts

    def cost(self, count: Callable[[Sequence[Question], Tariff | None], Units]) -> Units:
        """Tokens and money at one request per snapshot, as `units.most` or `units.least` counts them."""
        asked = [batch.questions for batch in self.batches] + [[]] * self.facts
        return sum((count(questions, self.tariff) for questions in asked), Units())

    @property
    def packed_requests(self) -> int:
        """Requests with `api.pack: snapshots`."""
        return len(packed(self.batches)) + self.facts

    @property
    def largest_bytes(self) -> int:
        """An upper bound of the largest request at one per snapshot."""
        return max((batch.size for batch in self.batches), default=0)


def price(
    questions: Sequence[Question], schedule: pl.DataFrame, store: AnswerStore, tariff: Tariff | None = None
) -> Price:
    """The price of these questions for this store."""
    answered = set(store.get(sorted({question.key for question in questions})))
    missing = [Asked(question, _nobody_looks) for question in questions if question.key not in answered]
    first = questions[0]
    facts_known = is_azure(first.deployment) or read_note(store, path_of_facts(first), parse_facts) is not None
    return Price(
        questions=len(questions),
        local=len(answered) - store.hits_remote,
        remote=store.hits_remote,
        batches=tuple(per_snapshot(missing)),
        facts=0 if facts_known or not missing else 1,
        repeated=schedule.filter(pl.col("status") == "ok").height - len(questions),
        span=paid_span(schedule, answered),
        tariff=tariff,
    )


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


def _nobody_looks() -> NoReturn:
    raise AssertionError("a price needs no rows")
