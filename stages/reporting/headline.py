"""The verdict of the run and its reason in words: the first thing a reader sees."""

from dataclasses import dataclass

from stages.reporting.record import Record


@dataclass(frozen=True)
class Headline:
    """The word, its reason, and the few numbers that belong beside it."""

    word: str
    reason: str
    facts: tuple[tuple[str, str], ...]


def headline(record: Record) -> Headline:
    return Headline("INCONCLUSIVE", "Because.", (("a", "b"),))
