"""Hansen's test on ten thousand variants beside `arch`'s own: seconds, memory, the same p-value; its size and power.

Run: python -m tests.benchmarks.bench_superior_ability
"""

import time
import tracemalloc
from collections.abc import Callable, Mapping

import numpy as np
from arch.bootstrap import SPA, StationaryBootstrap

from stages.trading.multiplicity import Floats, superior_ability_p

SESSIONS, VARIANTS, REPS, SEED = 250, 10_000, 1_000, 7
MONTHS, GRID, GRIDS, DRAWS, LEVEL = 73, 36, 200, 300, 0.05  # of the default study
SPREAD, SKILL = np.geomspace(1.0, 20.0, GRID), 0.45


def of_arch(daily: Floats, reps: int = REPS) -> float:
    """Of days as they are: `arch` divides by nothing. The sample is counted as one draw."""
    test = SPA(np.zeros(len(daily)), -daily, reps=reps, seed=SEED)
    test.block_size = 1  # of its variances, not of its draws: the plain variance of the days
    test.compute()
    return (1 + reps * float(test.pvalues["consistent"])) / (1 + reps)


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


def long_run_deviation(daily: Floats) -> Floats:
    """That of the mean over the bootstrap's own draws, times the root of the sessions."""
    bootstrap = StationaryBootstrap(int(np.sqrt(len(daily))), daily, seed=SEED)
    return bootstrap.apply(lambda days: days.mean(axis=0), DRAWS).std(axis=0) * np.sqrt(len(daily))


def rates(skill_of: Mapping[int, float]) -> dict[str, float]:
    """How often grids of unequal variances are called better than nothing, by what means are divided by."""
    called: dict[str, int] = {"nothing": 0, "the long-run deviation": 0, "the deviation of a day (ours)": 0}
    for seed in range(GRIDS):
        rng = np.random.default_rng([SEED, seed])
        daily = np.sqrt(0.5) * (rng.normal(size=(MONTHS, 1)) + rng.normal(size=(MONTHS, GRID)))
        for variant, skill in skill_of.items():
            daily[:, variant] += skill
        daily *= SPREAD
        found = (
            of_arch(daily, DRAWS),
            of_arch(daily / long_run_deviation(daily), DRAWS),
            superior_ability_p(daily, DRAWS, SEED),
        )
        for name, p in zip(called, found, strict=True):
            called[name] += p is not None and p <= LEVEL
    return {name: count / GRIDS for name, count in called.items()}


def main() -> None:
    """Print both, and their ratio; then size and power."""
    daily = np.random.default_rng(SEED).normal(size=(SESSIONS, VARIANTS))
    of_ours(daily[:, :10])  # the import is not counted
    (ours, fast, small), (theirs, slow, large) = (
        measured(of_ours, daily),
        measured(of_arch, daily / daily.std(axis=0)),
    )
    same = ours is not None and abs(ours - theirs) < 1e-12
    agree = "the same p-value" if same else f"p-values {ours} and {theirs}"
    print(f"{VARIANTS:,} variants, {SESSIONS} sessions, {REPS:,} draws: {agree}, {slow / fast:.0f}x as fast")
    print(f"blocks of products {fast:.1f} s, {small:.0f} MB; arch {slow:.1f} s, {large:.0f} MB")
    print(
        f"{GRIDS} grids of {GRID} variants on {MONTHS} sessions, deviations 1 to 20, p <= {LEVEL:.0%}; means divided by"
    )
    luck, calm, wild = rates({}), rates({0: SKILL}), rates({GRID - 1: SKILL})
    for name in luck:
        print(
            f"  {name}: no skill {luck[name]:.0%}, the calmest has skill {calm[name]:.0%}, the wildest {wild[name]:.0%}"
        )


if __name__ == "__main__":
    main()
