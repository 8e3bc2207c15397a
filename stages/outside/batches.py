"""Which missing questions travel in one request.

One request per snapshot for all its missing symbols; a symbol that is asked with several histories takes several, so
that every request holds at most one series a symbol.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from stages.forecasting.backend import Asked
from stages.requests.question import Question


@dataclass(frozen=True)
class Batch:
    """The questions of one request, in the order they are sent."""

    asked: tuple[Asked, ...]

    @property
    def questions(self) -> list[Question]:
        """The questions alone."""
        return [one.question for one in self.asked]

    @property
    def snapshots(self) -> list[str]:
        """The snapshots it holds, as names of their claims."""
        return sorted({f"{question.snapshot_utc:%Y-%m-%dT%H%MZ}" for question in self.questions})


def per_snapshot(asked: Iterable[Asked]) -> list[Batch]:
    """One batch per snapshot (more only when a symbol is asked twice there), in order of time."""
    groups: dict[tuple[object, ...], list[Asked]] = defaultdict(list)
    for one in _unique(asked):
        groups[(one.question.snapshot_utc, *_manner(one.question))].append(one)
    ordered = sorted(groups.values(), key=lambda group: group[0].question.snapshot_utc)
    return [Batch(tuple(layer)) for group in ordered for layer in _layers(group)]


def _unique(asked: Iterable[Asked]) -> Iterator[Asked]:
    yield from {one.question.key: one for one in asked}.values()


def _manner(question: Question) -> tuple[object, ...]:
    """What all questions of one request must share."""
    options = tuple(sorted(question.options.items()))
    shape = (question.horizon_min, question.levels, question.freq, question.hist_exog, question.futr_exog)
    return (question.model, question.deployment, options, *shape)


def _layers(group: Sequence[Asked]) -> Iterator[list[Asked]]:
    """First the shortest history of every symbol, then the next."""
    by_symbol: dict[str, list[Asked]] = defaultdict(list)
    for one in sorted(group, key=lambda one: (one.question.symbol, one.question.rows, one.question.key)):
        by_symbol[one.question.symbol].append(one)
    for depth in range(max(map(len, by_symbol.values()))):
        yield [queue[depth] for queue in by_symbol.values() if depth < len(queue)]
