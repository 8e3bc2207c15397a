"""Levels, wicks and copies agree with an oracle that walks bar by bar and shares no line with the gate."""

import numpy as np
import polars as pl
import pytest

from stages.quality.cross_symbol import check_symbols
from tests.benchmarks.gate_in_pandas import check_in_pandas, grid_in_pandas
from tests.quality.clean_feeds import CALENDAR, CLEAN, PRICES, clean_feed
from tests.quality.deliveries import QUALITY, dialect, through_the_gate


def spoiled(seed: int) -> pl.DataFrame:
    """Runs of bars times a factor, from one to a thousand bars long, and wicks, anywhere."""
    rng = np.random.default_rng(seed)
    frame = clean_feed(CLEAN["a wild name" if seed % 3 == 0 else "regular hours, start labels"], seed)
    factor, low = np.ones(frame.height), np.ones(frame.height)
    for _ in range(12):
        start, length = int(rng.integers(0, frame.height)), int(10 ** rng.uniform(0, 3))
        factor[start : start + length] *= np.exp(rng.normal(0, 1))
        low[int(rng.integers(0, frame.height))] = rng.uniform(0.5, 1)
    return frame.with_columns(pl.col(PRICES) * pl.Series(factor)).with_columns(pl.col("low") * pl.Series(low))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.torture) for seed in (1, 2, 3))])
def test_bars_and_verdicts_are_those_of_the_oracle(seed: int) -> None:
    frame = spoiled(seed)
    checked = through_the_gate(frame, CALENDAR)
    calendar = CALENDAR.to_pandas().assign(session=CALENDAR["session"].to_pandas().astype("datetime64[ms]"))
    bars, days = check_in_pandas(frame.to_pandas(), grid_in_pandas(calendar), calendar, QUALITY)

    for name in ("PX4", "PX7", "PX8", "TS8", "level_run", "n_missing", "verdict"):
        assert checked.days[name].to_list() == days[name].to_list(), name
    assert checked.days["PX7"].sum() > 0
    assert checked.days["PX8"].sum() > 0
    for name in PRICES:
        assert np.allclose(checked.bars[name].to_numpy(), bars[name].to_numpy(), equal_nan=True, rtol=0, atol=1e-6), (
            name
        )
    assert checked.bars["is_outlier"].to_list() == bars["is_outlier"].to_list()


@pytest.mark.journey  # a loop over every minute, in plain Python
def test_no_bar_depends_on_a_later_one_of_any_symbol() -> None:
    """Crashes and wicks that all share, beside faults of their own: what others excuse is known at its minute."""
    feeds = {name: spoiled(seed) for seed, name in enumerate(("AAA", "BBB", "CCC"))}
    rows = pl.int_range(pl.len())
    shared = (pl.when(rows >= 7000).then(0.85).otherwise(1.0), pl.when(rows % 3000 == 900).then(0.9).otherwise(1.0))
    feeds = {
        name: feed.with_columns(pl.col(PRICES) * shared[0]).with_columns(pl.col("low") * shared[1])
        for name, feed in feeds.items()
    }
    whole, alone = check_symbols(feeds, dialect(), CALENDAR, QUALITY), through_the_gate(feeds["AAA"], CALENDAR)

    assert not whole["AAA"].bars.equals(alone.bars), "others excused something"
    for cut in (901, 7200):
        known = {name: feed.filter(pl.col("ts") < whole["AAA"].bars["ts"][cut]) for name, feed in feeds.items()}
        for name, one in check_symbols(known, dialect(), CALENDAR, QUALITY).items():
            assert one.bars.head(cut).equals(whole[name].bars.head(cut)), (name, cut)
