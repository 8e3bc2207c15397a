"""What the gate found of levels and copies, as sentences: what happened, where, and what to do.

A sentence names the first session and counts the others, so that a fault of a year is one line.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from stages.quality.copies import copied_symbols

if TYPE_CHECKING:
    from stages.quality.gate import Checked


LIST_IT = "list it in conf/corporate_actions/NAME.csv and say quality.corporate_actions: NAME"


def level_warnings(symbol: str, levels: Sequence[Mapping[str, Any]]) -> list[str]:
    """Jumps of the price that nobody listed, a sentence for those that fit a split each and one for the rest."""
    told = [
        f"PX4 {symbol} {one['session']}: the price is {one['factor']:g} times the last close, like a split of "
        f"{one['split']} with a night's move; if it was one, {LIST_IT}"
        for one in levels
        if one["kind"] == "split"
    ]
    jumps = [one for one in levels if one["kind"] == "jump"]
    if jumps:
        first = jumps[0]
        more = f", and again on {len(jumps) - 1} occasions after it" if len(jumps) > 1 else ""
        told.append(
            f"PX7 {symbol} {first['session']}: at minute {first['minute']} the price is {first['factor']:g} times the "
            f"last one before it{more}, which neither its past nor other symbols nor a split explains; these bars are "
            f"void until the price is back. Repair the source, or, if the move was real, {LIST_IT}"
        )
    return told


def copy_warnings(symbol: str, days: pl.DataFrame) -> list[str]:
    """Sessions that hold the bars of an earlier one."""
    copies = days.filter(pl.col("copied_from").is_not_null())
    if copies.is_empty():
        return []
    first = copies.row(0, named=True)
    more = f" (and {copies.height - 1} sessions more)" if copies.height > 1 else ""
    return [
        f"TS8 {symbol} {first['session']}: {first['TS8']} of its bars are those of {first['copied_from']}, volumes "
        f"included{more}; get the session again"
    ]


def twin_warnings(checked: Mapping[str, "Checked"]) -> list[str]:
    """Symbols that hold the same bars."""
    told = []
    for (one, other), numbers in copied_symbols({symbol: found.prints for symbol, found in checked.items()}).items():
        first = checked[one].days["session"][numbers[0]]
        told.append(
            f"X2 {one} and {other}: the same bars, volumes included, on {len(numbers)} sessions, first {first}; one "
            "was delivered under the other's name, get it again"
        )
    return told
