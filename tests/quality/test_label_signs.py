"""Each sign of the label alone: by hand, and against a specification that walks minute by minute.

Drawn sessions hold few different ranges and volumes, so that many minutes stand exactly at a limit.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from stages.quality.label_signs import (
    AROUND,
    BEFORE,
    WIDTH,
    Minutes,
    _t,
    by_clock,
    by_hours,
    by_prints,
    by_ranges,
    by_rows,
    by_volume,
)
from tests.quality import signs_by_loop

NAN = np.nan
KINDS = {  # how likely a minute has no row, no known range, no known volume; ranges and volumes to draw from
    "sparse": (0.3, 0.1, 0.1, [0, 1, 2, 3], [0, 1, 2, 3, 4, 20]),
    "hardly ever untraded": (0.02, 0.0, 0.0, [0, 1, 2, 3, 6], [0, *[2] * 20, *[4] * 20, *[6] * 10]),
    "never without a range": (0.1, 0.05, 0.05, [3, 5, 9, 10], [1, 2, 3, 4]),
    "seldom traded": (0.2, 0.0, 0.0, [0, 0, 0, 2], [0, 0, 1, 1, 1, 2]),
    "stepped": (0.0, 0.0, 0.0, [1.5, 2.5], [1, 2, 3, 5]),
}


def drawn(kind: str, seed: int, sessions: int, first: int, width: int) -> tuple[Minutes, list[signs_by_loop.Session]]:
    """Sessions, as the code and as the specification take them; busier inside than outside."""
    rng = np.random.default_rng([seed, *kind.encode()])
    no_row, no_range, no_volume, ranges, volumes = KINDS[kind]
    shape, minute = (sessions, width), np.arange(first, first + width)
    spread, volume = rng.choice(ranges, shape).astype(float), rng.choice(volumes, shape).astype(float)
    outside = (minute < 0) | (minute >= 390)
    volume[:, outside] = np.floor(volume[:, outside] / rng.integers(1, 4))
    here = rng.random(shape) >= np.where(outside, 2 * no_row, no_row)
    if kind == "stepped":
        _step(spread, volume, minute)
    spread[~here | (rng.random(shape) < no_range)] = NAN
    volume[~here | (rng.random(shape) < no_volume)] = NAN
    known = [
        {int(m): (_known(spread[s, i]), _known(volume[s, i])) for i, m in enumerate(minute) if here[s, i]}
        for s in range(sessions)
    ]
    return Minutes(spread, volume, here, before=-first), known


def _step(spread: np.ndarray, volume: np.ndarray, minute: np.ndarray) -> None:
    """What is usual is a median of two values: a minute more or less on either side, and it is another one."""
    spread[:, (minute >= 1) & (minute <= 61)] = np.where(minute[(minute >= 1) & (minute <= 61)] <= 30, 3.0, 9.0)
    for session in range(len(volume)):
        for first, last, of_ones in ((7, 29, 11), (359, 383, 12)):
            within = (minute >= first) & (minute <= last)
            volume[session, within] = np.where(minute[within] < first + of_ones + session % 2, 1.0, 5.0)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


@pytest.mark.parametrize("all_hours", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("sign", "by_loop"),
    [(by_ranges, signs_by_loop.ranges), (by_prints, signs_by_loop.prints), (by_volume, signs_by_loop.volumes)],
)
def test_a_sign_of_the_first_minute_is_that_of_a_walk_through_the_minutes(
    sign: Callable[[Minutes], np.ndarray], by_loop: Callable[..., list[list[float]]], kind: str, all_hours: bool
) -> None:
    minutes, sessions = drawn(kind, 1, 6, AROUND[0], AROUND[1] - AROUND[0] + 1)
    minutes = Minutes(minutes.range, minutes.volume, minutes.here, all_hours, minutes.before)
    with np.errstate(all="ignore"):
        found = sign(minutes)
    np.testing.assert_allclose(found, by_loop(sessions, all_hours), rtol=0, atol=1e-9)
    assert np.ptp(found) > 0


def test_bars_without_a_known_range_say_nothing_of_an_auction() -> None:
    minutes, _ = drawn("sparse", 3, 2, AROUND[0], AROUND[1] - AROUND[0] + 1)
    assert not by_prints(Minutes(np.full_like(minutes.range, NAN), minutes.volume, minutes.here, before=45)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_hours_and_the_clock_are_those_of_a_walk_through_the_minutes(kind: str) -> None:
    minutes, sessions = drawn(kind, 2, 3, -BEFORE, WIDTH)
    with np.errstate(all="ignore"):
        hours, clock = by_hours(minutes), by_clock(minutes)
    np.testing.assert_allclose(hours, signs_by_loop.hours(sessions, range(-BEFORE, WIDTH - BEFORE)), atol=1e-9)
    np.testing.assert_allclose(clock, signs_by_loop.clock(sessions), atol=1e-9)


@pytest.mark.parametrize("rows", [(390, 390, 390), (390, 391, 391), (391, 392, 392, 392, 393), (380, 300, 390, 391),
                                  (390,) * 7 + (391, 391), (390,) * 4 + (392, 392), (395, 395, 395)])  # fmt: skip
@pytest.mark.parametrize("lost", [0, 20, 200, 300])
def test_rows_beyond_the_minutes_and_minutes_without_a_row_cost_nats(rows: tuple[int, ...], lost: int) -> None:
    extent = np.array([[k, k + many - 1] for k, many in enumerate(rows)])
    here = np.zeros((len(rows), WIDTH), bool)
    for session, (first, last) in zip(here, extent, strict=True):
        session[BEFORE + first : BEFORE + last + 1 - lost] = True
    found = by_rows(Minutes(here * 1.0, here * 1.0, here), extent)
    expected = signs_by_loop.rows([(int(first), int(last)) for first, last in extent], [lost] * len(rows))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_step_is_known_in_standard_errors_from_21_minutes_on_and_where_steps_differ() -> None:
    steps = np.random.default_rng(4).normal(0.1, 0.3, (4, 30))
    steps[0, ::4], steps[1, 21:], steps[2, 20:], steps[3] = NAN, NAN, NAN, 0.0
    expected = [*ttest_1samp(steps[:2], 0.0, axis=1, nan_policy="omit").statistic, 0.0, 0.0]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(_t(steps), expected, rtol=1e-12)


def test_steps_that_are_all_the_same_tell_nothing_whatever_their_rounding():
    """The mean of 30 times 0.1 is not 0.1 to the last bit."""
    same = np.full((3, 30), [[0.1], [0.3], [-0.7]])
    assert _t(same).tolist() == [0.0, 0.0, 0.0]
