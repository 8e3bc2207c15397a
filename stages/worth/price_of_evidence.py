"""The price of evidence: sessions and calls until a verdict, by the true advantage.

Simulated days go through the evidence and the verdict as real ones do. The deviation of a day comes from free
forecasters before anything is bought, and later from the bought days.

*Units*: advantages and deviations of a day are shares of the expected loss.
*Source*: days are normal and independent here; the interval of a deviation is the chi-square's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stages.errors import count, shorten
from stages.tables.forecasts import MIX
from stages.worth.evidence import Days, Floats, running_means, scales, wealth
from stages.worth.verdict import UNDECIDED, Terms, decide

PATHS, SEED = 1_000, 18
PARTS = 10  # of the paths, one in memory at a time
ADVANTAGES = (0.01, 0.03, 0.05, 0.10, 0.0)
LATE = 0.9
QUARTILES = (0.25, 0.75)
DAYS_BY_SQUARE = 7.0  # days until a small advantage is known, times (advantage / deviation) squared


@dataclass(frozen=True, kw_only=True)
class Wait:
    """How long the verdict takes at one true advantage.

    `median` and `late` are the days by which half and nine tenths of the paths are decided, None beyond the plan;
    `worth` and `not_worth` are the shares of the two verdicts by the end of the plan.
    """

    advantage: float
    median: int | None
    late: int | None
    worth: float
    not_worth: float


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What one session of the study buys, and the `sessions_before` the first of evidence, with `calls_before`.

    Sessions before may have fewer calls, as long as a longer history cannot be asked; together they cost
    `price_before`.
    """

    symbols: Sequence[str]
    snapshots: int
    calls_a_session: int
    sessions_before: int
    calls_before: int
    price_per_call: float | None
    price_before: float = 0.0


def waits(sd: float, terms: Terms, advantages: Sequence[float] = ADVANTAGES) -> list[Wait]:
    """The wait at each advantage if a day's deviation is `sd`; `terms.s0` is the planned one, ideally the same."""
    noise = _noise(terms.planned_sessions)
    in_sd = replace(terms, delta=terms.delta / sd, s0=terms.s0 / sd)
    spread, mean = scales(noise, in_sd.s0), running_means(noise)
    found = []
    for advantage in advantages:
        shift = advantage / sd
        day, worth = _decided(noise + shift, spread, mean + shift, in_sd)
        found.append(
            Wait(
                advantage=advantage,
                median=_reached(day, 0.5),
                late=_reached(day, LATE),
                worth=float(np.mean(worth)),
                not_worth=float(np.mean((day != UNDECIDED) & ~worth)),
            )
        )
    return found


def more_sessions(x: Floats, terms: Terms) -> tuple[int | None, int | None]:
    """Quartiles of the sessions until the verdict if days go on with the mean and deviation so far.

    None beyond the plan. `x` are the days so far, without a verdict and no more than the plan.
    """
    x = np.asarray(x, np.float64)
    mean, sd = (x.mean(), x.std(ddof=1)) if len(x) > 1 else (x.sum(), terms.s0)
    ahead = mean + sd * _noise(terms.planned_sessions - len(x))
    paths = np.concatenate([np.broadcast_to(x, (PATHS, len(x))), ahead], axis=-1)
    day, _ = _decided(paths, scales(paths, terms.s0), running_means(paths), terms)
    first, last = (_reached(day, share) for share in QUARTILES)
    return first and first - len(x), last and last - len(x)


def sessions_to_know(mean: float, sd: float) -> int | None:
    """About how many days it takes to know a small advantage; None for an advantage of 0."""
    return int(np.ceil(DAYS_BY_SQUARE * (sd / mean) ** 2)) if mean else None


def price_of_a_call(
    price_per_call: float | None, price_per_million_tokens: float | None, tokens_per_call: float | None
) -> float | None:
    """The stated price of a call, or that of its tokens; None if neither is stated."""
    if price_per_call is not None or price_per_million_tokens is None or tokens_per_call is None:
        return price_per_call
    return price_per_million_tokens * tokens_per_call / 1e6


