"""Finds prices and volume by their values, among columns whose names do not tell.

In every row a bar's high is the highest and its low the lowest of its four prices; a minute opens near the previous
close.
*Errors*: `DataContractError` where no assignment fits or several do, with the columns and how to name them.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import permutations

import polars as pl

from stages.errors import DataContractError
from stages.tables.market import PRICES

NOT_OURS = re.compile(r"(?i)trades|trans|count|^n$|vw|average|interest")
ENOUGH, MOST = 0.98, 0.5  # of the rows
SURE = 3.0  # standard errors
FURTHEST = 1.5  # times a price
FEWEST_STEPS, RUNNING = 20, 0.9  # share of the steps of a running total that rise; it restarts each day


def by_value(numbers: pl.DataFrame, known: Mapping[str, str], follows: pl.Series) -> dict[str, str]:
    """Vendor's column of each price and of the volume; `numbers` are rows in order, `known` those found by name.

    Prices are four of five adjacent columns that form bars. Of several such fours (an average may stand among them)
    the one whose opens are nearest to the previous closes is taken.
    """
    named = {column: ours for ours, column in known.items() if ours in PRICES}
    others = [name for name in numbers.columns if name in named or _may_be_ours(numbers[name], known)]
    decided: dict[float, tuple[str, ...]] = {}
    doubtful: list[tuple[str, ...]] = []
    for near in _neighbours(others):
        orders = [one for one in permutations(near, 4) if _agrees(one, named)] if _of_one_size(numbers, near) else []
        fitting = [one for one in orders if bar_share(numbers, one) >= ENOUGH]
        volume = known.get("volume") or (None if named else _volume(numbers, others, near))
        for one in fitting if volume else ():
            sure = {*named} & {one[0], one[3]} or _opens_near(numbers, one, follows)
            if sure:
                decided.setdefault(_gap(numbers, one, follows), (*one, str(volume)))
            else:
                doubtful.append((*one, str(volume)))
    if decided:
        return dict(zip((*PRICES, "volume"), decided[min(decided)], strict=True))
    if doubtful:
        opened, high, low, closed, volume = doubtful[0]
        raise DataContractError(
            f"the rows do not show which of {opened} and {closed} is the open and which the close: name all five, "
            f'ALIASES="COLUMN=open {high}=high {low}=low COLUMN=close {volume}=volume".'
        )
    wanted = " ".join(f"COLUMN={name}" for name in (*PRICES, "volume") if name not in known)
    raise DataContractError(f'which of {numbers.columns} are the prices and the volume? Name them: ALIASES="{wanted}".')


def _neighbours(columns: Sequence[str]) -> list[Sequence[str]]:
    """Every four and every five adjacent columns: an average may stand among the prices."""
    return [columns[at : at + size] for size in (4, 5) for at in range(len(columns) - size + 1)]


def _may_be_ours(values: pl.Series, found: Mapping[str, str]) -> bool:
    """Whether a column is not known, nor mostly empty, nor named after trades or averages."""
    known = values.name in found.values() or NOT_OURS.search(values.name)
    return not known and values.null_count() < values.len() / 2


def _agrees(four: Sequence[str], named: Mapping[str, str]) -> bool:
    """Whether four columns, as open, high, low and close, include every named price in its place."""
    return {*named} <= {*four} and all(named.get(name, ours) == ours for ours, name in zip(PRICES, four, strict=True))


def _of_one_size(numbers: pl.DataFrame, columns: Sequence[str]) -> bool:
    """Whether the medians are near each other, as those of prices are; a volume's is far away."""
    low, *_, high = sorted(float(numbers[name].median() or 0) for name in columns)  # type: ignore[arg-type]
    return high <= FURTHEST * low


def bar_share(numbers: pl.DataFrame, four: Sequence[str], allowed: float = 1e-9) -> float:
    """The share of rows in which the second is highest and the third lowest; null rows are left out."""
    high, low = pl.col(four[1]), pl.col(four[2])
    holds = (high >= pl.max_horizontal(*four) - allowed) & (low <= pl.min_horizontal(*four) + allowed)
    return float(numbers.drop_nulls(list(four)).select(holds.mean()).item() or 0)


def _volume(numbers: pl.DataFrame, others: Sequence[str], prices: Sequence[str]) -> str | None:
    """The first column behind the prices that may be a volume; None if another is larger, as it may count trades."""
    behind = others[others.index(prices[-1]) + 1 :]
    possible = [name for name in others if name not in prices and _may_be_volume(numbers, name, prices)]
    first = next((name for name in possible if name in behind), None)
    larger = (name for name in possible if first and _is_larger(numbers, name, first, prices))
    return None if next(larger, None) else first


def _is_larger(numbers: pl.DataFrame, one: str, other: str, four: Sequence[str]) -> bool:
    """Whether a column exceeds another in most rows without being its turnover (price times volume)."""
    price = pl.col(one) / pl.col(other)
    is_turnover = price.is_between(pl.min_horizontal(*four) / FURTHEST, pl.max_horizontal(*four) * FURTHEST)
    larger = (pl.col(one) > pl.col(other)) & ~is_turnover
    return float(numbers.select(larger.mean()).item() or 0) > MOST


def _may_be_volume(numbers: pl.DataFrame, name: str, four: Sequence[str]) -> bool:
    """Whether a column is neither a price within the bar, like an average, nor a running total."""
    inside = pl.col(name).is_between(pl.min_horizontal(*four), pl.max_horizontal(*four))
    is_price = float(numbers.select(inside.mean()).item() or 0) >= ENOUGH
    return not (is_price or _is_running_total(numbers[name]))


def _is_running_total(values: pl.Series) -> bool:
    """Whether nearly every value is above the one before it."""
    steps = values.diff().drop_nulls()
    return steps.len() >= FEWEST_STEPS and int((steps > 0).sum()) >= RUNNING * steps.len()


def _opens_near(numbers: pl.DataFrame, four: Sequence[str], follows: pl.Series) -> bool:
    """Whether opens are nearer to the previous close than closes to the previous open, by `SURE` standard errors.

    Never so where rows are too few or in no order.
    """
    opened, closed = pl.col(four[0]), pl.col(four[3])
    gap, reverse = (opened - closed.shift(1)).abs(), (closed - opened.shift(1)).abs()
    nearer = numbers.select((reverse - gap).sign()).filter(follows).to_series()
    return bool(0 < SURE * float(nearer.abs().sum()) ** 0.5 <= nearer.sum())


def _gap(numbers: pl.DataFrame, four: Sequence[str], follows: pl.Series) -> float:
    """The average distance between an open and the last close of its symbol."""
    gap = (pl.col(four[0]) - pl.col(four[3]).shift(1)).abs()
    return float(numbers.select(gap).filter(follows).to_series().mean() or 0)  # type: ignore[arg-type]
