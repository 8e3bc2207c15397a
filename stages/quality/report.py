"""What the gate found, as one deterministic document, and the stop that follows from it.

*Tables*: `dq_report.json`, read by `verdicts` and by people; the fields stand in docs/DATA_QUALITY.md.
*Errors*: `DataContractError` naming symbol, session, check, value and param.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from stages.errors import DataContractError
from stages.quality.gaps import long_gaps
from stages.quality.gate import Checked
from stages.quality.params import QualityParams
from stages.quality.sentences import copy_warnings, level_warnings, twin_warnings
from stages.universe.params import UniverseParams

SCHEMA_VERSION = 1
FLAGS = ("TS3", "TS6", "TS8", "CMP4", "PX1", "PX2", "PX3", "PX3_reverted", "PX4", "PX5", "PX6", "PX7", "PX8", "VOL1",
         "VOL2", "VOL3")  # fmt: skip
COUNTS = ("n_expected", "n_raw", "n_missing", "n_filled", "longest_gap")
REPORT = "artifacts/check_data/dq_report.json"


def quality_report(
    checked: Mapping[str, Checked], manifest: dict[str, Any], calendar: pl.DataFrame, quality: QualityParams
) -> dict[str, Any]:
    """The report on every symbol that came through the gate."""
    gaps = long_gaps({symbol: one.silence for symbol, one in checked.items()}, quality)
    symbols = {
        symbol: _symbol(one) | {"long_gaps": [_told(gap, one) for gap in gaps[symbol]], "levels": one.levels}
        for symbol, one in checked.items()
    }
    hard = [failure for symbol, one in checked.items() for failure in _hard_failures(symbol, one, quality)]
    warnings = _warnings(checked, symbols, quality)
    troubled = warnings or any(day["verdict"] != "pass" for one in symbols.values() for day in one["days"])
    return {
        "schema_version": SCHEMA_VERSION,
        "source": {
            "name": manifest["source"],
            "uri": manifest["uri_template"],
            "rows": sum(one.rows_delivered for one in checked.values()),
            "sha256": hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest(),
        },
        "calendar": {
            "start": str(calendar["session"][0]),
            "end": str(calendar["session"][-1]),
            "sessions": calendar.height,
        },
        "config": quality.model_dump(mode="json"),
        "verdict": "fail" if hard else "warn" if troubled else "pass",
        "hard_failures": hard,
        "warnings": warnings,
        "symbols": symbols,
    }


def demand_sound(report: dict[str, Any], universe: UniverseParams) -> None:
    """Raise on the first hard failure of the report, or on a symbol of the universe that it does not know."""
    for symbol in universe.all_symbols:
        if symbol not in report["symbols"]:
            raise DataContractError(
                f"no bars of {symbol!r}, which universe names: the source delivered {sorted(report['symbols'])}; take "
                "it out of universe, or correct the source."
            )
    if report["hard_failures"]:
        first, *others = report["hard_failures"]
        session = f" {first['session']}" if first["session"] else ""
        more = f" ({len(others)} more in {REPORT})" if others else ""
        raise DataContractError(f"{first['symbol']}{session}, check {first['check']}: {first['detail']}{more}")


def _symbol(one: Checked) -> dict[str, Any]:
    days = one.days
    expected, missing = int(days["n_expected"].sum()), int(days["n_missing"].sum())
    dropped = int((days["verdict"] == "fail").sum())
    return {
        "sessions_expected": days.height,
        "sessions_present": int((days["n_raw"] > 0).sum()),
        "sessions_usable": days.height - dropped,
        "sessions_dropped": dropped,
        "completeness": round(1 - missing / expected, 6),
        "checks": one.counts | {check: int(days[check].sum()) for check in FLAGS},
        "days": [_day(row) for row in days.iter_rows(named=True)],
    }


def _told(gap: dict[str, Any], one: Checked) -> dict[str, Any]:
    """A gap that begins with a void bar was made by the gate: no halt, and no fault of the feed's completeness."""
    begun = (gap["session"], gap["first_minute"])
    void = any(begun == (level["session"], level["minute"]) for level in one.levels if level["kind"] == "jump")
    return gap | {"kind": "level"} if void else gap


