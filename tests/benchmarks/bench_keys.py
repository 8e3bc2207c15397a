"""Keys of 1,000 snapshots x 3 symbols, against one flat sha256 over the same bytes.

All in CPU seconds of the same process, from arrays that are there, sessions hashed for the first time included. With
40 days of history, ours are the keys (histories, digests, canonical bytes, md5), and beside them the whole plan,
verdicts and schedule included. With 120 days, both are the digests of the history alone. Hashing flat has to put each
window together anew and read all of it; what the reading alone takes, from windows that lie together already, is told
beside it.
Run: python -m tests.benchmarks.bench_keys
"""

import gc
import hashlib
from collections.abc import Callable
from dataclasses import replace
from time import process_time
from typing import Any

from stages.questions.market import Market
from stages.questions.question import Question
from stages.questions.window import Series
from tests.features.made_bars import made_calendar
from tests.questions.markets import plan, random_market, requests_params

SYMBOLS = ("A", "B", "C")
SNAPSHOTS = ["09:45", "10:30", "13:30", "14:45"]
HISTORY_DAYS = 40
SESSIONS = 250 + HISTORY_DAYS
MOST_SECONDS = 1.5
LOOKBACK_RATIO = requests_params().max_lookback_ratio
LONG_DAYS = 120
SESSIONS_ASKED = 250
MINUTES = {"four": (15, 60, 240, 315), "26": tuple(range(14, 390, 15))}


def cpu_seconds(function: Callable[[], object]) -> float:
    """CPU seconds of one run, the garbage collector held back as `timeit` does."""
    gc.disable()
    start = process_time()
    function()
    spent = process_time() - start
    gc.enable()
    return spent


def main() -> None:
    """Print both times and their ratio."""
    market, anew = (random_market(made_calendar(SESSIONS), *SYMBOLS) for _ in range(2))
    asked = {"snapshots_et": SNAPSHOTS, "history_days": [HISTORY_DAYS], "horizons_min": [5, 10, 15, 20]}
    planned: list = []
    arrays = cpu_seconds(lambda: [market.series(symbol).feature("sigma_5m") for symbol in SYMBOLS])
    whole = cpu_seconds(lambda: planned.extend(plan(market, **asked)))
    schedule, questions = planned
    by_key = {question.key: question for question in questions}
    rows = [(by_key[row["key"]], row) for row in schedule.drop_nulls("key").iter_rows(named=True)]
    for symbol in SYMBOLS:
        anew.series(symbol)
    ours = cpu_seconds(lambda: [key_of(anew, question, row) for question, row in rows])
    payloads = (market.window(question).returns.tobytes() for question in questions)
    flat = sum(cpu_seconds(lambda payload=payload: hashlib.sha256(payload).digest()) for payload in payloads)
    print(f"{len(questions):,} questions, {sum(question.rows for question in questions) * 8 / 1e6:,.0f} MB of history")
    print(f"arrays and plan {arrays + whole:.2f} s (at most {MOST_SECONDS} wanted)")
    print(f"flat sha256 {flat:.2f} s  keys {ours:.2f} s  ratio {flat / ours:.2f} (at least 1 wanted), "
          f"to the whole plan {flat / whole:.2f}")  # fmt: skip
    for snapshots, minutes in MINUTES.items():
        long_histories(snapshots, minutes)


def key_of(market: Market, question: Question, row: dict[str, Any]) -> str:
    """The key of a question whose history is digested anew."""
    history = market.history(question.symbol, row["session"], HISTORY_DAYS, LOOKBACK_RATIO)
    cut = market.cut(question.symbol, history, row["session"], row["m0"])
    found = replace(question, rows=cut.rows, y_sha256=market.series(question.symbol).digest(cut)).key
    assert found == question.key
    return found


def long_histories(snapshots: str, minutes: tuple[int, ...]) -> None:
    """Digests of whole sessions made once, and one over their ordered list, against hashing every window flat."""
    market = random_market(made_calendar(SESSIONS_ASKED + LONG_DAYS), SYMBOLS[0])
    bars, features = market.bars[SYMBOLS[0]], market.features[SYMBOLS[0]]
    series = market.series(SYMBOLS[0])
    sessions = sorted(series.blocks)
    cuts = [
        market.cut(SYMBOLS[0], tuple(sessions[day - LONG_DAYS : day]), sessions[day], m0)
        for day in range(LONG_DAYS, len(sessions))
        for m0 in minutes
    ]
    fresh = [Series.of(SYMBOLS[0], bars, features) for _ in range(5)]
    ours = min(cpu_seconds(lambda one=one: [one.digest(cut) for cut in cuts]) for one in fresh)
    flat = cpu_seconds(lambda: [hashlib.sha256(series.returns[cut.index]).digest() for cut in cuts])
    spans = [slice(cut.blocks[0][0], cut.today[1]) for cut in cuts]
    reading = cpu_seconds(lambda: [hashlib.sha256(series.returns[span]).digest() for span in spans])
    print(
        f"{len(cuts):,} windows of {LONG_DAYS} days, {snapshots} a day: flat sha256 {flat:.2f} s  by session "
        f"{ours:.4f} s  ratio {flat / ours:.0f} (at least 100 wanted), to the reading alone {reading / ours:.0f}"
    )


if __name__ == "__main__":
    main()
