"""A leak on purpose, to see whether the audit finds it: a gate that knows which minutes are followed by a bar.

Whether a minute without a bar is one without a trade, or the beginning of a gap, is known only later: a gate that waits
for the next bar before it calls a minute quiet looks ahead, and on a feed without absent minutes nobody would notice.
So some rows of the study's bars are taken out, such a gate is put in front of them, and the audit has to name it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from stages.auditing.comparison import Leak, first_leak
from stages.auditing.instants import amid_gaps
from stages.auditing.replay import Frames, Known, Replay, bars_known
from stages.auditing.world import World, cut
from stages.quality.gate import Checked
from stages.tables.bars import PRICES, REAL

Plant = Callable[[Mapping[str, Checked]], Mapping[str, Checked]]
THINNED = 0.07  # share of the rows that are taken out


def thinned(world: World, seed: int) -> World:
    """The same world from a vendor who sends no bar for some minutes, scattered over every session."""
    rng = np.random.default_rng(seed)
    bars = {symbol: frame.filter(rng.random(frame.height) >= THINNED) for symbol, frame in world.bars.items()}
    return replace(world, bars=bars)


def in_hindsight(checked: Mapping[str, Checked]) -> dict[str, Checked]:
    """What a gate would write that carries a price forward only where a bar of the session follows."""
    followed = REAL.reverse().cum_max().reverse().over("session")
    unknown = [pl.when(followed | ~pl.col("is_filled")).then(name).alias(name) for name in (*PRICES, "volume")]
    return {
        symbol: replace(one, bars=one.bars.with_columns(*unknown, is_filled=pl.col("is_filled") & followed))
        for symbol, one in checked.items()
    }


def found_leak(replay: Replay, world: World, seed: int, plant: Plant = in_hindsight) -> Leak | None:
    """The leak as the audit names it; None if it goes unseen. Where no minute is filled, there is none to plant."""
    thin = thinned(world, seed)

    def known(bars: Frames) -> list[Known]:
        return [bars_known(plant(replay.check(bars)))]

    base = known(thin.bars)
    middle = base[0].rows["known_at"].sort()[base[0].rows.height // 2]
    (instant,) = amid_gaps(base[0].rows, middle, 1, seed)
    return first_leak(base, known(cut(thin, instant, seed).bars), instant, "cut")