def _day(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "session": str(row["session"]),
        "verdict": row["verdict"],
        **{name: row[name] for name in COUNTS},
        "completeness": round(row["completeness"], 6),
        "flags": {check: int(row[check]) for check in FLAGS if row[check]},
        "dropped": row["verdict"] == "fail",
        "reason": row["reason"],
    }


def _hard_failures(symbol: str, one: Checked, quality: QualityParams) -> list[dict[str, Any]]:
    """The fault that stopped the reading of this symbol; else whether too many sessions fell (CMP3)."""
    if one.failure is not None:
        session = None if one.failure.session is None else str(one.failure.session)
        return [{"symbol": symbol, "session": session, "check": one.failure.check, "detail": one.failure.detail}]
    fallen = one.days.filter(pl.col("verdict") == "fail")
    share = 1 - fallen.height / one.days.height
    if share >= quality.min_sessions_share:
        return []
    worst = fallen.row(0, named=True)
    jumps = [told for told in level_warnings(symbol, one.levels) if told.startswith("PX7")]
    why = f" {jumps[-1]}." if jumps and worst["reason"] == "level_jump" else ""
    detail = (
        f"{one.days.height - fallen.height} of {one.days.height} sessions are usable ({share:.1%}), "
        f"quality.min_sessions_share asks for {quality.min_sessions_share:.1%}; the first that fell was "
        f"{worst['reason']} ({worst['n_missing']} of {worst['n_expected']} bars missing, longest gap "
        f"{worst['longest_gap']} min).{why} Repair the source, take the symbol out of universe, or narrow its span."
    )
    return [{"symbol": symbol, "session": str(worst["session"]), "check": "CMP3", "detail": detail}]


def _warnings(checked: Mapping[str, Checked], symbols: dict[str, Any], quality: QualityParams) -> list[str]:
    """Doubts about a symbol as a whole, in words."""
    told = []
    for symbol, one in symbols.items():
        share = one["sessions_usable"] / one["sessions_expected"]
        if quality.min_sessions_share <= share < quality.warn_sessions_share:
            told.append(f"CMP3 {symbol}: {share:.1%} of its sessions are usable")
        if one["checks"].get("TS5_undecided"):
            told.append(f"TS5 {symbol}: its stamps do not tell whether they are start or end labels")
        real = max(1, sum(day["n_expected"] - day["n_missing"] for day in one["days"]))
        off_print = int(checked[symbol].days["off_print"].sum()) / real
        if off_print > quality.off_tick_share:
            told.append(
                f"PX6 {symbol}: {off_print:.1%} of its bars hold prices finer than a trade is printed "
                f"(quality.print_step_ticks of quality.tick_size {quality.tick_size}): adjusted prices?"
            )
        told += level_warnings(symbol, one["levels"])
        told += copy_warnings(symbol, checked[symbol].days)
    return told + _across(checked)


def _across(checked: Mapping[str, Checked]) -> list[str]:
    """Doubts that only several symbols side by side can raise."""
    told = []
    present = {symbol: set(one.days.filter(pl.col("n_raw") > 0)["session"]) for symbol, one in checked.items()}
    anywhere = set().union(*present.values())
    if lacking := {symbol: len(anywhere - days) for symbol, days in present.items() if anywhere - days}:
        told.append(f"X1: sessions that other symbols have are missing, so many of each: {lacking}")
    closed = sorted(str(day) for one in checked.values() for day in set(one.days["session"]) - anywhere)
    if closed:
        told.append(f"unexpected_closed: no symbol has a bar on {', '.join(dict.fromkeys(closed))}")
    return told + twin_warnings(checked)
