"""What the data gate dropped, filled and flagged."""

from typing import Any

from stages.reporting.content import Section, grid
from stages.reporting.record import Record
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
    )
    return Section("data", "Data quality", sentences, grids=(_by_symbol(symbols), *_exceptions(odd)))


def _by_symbol(symbols: dict[str, Any]) -> Any:
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
        for symbol, one in sorted(symbols.items())
    ]
    return grid("The data gate by symbol", titles, lines)


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
