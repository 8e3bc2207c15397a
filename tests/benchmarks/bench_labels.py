"""Labels read from made-up feeds whose truth is known: a table of what is right, undecided and wrong.

Feeds are drawn over start and end labels, 390 or 391 rows or all hours, auction rows, lost rows and sessions, minutes
without a trade, half days and the change of clocks, flat and real openings, coarse ticks, no volume at all. `ample` are
feeds with at least ten full sessions and 90 % of their minutes. A wrong answer of a feed with one label would order a
minute of look-ahead or of delay: there must be none, and of a thousand feeds or more at most 5 % of the ample
ones may stay undecided.

Run: make label-proof, or python -m tests.benchmarks.bench_labels 2000
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable

from stages.quality.labels import MIN_CONFIDENCE, read_labels
from tests.quality.label_feeds import Feed, bars_of, drawn, off_by_hours, off_by_minutes, switching

ANSWERS = ("right", "undecided", "wrong")
SPOILED: dict[str, Callable[[int], Feed]] = {
    "stamps off by 2 or 5 minutes": off_by_minutes,
    "a clock off by 1 to 6 hours": off_by_hours,
    "the other label from some session on": switching,
}


def answer(feed: Feed) -> str:
    """What the reading of a feed is worth."""
    reading = read_labels(bars_of(feed), feed.calendar)
    said = int(feed.label == "end")
    if feed.truth == {said} and reading.against(said) >= MIN_CONFIDENCE:  # it would stop a sound run
        return "wrong"
    if not reading.is_decided():
        return "undecided"
    return "right" if {one.offset_min for one in reading.stretches} == feed.truth else "wrong"


def answers(feeds: Iterable[Feed]) -> Counter[tuple[str, bool, str]]:
    """How many feeds have which rows, are ample, and end so."""
    return Counter((feed.rows, feed.is_ample, answer(feed)) for feed in feeds)


def main() -> None:
    """The table, then the faults of the clock."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    found = answers(map(drawn, range(count)))
    print(f"{count} feeds with one label; rows, feeds: " + ", ".join(ANSWERS))
    for rows in ("390", "391", "all"):
        for ample in (True, False):
            told = [found[rows, ample, one] for one in ANSWERS]
            print(f"  {rows:>3} {'ample' if ample else 'scant'} {sum(told):5}: {told[0]:5} {told[1]:4} {told[2]:4}")
    wrong = sum(feeds for (_, _, one), feeds in found.items() if one == "wrong")
    ample = sum(feeds for (_, is_ample, _), feeds in found.items() if is_ample)
    undecided = sum(feeds for (_, is_ample, one), feeds in found.items() if is_ample and one == "undecided")
    print(f"  wrong order: {wrong}; undecided of {ample} ample feeds: {undecided / ample:.1%}")
    for what, feeds in SPOILED.items():
        told = Counter(one for (_, _, one), n in answers(map(feeds, range(count // 4))).items() for _ in range(n))
        print(f"{what}, {count // 4} feeds: " + ", ".join(f"{told[one]} {one}" for one in ANSWERS))
    assert wrong == 0
    assert count < 1000 or undecided <= 0.05 * ample


if __name__ == "__main__":
    main()
