"""Keys of 1,000 snapshots x 3 symbols x 40 days, against one flat sha256 over the same bytes.

Both in CPU seconds of the same process, from arrays that are there. Ours is the whole plan: verdicts so far, histories,
digests, questions, keys, schedule.
Run: python -m tests.benchmarks.bench_keys
"""

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


def cpu_seconds(function: Callable[[], object]) -> float:
    """CPU seconds of one run."""
    start = process_time()
    function()
    return process_time() - start


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


if __name__ == "__main__":
    main()
