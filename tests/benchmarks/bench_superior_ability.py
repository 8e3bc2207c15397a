"""Hansen's test on ten thousand variants beside `arch`'s own: seconds, memory, and the same p-value.

Run: python -m tests.benchmarks.bench_superior_ability
"""

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from arch.bootstrap import SPA

from stages.backtesting.superior_ability import Floats, superior_ability_p

SESSIONS, VARIANTS, REPS, SEED = 250, 10_000, 1_000, 7


def of_arch(daily: Floats) -> float:
    test = SPA(np.zeros(len(daily)), -daily, reps=REPS, seed=SEED)
    test.compute()
    return float(test.pvalues["consistent"])


def of_ours(daily: Floats) -> float | None:
    return superior_ability_p(daily, REPS, SEED)


def measured(test: Callable[[Floats], float | None], daily: Floats) -> tuple[float | None, float, float]:
    """The p-value, seconds, and megabytes held at most."""
    start = time.perf_counter()
    p = test(daily)
    seconds = time.perf_counter() - start
    tracemalloc.start()
    test(daily)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return p, seconds, peak / 1e6


def main() -> None:
    """Print both, and their ratio."""
    daily = np.random.default_rng(SEED).normal(size=(SESSIONS, VARIANTS))
    of_ours(daily[:, :10])  # the import is not counted
    (ours, fast, small), (theirs, slow, large) = (measured(test, daily) for test in (of_ours, of_arch))
    agree = "the same p-value" if ours == theirs else f"p-values {ours} and {theirs}"
    print(f"{VARIANTS:,} variants, {SESSIONS} sessions, {REPS:,} draws: {agree}, {slow / fast:.0f}x as fast")
    print(f"blocks of products {fast:.1f} s, {small:.0f} MB; arch {slow:.1f} s, {large:.0f} MB")


if __name__ == "__main__":
    main()
