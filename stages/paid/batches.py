"""Batches: which missing questions are sent in one request.

There is one request per snapshot for all its missing symbols. A symbol that is asked with several histories needs
several requests, so that each holds at most one series a symbol. Questions with an option under which the series of a
request influence each other are sent alone, since a key names one series. With `api.pack: snapshots`, many snapshots
share a request up to a size limit.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

import polars as pl

from stages.forecasting.backend import Asked
from stages.paid.units import most
from stages.questions.question import Question

BYTES_PER_VALUE = 12  # of `y`, millionths of a bp as a float32 in JSON with its comma, at most
BYTES_PER_EXOGENOUS = 17  # any float32, as -0.0000012345678
PACKED_BYTES = 10_000_000  # limits what one lost reply costs; the service accepts twenty times as much
PACKED_SNAPSHOTS = 250  # each needs an open lock file
JOINT_OPTIONS = ("finetune_steps", "multivariate")


@dataclass(frozen=True)
class Batch:
    """The questions of one request, in the order in which they are sent."""

    asked: tuple[Asked, ...]

    @property
    def questions(self) -> list[Question]:
        """The questions alone."""
        return [one.question for one in self.asked]

    @property
    def snapshots(self) -> list[str]:
        """Its snapshots, by the names of their locks."""
        return sorted({f"{question.snapshot_utc:%Y-%m-%dT%H%MZ}" for question in self.questions})

    @property
    def size(self) -> int:
        """An upper bound of the request's JSON. *Units*: bytes."""
        return sum(
            one.rows * BYTES_PER_VALUE
            + (one.rows * len(one.hist_exog + one.futr_exog) + one.horizon_min * len(one.futr_exog))
            * BYTES_PER_EXOGENOUS
            for one in self.questions
        )

    def without(self, keys: Container[str]) -> "Batch":
        """The questions whose keys are not among these."""
        return Batch(tuple(one for one in self.asked if one.question.key not in keys))

    def only(self, keys: Container[str]) -> "Batch":
        """The questions whose keys are among these."""
        return Batch(tuple(one for one in self.asked if one.question.key in keys))

    def halves(self) -> list["Batch"]:
        """The same questions in two requests."""
        middle = len(self.asked) // 2
        return [Batch(self.asked[:middle]), Batch(self.asked[middle:])]


def joint_options(question: Question) -> list[str]:
    """Options of a question under which the series of one request influence each other's answers."""
    return [name for name in JOINT_OPTIONS if question.options.get(name)]


def one_per(batches: Sequence[Batch], facts: int = 0) -> str:
    """How many questions a request holds, in words; `facts` of the requests ask for those of the model."""
    about_model = ", one for the model's facts" * facts
    if any(len(batch.snapshots) > 1 for batch in batches):
        return f"packed, since api.pack is snapshots{about_model}"
    joint = [name for batch in batches[:1] for name in joint_options(batch.questions[0])]
    return (f"one per question, since forecaster.{joint[0]} is set" if joint else "one per snapshot") + about_model


def is_packable(question: Question) -> bool:
    """Whether its request may hold other snapshots; known futures belong to one snapshot each."""
    return not (question.futr_exog or joint_options(question))


def request_settings(question: Question) -> tuple[object, ...]:
    """The settings that all questions of one request must share."""
    options = tuple(sorted(question.options.items()))
    names = ("horizon_min", "levels", "freq", "clock", "hist_exog", "futr_exog")
    return (question.model, question.deployment, options, *(getattr(question, name) for name in names))


def per_snapshot(asked: Iterable[Asked]) -> list[Batch]:
    """One batch per snapshot (more only when a symbol is asked twice there), ordered by time."""
    groups: dict[tuple[object, ...], list[Asked]] = defaultdict(list)
    for one in {one.question.key: one for one in asked}.values():
        groups[(one.question.snapshot_utc, *request_settings(one.question))].append(one)
    ordered = sorted(groups.values(), key=lambda group: group[0].question.snapshot_utc)
    return [Batch(tuple(layer)) for group in ordered for layer in _layers(group)]


def packed(batches: Iterable[Batch]) -> list[Batch]:
    """The same questions in as few requests as the limits allow, ordered by time."""
    full: list[Batch] = []
    open_: dict[tuple[object, ...], Batch] = {}
    for batch in batches:
        kind = request_settings(batch.questions[0])
        joined = Batch((*open_[kind].asked, *batch.asked)) if kind in open_ else batch
        if kind in open_ and (joined.size > PACKED_BYTES or len(joined.snapshots) > PACKED_SNAPSHOTS):
            full.append(open_[kind])
            joined = batch
        open_[kind] = joined
    return full + list(open_.values())


def as_sent(batches: Sequence[Batch], pack: str) -> list[Batch]:
    """The same questions in the requests that `api.pack` sends."""
    packs = pack == "snapshots" and all(is_packable(batch.questions[0]) for batch in batches)
    return packed(batches) if packs else list(batches)


def _layers(group: Sequence[Asked]) -> Iterator[list[Asked]]:
    """The group in requests: the shortest history of every symbol, then the next; one each with joint options."""
    if joint_options(group[0].question):
        yield from ([one] for one in sorted(group, key=lambda one: (one.question.symbol, one.question.key)))
        return
    by_symbol: dict[str, list[Asked]] = defaultdict(list)
    for one in sorted(group, key=lambda one: (one.question.symbol, one.question.rows, one.question.key)):
        by_symbol[one.question.symbol].append(one)
    for depth in range(max(map(len, by_symbol.values()))):
        yield [queue[depth] for queue in by_symbol.values() if depth < len(queue)]


def batches_of(questions: Iterable[Question]) -> list[Batch]:
    """The requests for these questions, one a snapshot, without rows: they are only counted."""
    return per_snapshot(Asked(question, no_rows) for question in questions)


def calls_by_session(questions: Iterable[Question]) -> pl.DataFrame:
    """Rows of table `Calls`; a session is one day in UTC."""
    counts: dict[date, tuple[int, int]] = {}
    for batch in batches_of(questions):
        day = batch.questions[0].snapshot_utc.date()
        calls, tokens = counts.get(day, (0, 0))
        counts[day] = calls + 1, tokens + most(batch.questions, None).tokens
    rows = [(day, *of_day) for day, of_day in counts.items()]
    return pl.DataFrame(rows, schema={"session": pl.Date, "calls": pl.Int64, "tokens": pl.Int64}, orient="row")


def no_rows() -> NoReturn:
    """The rows of a question that is only counted or priced."""
    raise AssertionError("counting and pricing need no rows")
