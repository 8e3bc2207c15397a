"""How often evidence about the paid forecaster errs, and how long it takes: seeded simulations with a known truth.

First, days whose true mean is zero, looked at daily for 250 days: how often the verdict says WORTH IT, how often E ever
reaches 20 against that mean from above or from below, and how often a t test that is peeked at daily from day 10
rejects at 5 %; of E and t the worse side is shown. Then planted forecasters with a true advantage: after how many days
the verdict falls, beside the plan's estimate and the days of a fixed one-sided test that errs in 5 % of cases on both
sides. Last, where money decides: how often a rule that gains nothing is called WORTH IT, planned by what one trade may
lose, as the stage does, and by the true deviation of its days.

Run: make bench-worth, or python -m tests.benchmarks.bench_worth 200 for a tenth of the paths
"""

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.special import ndtri, stdtrit

from stages.worth.evidence import Floats, log_e_values, running_means
from stages.worth.price_of_evidence import waits
from stages.worth.verdict import UNDECIDED, Terms, decide
from tests.worth.worlds import (
    Pair,
    Rule,
    Side,
    autocorrelated,
    by_scale,
    by_signal,
    disasters,
    flat_and_skewed_down,
    garch,
    normal,
    skewed_down,
    skewed_up,
    t3,
)

PATHS, DAYS, SEED = 2_000, 250, 18
SD = 0.05
NOISE = 0.25  # in the log of a planted width: equal forecasters differ by 6 % a day with eight questions
TERMS = Terms(delta=0.03, alpha=0.05, prior_studies=0, min_days=10, planned_sessions=DAYS, s0=SD)
NEEDED = np.log(TERMS.threshold)
SAMPLING = 0.01  # of a share of 2,000 paths, two standard errors
ABSTRACT = {  # the world, and the share of paths on which E may ever reach 20
    "normal": (normal, 0.016),
    "Student t, 3 degrees": (t3, 0.011),
    "skewness -4, lognormal": (skewed_down, 0.047),
    "skewness -4, gamma": (flat_and_skewed_down, 0.072),  # beyond the design's worlds: above 5 %
    "skewness +4, lognormal": (skewed_up, 0.047),
    "rare disasters": (disasters, 0.068),
    "GARCH": (garch, 0.018),
    "autocorrelation 0.1": (autocorrelated(0.1), 0.026),
    "autocorrelation 0.2": (autocorrelated(0.2), 0.055),
}
PLANTED = {
    "too narrow": Pair(Side(width=0.8), Side()),
    "noisy scale": Pair(Side(noise=NOISE), Side(noise=NOISE)),
    "noisy scale of the paid one": Pair(Side(noise=NOISE), Side()),
    "signal of the free one": Pair(Side(), Side(knows=True), signal=0.3),
}
PLANTED_SHARE = 0.03
ADVANTAGES = (0.0, 0.01, 0.03, 0.05, 0.10)
DESIGNS = {"1 symbol x 8 snapshots": (8, 0.07), "5 symbols x 4 snapshots": (20, 0.07)}  # questions a day, planned sd
PLAN = 120
RULES = {
    "1 trade a day, wins 5 of 10": Rule(1, 1.0, 0.5),
    "1 trade a day, wins 8 of 10": Rule(1, 1.0, 0.8),
    "1 trade a day, wins 9 of 10": Rule(1, 1.0, 0.9),
    "1 trade in 5 days, wins 8 of 10": Rule(1, 0.2, 0.8),
    "8 trades a day, wins 8 of 10": Rule(8, 1.0, 0.8),
}
WITHIN = {
    "1 symbol x 8 snapshots": {0.0: 60, 0.03: 80, 0.05: 60, 0.10: 60},
    "5 symbols x 4 snapshots": {0.05: 30, 0.10: 20},
}


