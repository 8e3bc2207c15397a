"""Keys of 1,000 snapshots x 3 symbols, against one flat sha256 over the same bytes.

All in CPU seconds of the same process, from arrays that are there. With 40 days of history, ours is the whole plan:
verdicts so far, histories, digests, questions, keys, schedule. With 120 days, both are the digests of the
history alone, sessions hashed for the first time included; hashing flat has to read each window anew.
Run: python -m tests.benchmarks.bench_keys
"""

import gc
import hashlib
from collections.abc import Callable
from time import process_time

from tests.features.made_bars import made_calendar
from tests.requests.markets import plan, random_market

SYMBOLS = ("A", "B", "C")
SNAPSHOTS = ["09:45", "10:30", "13:30", "14:45"]
HISTORY_DAYS = 40
SESSIONS = 250 + HISTORY_DAYS
MOST_SECONDS = 1.5
LONG_DAYS = 120
SESSIONS_ASKED = 250
MINUTES = (15, 60, 240, 315)


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
    market = random_market(made_calendar(SESSIONS), *SYMBOLS)
    asked = {"snapshots_et": SNAPSHOTS, "history_days": [HISTORY_DAYS], "horizons_min": [5, 10, 15, 20]}
    questions: list = []
    arrays = cpu_seconds(lambda: [market.series(symbol).feature("sigma_5m") for symbol in SYMBOLS])
    ours = cpu_seconds(lambda: questions.extend(plan(market, **asked)[1]))
    payloads = (market.window(question).returns.tobytes() for question in questions)
    flat = sum(cpu_seconds(lambda payload=payload: hashlib.sha256(payload).digest()) for payload in payloads)
    print(f"{len(questions):,} questions, {sum(question.rows for question in questions) * 8 / 1e6:,.0f} MB of history")
    print(f"arrays and plan {arrays + ours:.2f} s (at most {MOST_SECONDS} wanted)")
    print(f"flat sha256 {flat:.2f} s  plan {ours:.2f} s  ratio {flat / ours:.2f} (at least 1 wanted)")
    long_histories()


def long_histories() -> None:
    """Digests of whole sessions made once, and one over their ordered list, against hashing every window flat."""
    market = random_market(made_calendar(SESSIONS_ASKED + LONG_DAYS), SYMBOLS[0])
    series = market.series(SYMBOLS[0])
    sessions = sorted(series.blocks)
    cuts = [
        market.cut(SYMBOLS[0], tuple(sessions[day - LONG_DAYS : day]), sessions[day], m0)
        for day in range(LONG_DAYS, len(sessions))
        for m0 in MINUTES
    ]
    ours = cpu_seconds(lambda: [series.digest(cut) for cut in cuts])
    flat = cpu_seconds(lambda: [hashlib.sha256(series.returns[cut.index]).digest() for cut in cuts])
    print(f"{len(cuts):,} windows of {LONG_DAYS} days: flat sha256 {flat:.2f} s  by session {ours:.4f} s  "
          f"ratio {flat / ours:.0f} (at least 100 wanted)")  # fmt: skip


if __name__ == "__main__":
    main()
