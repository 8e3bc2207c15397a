"""The same bars twice: a session that holds an earlier one, a symbol that holds another's.

Rows with volume and a range are compared at the same minute, all five numbers. Two sessions that share many of them
share them by no chance.

*Time*: a session is compared with earlier sessions and with other symbols on the same day.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.quality.params import QualityParams
from stages.tables.bars import PRICES, REAL

LEAST_EQUAL = 20  # rows: in a name of few prices and round volumes some are equal by chance
SAMPLE_MINUTES = 24  # between sampled minutes when symbols are compared: 16 a session
LEAST_SAMPLED = 4  # equal sampled rows of a session that two symbols share by no chance
Prints = NDArray[np.uint32]


def copied_sessions(bars: pl.DataFrame, quality: QualityParams) -> pl.DataFrame:
    """`session, copied_from, TS8`: how many rows of a session equal those of the earlier session that it shares most.

    Only sessions that share at least `quality.copy_min_share` of their rows are listed.
    """
    rows = bars.select("session", "m", print=_print()).filter(_tells(bars))
    empty = pl.DataFrame(schema={"session": pl.Date, "copied_from": pl.Date, "TS8": pl.UInt32})
    twice = (
        rows.filter(pl.struct("m", "print").is_duplicated()) if rows["print"].is_duplicated().any() else rows.head(0)
    )
    if twice.height < LEAST_EQUAL:
        return empty
    counted = twice.join(rows.group_by("session").agg(n=pl.len()), on="session")
    pairs = counted.join(twice, on=["m", "print"], suffix="_before").filter(
        pl.col("session_before") < pl.col("session")
    )
    return (
        pairs.group_by("session", copied_from="session_before")
        .agg(pl.col("n").first(), TS8=pl.len())
        .filter(pl.col("TS8") >= LEAST_EQUAL, pl.col("TS8") >= quality.copy_min_share * pl.col("n"))
        .sort("session", "TS8", "copied_from", descending=[False, True, True])
        .unique("session", keep="first", maintain_order=True)
        .select("session", "copied_from", "TS8")
    )


def sampled_prints(bars: pl.DataFrame) -> Prints:
    """A number for every sampled minute of every session, 0 where the row tells nothing.

    *Shapes*: sessions x samples, in order.
    """
    sampled = bars.with_columns(day=pl.col("session").rle_id(), tells=_tells(bars)).filter(
        "tells", pl.col("m") % SAMPLE_MINUTES == SAMPLE_MINUTES // 2
    )
    m = sampled["m"].to_numpy()
    prints = np.zeros((bars["session"].n_unique(), int(bars["m"].to_numpy().max()) // SAMPLE_MINUTES + 1), np.uint32)
    prints[sampled["day"].to_numpy(), m // SAMPLE_MINUTES] = (
        sampled.select(_print() % (2**32 - 1) + 1).to_series().to_numpy()
    )
    return prints


def copied_symbols(prints: Mapping[str, Prints]) -> dict[tuple[str, str], list[int]]:
    """Pairs of symbols that hold the same bars, with the numbers of these sessions."""
    symbols = sorted(prints)
    if len(symbols) < 2:
        return {}
    found: dict[tuple[str, str], list[int]] = {}
    for session in range(len(prints[symbols[0]])):
        table = np.array([prints[symbol][session] for symbol in symbols])
        ordered = np.sort(table, axis=0)
        equal = (ordered[1:] == ordered[:-1]) & (ordered[1:] > 0)
        if equal.any(axis=0).sum() < LEAST_SAMPLED:
            continue
        doubtful = [i for i, row in enumerate(table) if _in_common(row, ordered, equal) >= LEAST_SAMPLED]
        for one, other in combinations(doubtful, 2):
            if ((table[one] == table[other]) & (table[one] > 0)).sum() >= LEAST_SAMPLED:
                found.setdefault((symbols[one], symbols[other]), []).append(session)
    return found


def _in_common(row: Prints, ordered: Prints, equal: NDArray[np.bool_]) -> int:
    """How many samples of a symbol are another's as well."""
    return int(((ordered[1:] == row) & equal).any(axis=0).sum())


def _print() -> pl.Expr:
    return pl.struct(*PRICES, "volume").hash(seed=0)


def _tells(bars: pl.DataFrame) -> pl.Series:
    return bars.select(
        (REAL & (pl.col("volume") > 0) & (pl.col("high") > pl.col("low"))).fill_null(value=False)
    ).to_series()
