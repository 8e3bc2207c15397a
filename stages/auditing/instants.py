"""The instants at which the past is put to the test.

Half of them are any minute; half lie between a snapshot and its outcome, where calibration could know too much. On top
of them come instants amid gaps, where the gate could know whether another bar follows.
*Time*: from the first snapshot at which every history length was asked, so that each replay has something to ask.
"""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from stages.errors import DataContractError
from stages.universe.grid import minute_grid


def instants(schedule: pl.DataFrame, calendar: pl.DataFrame, horizon_min: int, count: int, seed: int) -> list[datetime]:
    """`count` distinct instants, or as many as there are, oldest first; the same seed gives the same."""
    asked = schedule.filter(pl.col("status") == "ok")
    first = asked.group_by("history_days").agg(pl.col("snapshot_utc").min())["snapshot_utc"].max()
    if first is None:
        raise DataContractError("no question was asked, so there is nothing to audit: see schedule.parquet.")
    minutes = minute_grid(calendar).filter(pl.col("known_at") >= first)["known_at"].to_list()
    rng = np.random.default_rng(seed)
    anywhere = rng.choice(len(minutes), size=min(count - count // 2, len(minutes)), replace=False)
    snapshots = asked.filter(pl.col("snapshot_utc") >= first)["snapshot_utc"].unique().sort().to_list()
    chosen = rng.choice(len(snapshots), size=min(count // 2, len(snapshots)), replace=False)
    waited = rng.integers(0, horizon_min, len(chosen))
    pending = [snapshots[at] + timedelta(minutes=int(wait)) for at, wait in zip(chosen, waited, strict=True)]
    return sorted({*(minutes[at] for at in anywhere), *pending})


def amid_gaps(bars: pl.DataFrame, since: datetime, count: int, seed: int) -> list[datetime]:
    """At most `count` instants, oldest first: a minute without a bar has just passed, and one with a bar follows.

    *Tables*: `Bars` of some symbols.
    """
    next_is_real = pl.col("gap_len").shift(-1).over("symbol", "session") == 0
    filled = bars.filter(pl.col("is_filled") & next_is_real, pl.col("known_at") >= since)["known_at"].unique().sort()
    return sorted(filled.sample(min(count, len(filled)), seed=seed).to_list())
