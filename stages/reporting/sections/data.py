"""What the data gate dropped, filled and flagged, and where that left features unknown."""

from typing import Any

from stages.reporting.content import Section, grid
from stages.reporting.record import Document, Record
from stages.reporting.words import count

SHOWN_DAYS = 20


def data(record: Record) -> Section:
    """Exceptions by symbol, and each day that is not a pass."""
    quality = record.quality
    symbols = quality["symbols"]
    odd = [(symbol, day) for symbol, one in sorted(symbols.items()) for day in one["days"] if day["verdict"] != "pass"]
    dropped = sum(one["sessions_dropped"] for one in symbols.values())
    calendar = quality["calendar"]
    sentences = (
        f"The data gate says {quality['verdict']}: {count(calendar['sessions'], 'session')} from {calendar['start']} "
        f"to {calendar['end']}, {count(len(symbols), 'symbol')}, {count(dropped, 'symbol-session')} dropped, "
        f"{count(len(odd), 'exception')} in all.",
        _policy(record.features),
    )
    grids = (
        _by_symbol(symbols, record.config["report"]["shown_symbols"]),
        *_exceptions(odd),
        *_unknown(record.features),
    )
    return Section("data", "Data quality", sentences, grids=grids)


def _policy(features: Document) -> str:
    """What the rule on unknown values asks for, and how near it came."""
    required, symbols = features["required"], features["symbols"].values()
    if not required:
        return "No feature is required (features.required): unknown values are counted, and stop nothing."
    worst = max(_share(one["features"][name]) for one in symbols for name in required)
    incomplete = sum(one["rows_incomplete"] for one in symbols)
    return (
        f"Required of the features: {', '.join(required)}; unknown on at most {worst:.2%} of a symbol's minutes, where "
        f"features.max_null_share allows {features['max_null_share']:.2%}, and on {count(incomplete, 'minute')} in "
        "all, look-back and dropped sessions included."
    )


def _share(counted: Document) -> float:
    return float(counted["nulls_due"] / max(1, counted["due"]))


def _unknown(features: Document) -> list[Any]:
    """Features that are unknown where they should be known, over all symbols."""
    by_symbol = [one["features"] for one in features["symbols"].values()]
    sums = {
        name: {kind: sum(one[name][kind] for one in by_symbol) for kind in ("nulls", "due", "nulls_due")}
        for name in by_symbol[0]
    }
    lines = [
        (name, counted["nulls"], counted["nulls_due"], counted["due"], f"{_share(counted):.2%}")
        for name, counted in sums.items()
        if counted["nulls_due"]
    ]
    titles = ("feature", "unknown minutes", "of these behind its look-back", "minutes behind its look-back", "share")
    return [grid("Features that are unknown where they should be known", titles, lines)] if lines else []


def _by_symbol(symbols: dict[str, Any], most: int) -> Any:
    """A line a symbol; of many those first that lost the most sessions."""
    lost = {symbol: (-one["sessions_dropped"], one["completeness"]) for symbol, one in symbols.items()}
    shown = sorted(sorted(symbols, key=lambda symbol: (*lost[symbol], symbol))[:most])
    more = f" (the {most} of {len(symbols)} with the most dropped)" if len(symbols) > most else ""
    titles = ("symbol", "sessions expected", "present", "usable", "dropped", "completeness", "checks that fired")
    lines = [
        (
            symbol,
            one["sessions_expected"],
            one["sessions_present"],
            one["sessions_usable"],
            one["sessions_dropped"],
            one["completeness"],
            _tally(one["checks"]),
        )
        for symbol, one in ((symbol, symbols[symbol]) for symbol in shown)
    ]
    return grid(f"The data gate by symbol{more}", titles, lines)


def _exceptions(odd: list[tuple[str, Any]]) -> list[Any]:
    if not odd:
        return []
    titles = ("symbol", "session", "verdict", "why", "bars missing", "longest gap, min", "checks that fired")
    lines = [
        (
            symbol,
            day["session"],
            day["verdict"],
            day["reason"] or "",
            day["n_missing"],
            day["longest_gap"],
            _tally(day["flags"]),
        )
        for symbol, day in odd[:SHOWN_DAYS]
    ]
    more = f" (the first {SHOWN_DAYS} of {len(odd)})" if len(odd) > SHOWN_DAYS else ""
    return [grid(f"Days that are not a plain pass{more}", titles, lines)]


def _tally(checks: dict[str, int]) -> str:
    return ", ".join(f"{name} {many}" for name, many in sorted(checks.items()) if many) or "none"
