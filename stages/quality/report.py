"""The report of the data gate, as one deterministic document, and the stop that follows from it.

*Tables*: `dq_report.json`, read by `verdicts` and by people; docs/DATA_QUALITY.md describes its fields.
*Errors*: `DataContractError` naming symbol, session, check, value and param.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from stages.errors import DataContractError
from stages.params.quality import QualityParams
from stages.quality.gate import Checked
from stages.quality.halts import halts_document
from stages.quality.long_gaps import long_gaps
from stages.quality.sentences import doubts, too_few_sessions

SCHEMA_VERSION = 1
FLAGS = ("TS3", "TS6", "TS8", "CMP4", "PX1", "PX2", "PX3", "PX3_reverted", "PX4", "PX5", "PX6", "PX7", "PX8", "VOL1",
         "VOL2", "VOL3", "HLT1")  # fmt: skip
NOTHING_FOUND: dict[str, Any] = {"long_gaps": [], "levels": [], "halts": []}
COUNTS = ("n_expected", "n_raw", "n_missing", "n_filled", "longest_gap")
REPORT = "artifacts/check_data/dq_report.json"


def quality_report(
    checked: Mapping[str, Checked], manifest: dict[str, Any], calendar: pl.DataFrame, quality: QualityParams
) -> dict[str, Any]:
    """The report on every symbol that went through the gate."""
    gaps = long_gaps({symbol: check.silence for symbol, check in checked.items() if check.failure is None}, quality)
    symbols = {symbol: _symbol(check, gaps.get(symbol, [])) for symbol, check in checked.items()}
    hard = [failure for symbol, check in checked.items() for failure in _hard_failures(symbol, check, quality)]
    hard += [
        {"symbol": symbol, "session": None, "check": "TS5", "detail": check.undecided}
        for symbol, check in checked.items()
        if check.undecided and not hard
    ]
    warnings = doubts(checked, symbols, quality)
    troubled = warnings or any(
        (check.days["verdict"] != "pass").any() for check in checked.values() if check.failure is None
    )
    return {
        "schema_version": SCHEMA_VERSION,
        "source": {
            "name": manifest["source"],
            "uri": manifest["uri_template"],
            "rows": sum(check.rows_delivered for check in checked.values()),
            "sha256": hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest(),
            "labels": next((check.labels.document for check in checked.values() if check.labels), None),
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


def require_sound(report: dict[str, Any], symbols: Iterable[str]) -> None:
    """Raise on the first hard failure of the report, or on a symbol of the universe that it does not hold."""
    for symbol in symbols:
        if symbol not in report["symbols"]:
            raise DataContractError(
                f"there are no bars of {symbol!r}, which universe.symbols names: the source delivered "
                f"{sorted(report['symbols'])}; remove it from universe.symbols, or correct the source."
            )
    if report["hard_failures"]:
        first, *others = report["hard_failures"]
        session = f" {first['session']}" if first["session"] else ""
        more = f" ({len(others)} more in {REPORT})" if others else ""
        raise DataContractError(f"{first['symbol']}{session}, check {first['check']}: {first['detail']}{more}")


def _symbol(one: Checked, gaps: list[dict[str, Any]]) -> dict[str, Any]:
    """The findings of a symbol; if it could not be read, those of its sessions are null."""
    days = one.days
    if one.failure is not None:
        unknown = dict.fromkeys(("sessions_present", "sessions_usable", "sessions_dropped", "completeness"))
        return {"sessions_expected": days.height, **unknown, "checks": {}, "days": [], **NOTHING_FOUND}
    expected, missing = int((days["n_expected"] - days["HLT1"]).sum()), int(days["n_missing"].sum())
    owed = one.expected
    dropped = int((owed["verdict"] == "fail").sum())
    return {
        "sessions_expected": owed.height,
        "sessions_present": int((owed["n_raw"] > 0).sum()),
        "sessions_usable": owed.height - dropped,
        "sessions_dropped": dropped,
        "completeness": round(1 - missing / max(1, expected), 6),
        "checks": one.counts | {check: int(days[check].sum()) for check in FLAGS},
        "days": Days(days),
        "long_gaps": [_gap(gap, one) for gap in gaps],
        "levels": one.levels,
        "halts": halts_document(one.halts),
    }


@dataclass(frozen=True, eq=False)
class Days(Sequence[dict[str, Any]]):
    """The findings of each session of a symbol, built on access, since all symbols may have a million."""

    table: pl.DataFrame

    def __len__(self) -> int:
        return self.table.height

    def __getitem__(self, at: Any) -> Any:
        return _day(self.table.row(at, named=True))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(_day, self.table.iter_rows(named=True))


def _gap(gap: dict[str, Any], one: Checked) -> dict[str, Any]:
    """The gap, of kind `level` if it begins with a void bar: then the gate made it, not a halt or the feed."""
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
    """The fault that stopped the reading of this symbol, else CMP3 if too many sessions failed."""
    if one.failure is not None:
        session = None if one.failure.session is None else str(one.failure.session)
        return [{"symbol": symbol, "session": session, "check": one.failure.check, "detail": one.failure.detail}]
    usable = int((one.expected["verdict"] != "fail").sum())
    if usable / one.expected.height >= quality.min_sessions_share:
        return []
    first = str(one.expected.filter(pl.col("verdict") == "fail")["session"].min())
    detail = too_few_sessions(symbol, one, quality.of(symbol))
    return [{"symbol": symbol, "session": first, "check": "CMP3", "detail": detail}]