def before_you_buy(setup: Setup, sds: Mapping[str, float], pair: Sequence[str], terms: Terms) -> list[str]:
    """The plan in words: a headline, and a line for each advantage.

    `terms.s0` is `worth.planned_sd`, or the usual deviation where that is proposed. `sds` are the deviations of a day:
    `close`, `usual` and `far`, each of a pair of free forecasters; `pair` names the usual one.
    """
    usual, *ends = (waits(sds[name], terms) for name in ("usual", "close", "far"))
    one, other = ("the best free forecast" if name == MIX else name for name in pair)
    sessions = setup.sessions_before + terms.planned_sessions
    calls = setup.calls_before + terms.planned_sessions * setup.calls_a_session
    head = (
        f"Before you buy ({shorten(setup.symbols)}, {count(setup.snapshots, 'snapshot')}, "
        f"{count(setup.calls_a_session, 'call')} a session, at most {count(sessions, 'session')} = "
        f"{count(calls, 'call')}; days vary by {100 * sds['usual']:.1f} %, as between {one} and {other}):"
    )
    before = setup.sessions_before
    bought = count(setup.calls_before, "call")
    first = f"The first {before} sessions ({bought}) bring no evidence yet; they are counted."
    if before == 1:
        first = f"The first session ({bought}) brings no evidence yet; it is counted."
    lines = [_line(wait, (low, high), setup) for wait, low, high in zip(usual, *ends, strict=True)]
    return [head, *lines, *([first] if before else [])]


def _line(wait: Wait, ends: Sequence[Wait], setup: Setup) -> str:
    named = f"advantage {100 * wait.advantage:.0f} %" if wait.advantage else "none at all"
    known = f"known at its end in {100 * (wait.worth + wait.not_worth):.0f} % of cases"
    if wait.median is None:
        return f"{named}: not before the end of the plan; {known}"
    word = "WORTH" if wait.worth >= wait.not_worth else "NOT WORTH"
    days = wait.median + setup.sessions_before
    calls = setup.calls_before + wait.median * setup.calls_a_session
    known_days = sorted(one.median + setup.sessions_before for one in (wait, *ends) if one.median is not None)
    first, last = known_days[0], known_days[-1]
    span = f" ({first} or more)" if len(known_days) <= len(ends) else f" ({first} to {last})" * (first < last)
    priced = setup.price_before + wait.median * setup.calls_a_session * (setup.price_per_call or 0.0)
    paid = "" if setup.price_per_call is None else f", at a price of {priced:,.2f}"
    return f"{named}: {word} after about {count(days, 'session')}{span}, {count(calls, 'call')}{paid}; {known}"


def _noise(days: int) -> Floats:
    """Standard normal days of every path; a longer plan begins with those of a shorter one."""
    return np.ascontiguousarray(np.random.default_rng(SEED).standard_normal((days, PATHS)).T)


def _decided(paths: Floats, spread: Floats, mean: Floats, terms: Terms) -> tuple[Days, NDArray[np.bool_]]:
    """The result of `decide` for each path; in parts, since the bets on a plan of decades take gigabytes."""
    parts = zip(*(np.array_split(one, PARTS) for one in (paths, spread, mean)), strict=True)
    found = [decide(wealth(x / by), wealth((terms.delta - x) / by), so_far, terms) for x, by, so_far in parts]
    days, worth = zip(*found, strict=True)
    return np.concatenate(days), np.concatenate(worth)


def _reached(day: Days, share: float) -> int | None:
    """The day by which this share of the paths is decided."""
    days = np.sort(np.where(day == UNDECIDED, np.inf, day + 1.0))
    reached = days[int(np.ceil(share * len(days))) - 1]
    return int(reached) if np.isfinite(reached) else None