def peeked_t_test(x: Floats) -> float:
    """The share of paths on which a daily one-sided t test at 5 % rejects at least once."""
    n = np.arange(1, x.shape[-1] + 1)
    means = running_means(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt((np.cumsum(x**2, axis=-1) - n * means**2) / (n - 1))
        t = means / (sd / np.sqrt(n))
    first = TERMS.min_days - 1
    return float((t[:, first:] >= stdtrit(n[first:] - 1.0, 1.0 - TERMS.alpha)).any(axis=-1).mean())


def ever(x: Floats, s0: float) -> float:
    """The share of paths on which E against a mean of at most 0 is ever large enough."""
    return float((log_e_values(x, 0.0, s0).max(axis=-1) >= NEEDED).mean())


def decided(x: Floats, terms: Terms) -> tuple[Floats, Floats]:
    """Of paths: the index of the day that decides or -1, and whether it says WORTH IT."""
    small = log_e_values(x, terms.delta, terms.s0, sign=-1)
    return decide(log_e_values(x, 0.0, terms.s0), small, running_means(x), terms)


def false_alarms(name: str, x: Floats, s0: float, allowed: float, margin: float) -> None:
    """One line of the first table; every series of days has the mean 0."""
    said = float(decided(x, replace(TERMS, s0=s0))[1].mean())
    reached, peeked = max(ever(x, s0), ever(-x, s0)), max(peeked_t_test(x), peeked_t_test(-x))
    print(f"  {name:36} {said:8.1%} {reached:8.1%} {allowed:8.1%} {peeked:9.1%} {peeked / reached:6.1f} x")
    assert said <= TERMS.alpha + margin - SAMPLING, (name, said)
    assert reached <= allowed + margin, (name, reached)
    assert peeked > 0.25 - (margin - SAMPLING), (name, peeked)


def worlds(paths: int) -> None:
    """Shares of false alarms."""
    margin = SAMPLING * np.sqrt(PATHS / paths) if paths < PATHS else SAMPLING
    print(f"True advantage 0, {paths} paths of {DAYS} days, a look a day. WORTH IT: at most {TERMS.alpha:.0%}")
    print(f"  {'world':36} {'WORTH IT':>8} {'E >= 20':>8} {'allowed':>8} {'peeked t':>9} {'t / E':>8}")
    for seed, (name, (draw, allowed)) in enumerate(ABSTRACT.items()):
        false_alarms(name, SD * draw(np.random.default_rng([SEED, seed]), paths, DAYS), SD, allowed, margin)
    for seed, (name, pair) in enumerate(PLANTED.items()):
        x = pair.day_values(np.random.default_rng([SEED, 100 + seed]), paths, DAYS, 8) - pair.mean(4_000_000)
        false_alarms(f"planted: {name}", x, float(x.std()), PLANTED_SHARE, margin)


def fixed_test(advantage: float, sd: float) -> float:
    """Days of a one-sided normal test that errs in 5 % of cases on both sides."""
    apart = advantage if advantage >= TERMS.delta else TERMS.delta - advantage
    return float((2.0 * ndtri(1.0 - TERMS.alpha) * sd / apart) ** 2)


def waiting(name: str, make: Callable[[float, float], Pair], advantages: tuple[float, ...], paths: int) -> None:
    """The second table, for one design and one way to be better."""
    questions, s0 = DESIGNS[name]
    how = "sharper widths" if make is by_scale else "knowledge of the direction"
    print(f"{name}, {how}: delta 3 %, {paths} paths, planned deviation {s0:.0%}")
    head = ("advantage", "sd", "day 60 worth/not/open", "day 120", "median", "90 %", "plan", "fixed", "median/fixed")
    print(f"  {head[0]:>9} {head[1]:>6} {head[2]:>22} {head[3]:>14} " + " ".join(f"{one:>6}" for one in head[4:]))
    for number, advantage in enumerate(advantages):
        pair = make(advantage, NOISE if make is by_scale else 0.0)
        x = pair.day_values(np.random.default_rng([SEED, 200 + number, questions]), paths, DAYS, questions)
        x = x + advantage - x.mean()  # the advantage as stated, not as drawn
        terms = replace(TERMS, s0=s0)
        day, worth = decided(x, terms)
        days = np.sort(np.where(day == UNDECIDED, np.inf, day + 1.0))
        median, late = days[int(0.5 * paths)], days[int(0.9 * paths)]
        sd = float(x.std())
        [planned] = waits(sd, terms, [advantage])
        fixed = fixed_test(advantage, sd)
        shares = ["/".join(f"{100 * one:.0f}" for one in _shares(day, worth, at)) for at in (60, PLAN)]
        print(
            f"  {advantage:9.0%} {sd:6.3f} {shares[0]:>22} {shares[1]:>14} {median:6.0f} {late:6.0f} "
            f"{planned.median or np.inf:6.0f} {fixed:6.0f} {median / fixed:6.2f} x"
        )
        assert median <= WITHIN[name].get(advantage, np.inf), (name, advantage, median)
        assert planned.median is not None, (name, advantage)
        assert abs(planned.median - median) <= 0.2 * median, (name, advantage, planned.median, median)


def _shares(day: Floats, worth: Floats, at: int) -> tuple[float, float, float]:
    known = (day != UNDECIDED) & (day < at)
    return float((known & worth).mean()), float((known & ~worth).mean()), float((~known).mean())


def money(paths: int) -> None:
    """The third table."""
    margin, terms = SAMPLING * np.sqrt(max(1.0, PATHS / paths)), replace(TERMS, delta=0.0)
    print(f"Where money decides, true gain 0, {paths} paths: share of WORTH IT, planned by")
    print(f"  {'rule':36} {'one loss':>9} {'true deviation':>15}")
    for seed, (name, rule) in enumerate(RULES.items()):
        x = rule(np.random.default_rng([SEED, 300 + seed]), paths, DAYS)
        said, by_sd = (float(decided(x, replace(terms, s0=s0))[1].mean()) for s0 in (1.0, float(x.std())))
        print(f"  {name:36} {said:9.1%} {by_sd:15.1%}")
        assert said <= TERMS.alpha + margin - SAMPLING, (name, said)


def main() -> None:
    """The tables."""
    paths = int(sys.argv[1]) if len(sys.argv) > 1 else PATHS
    worlds(paths)
    for name in DESIGNS:
        waiting(name, by_scale, ADVANTAGES, paths // 2)
        waiting(name, by_signal, (0.03,), paths // 2)
    money(paths)


if __name__ == "__main__":
    main()
