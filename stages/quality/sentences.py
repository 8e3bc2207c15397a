"""Sentences of the data gate: failures and warnings about symbols, rows, price levels and copies.

A sentence says what happened, where, and what to do. It names the first session and counts the others, so a fault of a
whole year is one line. A symbol that could not be read (`Checked.failure`) has no other sentence: its sessions are
unknown, not empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from stages.errors import count, shorten
from stages.params.quality import QualityParams
from stages.quality.copies import copied_symbols
from stages.quality.gate import Checked
from stages.quality.proposals import proposal
from stages.quality.sessions import HALTED

LIST_IT = "list it in conf/corporate_actions/NAME.csv and set quality.corporate_actions: NAME"


def level_warnings(symbol: str, levels: Sequence[Mapping[str, Any]]) -> list[str]:
    """Price jumps that are not listed: one sentence for each that fits a split, and one for the rest."""
    sentences = [
        f"PX4 {symbol} {one['session']}: the price is {one['factor']:g} times the last close, like a split of "
        f"{one['split']} with a night's move; if it was one, {LIST_IT}"
        for one in levels
        if one["kind"] == "split"
    ]
    jumps = [one for one in levels if one["kind"] == "jump"]
    if jumps:
        first = jumps[0]
        more = f", and again on {count(len(jumps) - 1, 'occasion')} after it" if len(jumps) > 1 else ""
        sentences.append(
            f"PX7 {symbol} {first['session']}: at minute {first['minute']} the price is {first['factor']:g} times the "
            f"last one before it{more}, which neither its past nor other symbols nor a split explains; these bars are "
            f"void until the price is back. Repair the source, or, if the move was real, {LIST_IT}"
        )
    return sentences


def copy_warnings(symbol: str, days: pl.DataFrame) -> list[str]:
    """Sessions that hold the bars of an earlier one."""
    copies = days.filter(pl.col("copied_from").is_not_null())
    if copies.is_empty():
        return []
    first = copies.row(0, named=True)
    more = f" (the first of {copies.height} such sessions)" if copies.height > 1 else ""
    return [
        f"TS8 {symbol} {first['session']}: {first['TS8']} of its bars are those of {first['copied_from']}, volumes "
        f"included{more}; get the session again"
    ]


def twin_warnings(checked: Mapping[str, Checked]) -> list[str]:
    """Symbols that hold the same bars."""
    sentences = []
    for (one, other), numbers in copied_symbols({symbol: found.prints for symbol, found in checked.items()}).items():
        first = checked[one].days["session"][numbers[0]]
        sentences.append(
            f"X2 {one} and {other}: the same bars, volumes included, in {len(numbers)} of their sessions, first "
            f"{first}; one was delivered under the other's name, get it again"
        )
    return sentences


Symbols = Mapping[str, dict[str, Any]]
FAILED = {  # reason -> what is true of the session that failed for it
    "level_jump": "{level_run} bars in a row are away from the price before them (PX7)",
    HALTED: "trading was halted throughout (HLT1)",
    "no_data": "no row of it came",
    "conflicting_rows": "{TS3} of its minutes came more than once, with different values",
    "no_sound_bar": "none of its {n_raw} rows is a sound bar (PX1: {PX1}, PX2: {PX2}, VOL1: {VOL1})",
    "incomplete": "{n_missing} of {n_open} bars are missing (quality.min_session_completeness)",
    "sustained_gap": "{longest_gap} bars in a row are missing (quality.{gap_param})",
    "stale": "{longest_stale} bars in a row have the same prices (quality.stale_bars_fail)",
}


def too_few_sessions(symbol: str, one: Checked, quality: QualityParams) -> str:
    """Why a symbol with too few usable sessions is refused, and what to do."""
    failed = one.expected.filter(pl.col("verdict") == "fail").sort("session")
    usable, of_all = one.expected.height - failed.height, one.expected.height
    reasons = failed["reason"].value_counts(name="n").sort("n", "reason", descending=[True, False])
    counted = ", ".join(f"{many} {reason}" for reason, many in reasons.iter_rows())
    first = failed.row(0, named=True)
    jumps = [f"{sentence}. " for sentence in level_warnings(symbol, one.levels) if sentence.startswith("PX7")]
    why = "".join(jumps) if first["reason"] == "level_jump" else ""
    return (
        f"{usable} of {of_all} sessions are usable ({usable / of_all:.1%}), quality.min_sessions_share requires "
        f"{quality.min_sessions_share:.1%}; failed: {counted}; on {_failed(first, quality)}. "
        f"{why}{_scattered(symbol, one, quality)}Repair the source, remove the symbol from universe.symbols, or narrow "
        "its span."
    )


def doubts(checked: Mapping[str, Checked], symbols: Symbols, quality: QualityParams) -> list[str]:
    """Warnings about single symbols, then those that need several symbols."""
    read = {symbol: one for symbol, one in checked.items() if one.failure is None}
    sentences = [
        sentence for symbol, one in read.items() for sentence in _of_symbol(symbol, one, symbols[symbol], quality)
    ]
    return sentences + list(_across(read, everybody=len(read) == len(checked)))


def _of_symbol(symbol: str, one: Checked, entry: dict[str, Any], quality: QualityParams) -> Iterator[str]:
    own = quality.of(symbol)
    share = entry["sessions_usable"] / entry["sessions_expected"]
    if quality.min_sessions_share <= share < quality.warn_sessions_share:
        yield f"CMP3 {symbol}: {share:.1%} of its sessions are usable"
    if share >= quality.min_sessions_share and (scattered := _scattered(symbol, one, own)):
        yield f"CMP1 {symbol}: {scattered.strip()}"
    if entry["checks"].get("TS5_undecided"):
        yield f"TS5 {symbol}: its stamps do not show whether they are start or end labels"
    real = max(1, int((one.days["n_expected"] - one.days["HLT1"] - one.days["n_missing"]).sum()))
    off_print = int(one.days["off_print"].sum()) / real
    if off_print > quality.off_tick_share:
        yield (
            f"PX6 {symbol}: {off_print:.1%} of its bars hold prices finer than a trade is printed "
            f"(quality.print_step_ticks of quality.tick_size {own.tick_size}): adjusted prices?"
        )
    yield from level_warnings(symbol, entry["levels"])
    yield from copy_warnings(symbol, one.days)
    failed = one.days.filter(pl.col("reason").is_in(["incomplete", "sustained_gap"]))
    failed_on = set(failed["session"].dt.to_string())
    if paused := sorted({gap["session"] for gap in entry["long_gaps"] if gap["kind"] == "halt"} & failed_on):
        or_keep = (
            ", or keep such sessions with quality.unlisted_halts: keep" if quality.unlisted_halts == "drop" else ""
        )
        yield (
            f"HLT1 {symbol}: the other symbols traded through gaps on {shorten(paused)}, which failed: pauses of "
            f"{symbol}, or a fault of its feed; list pauses in conf/halts/ (quality.halts){or_keep}"
        )


def _across(read: Mapping[str, Checked], *, everybody: bool) -> Iterator[str]:
    """Sessions without any row. `unexpected_closed` is reported only if all symbols could be read."""
    owed = {symbol: set(one.expected["session"]) for symbol, one in read.items()}
    present = {symbol: set(one.days.filter(pl.col("n_raw") > 0)["session"]) for symbol, one in read.items()}
    anywhere = set().union(*present.values())
    missing = {symbol: (anywhere & owed[symbol]) - days for symbol, days in present.items()}
    if lacking := {symbol: len(days) for symbol, days in missing.items() if days}:
        yield f"X1: sessions that other symbols have are missing; number by symbol: {lacking}"
    closed = sorted(map(str, set().union(*owed.values()) - anywhere))
    if closed and everybody:
        yield f"unexpected_closed: no symbol has a bar on {shorten(closed)}"
    yield from twin_warnings(read)


def _failed(day: Mapping[str, Any], quality: QualityParams) -> str:
    facts = {
        **day,
        "n_open": day["n_expected"] - day["HLT1"],
        "gap_param": "quiet_max_min" if quality.quiet else "max_gap_min",
    }
    return f"{day['session']}, " + FAILED[day["reason"]].format(**facts)


def _scattered(symbol: str, one: Checked, quality: QualityParams) -> str:
    """The thresholds to set if missing minutes look like minutes without a trade, else empty."""
    fitting = proposal(one.expected, quality)
    if fitting is None:
        return ""
    return (
        f"The absent minutes are scattered ({fitting.absent_share:.1%} of these sessions' minutes, "
        f"{fitting.longest_min} in a row at most): if the vendor sends no bar for a minute without a trade, set "
        f"{fitting.stated(symbol)}; then "
        f"{fitting.usable} of {fitting.sessions} sessions are usable. "
    )
