"""Copied bars: a session that repeats an earlier one, or a symbol that repeats another.

Rows with volume and a range are compared at the same minute, in all five numbers. Two sessions with many equal rows are
not equal by chance.

*Tables*: the complete grid in order, as delivered, with `sound`.
*Time*: a session is compared with earlier sessions, and with other symbols on the same day.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.params.quality import QualityParams
from stages.tables.market import PRICES

LEAST_EQUAL = 20  # rows: with few prices and round volumes some are equal by chance
SAMPLE_MINUTES = 24  # between sampled minutes when symbols are compared: 16 a session
LEAST_SAMPLED = 4  # equal sampled rows of a session that are not chance
FACTORS = np.random.default_rng(0).integers(0, 2**63, 6, np.uint64) * np.uint64(2) + np.uint64(1)  # odd: one-to-one
Prints = NDArray[np.uint32]


def copied_sessions(bars: pl.DataFrame, quality: QualityParams) -> pl.DataFrame:
    """`session, copied_from, TS8`: the earlier session with the most rows in common, and their number.

    Only sessions that share at least `quality.copy_min_share` of their rows are listed.
    """
    compared, prints = row_prints(bars)
    ordered = np.sort(prints[compared])
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(twice) < LEAST_EQUAL:
        return pl.DataFrame(schema={"session": pl.Date, "copied_from": pl.Date, "TS8": pl.UInt32})
    rows = bars.select("session").with_columns(print=pl.Series(prints)).filter(pl.Series(compared))
    equal = rows.join(rows.group_by("session").agg(n=pl.len()), on="session").filter(
        pl.Series(np.isin(rows["print"].to_numpy(), twice))
    )
    before = pl.col("session").shift(1).over("print")  # the last session with these numbers
    pairs = equal.sort("print", "session").with_columns(copied_from=before).drop_nulls("copied_from")
    return (
        pairs.group_by("session", "copied_from")
        .agg(pl.col("n").first(), TS8=pl.len())
        .filter(pl.col("TS8") >= LEAST_EQUAL, pl.col("TS8") >= quality.copy_min_share * pl.col("n"))
        .sort("session", "TS8", "copied_from", descending=[False, True, True])
        .unique("session", keep="first", maintain_order=True)
        .select("session", "copied_from", "TS8")
    )


def sampled_prints(bars: pl.DataFrame) -> Prints:
    """A fingerprint of every sampled minute of every session, 0 where the row is not compared.

    *Shapes*: sessions x samples, in order.
    """
    compared, prints = row_prints(bars)
    m, day = bars["m"].to_numpy(), bars["session"].rle_id().to_numpy()
    rows = np.flatnonzero(compared & (m % SAMPLE_MINUTES == SAMPLE_MINUTES // 2))
    sampled = np.zeros((int(day.max()) + 1, int(m.max()) // SAMPLE_MINUTES + 1), np.uint32)
    sampled[day[rows], m[rows] // SAMPLE_MINUTES] = np.maximum(prints[rows] >> np.uint64(32), 1)
    return sampled


def row_prints(bars: pl.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
    """Which rows are compared, and a fingerprint of minute, prices and volume (equal by chance in 1 of 2**32)."""
    compared = pl.col("sound") & (pl.col("volume") > 0) & (pl.col("high") > pl.col("low"))
    numbers = [bars[name].to_numpy().view(np.uint64) for name in (*PRICES, "volume")]
    numbers.append(bars["m"].to_numpy().astype(np.uint64))
    mixed = np.zeros(bars.height, np.uint64)
    for number, factor in zip(numbers, FACTORS, strict=True):
        mixed += number * factor
    return bars.select(compared).to_series().to_numpy(), mixed ^ (mixed >> np.uint64(29))


def copied_symbols(prints: Mapping[str, Prints]) -> dict[tuple[str, str], list[int]]:
    """Pairs of symbols with the same bars -> the numbers of the sessions in which they are the same."""
    symbols = sorted(prints)
    if len(symbols) < 2:
        return {}
    pairs: dict[tuple[str, str], list[int]] = {}
    for session in range(len(prints[symbols[0]])):
        table = np.array([prints[symbol][session] for symbol in symbols])
        ordered = np.sort(table, axis=0)
        equal = (ordered[1:] == ordered[:-1]) & (ordered[1:] > 0)
        if equal.any(axis=0).sum() < LEAST_SAMPLED:
            continue
        doubtful = [i for i, row in enumerate(table) if _in_common(row, ordered, equal) >= LEAST_SAMPLED]
        for one, other in combinations(doubtful, 2):
            if ((table[one] == table[other]) & (table[one] > 0)).sum() >= LEAST_SAMPLED:
                pairs.setdefault((symbols[one], symbols[other]), []).append(session)
    return pairs


def _in_common(row: Prints, ordered: Prints, equal: NDArray[np.bool_]) -> int:
    """The number of samples that a symbol shares with another."""
    return int(((ordered[1:] == row) & equal).any(axis=0).sum())
