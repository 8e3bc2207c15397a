"""How often each feature is unknown, counted in the open, and how often a required one may be.

*Tables*: `feature_report.json`, per symbol: `rows`; `rows_incomplete`, those on which a required feature is unknown;
per feature `nulls` among all rows, `due` minutes (of usable sessions, behind its look-back), `nulls_due` among these.
*Errors*: `DataContractError` when a required feature is unknown on more than `features.max_null_share` of its due
minutes.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from stages.errors import DataContractError
from stages.features.params import FeaturesParams

SCHEMA_VERSION = 1

LookBack = tuple[int, int]  # bars of the session, sessions before


def count_unknown(
    features: pl.DataFrame, usable: tuple[date, ...], lookbacks: Mapping[str, LookBack], required: tuple[str, ...]
) -> dict[str, Any]:
    """The counts of one symbol, for the features that `lookbacks` names."""
    session, m = features["session"], features["m"]
    behind = {sessions: session.is_in(usable[sessions:]) for _, sessions in lookbacks.values()}
    counts = {}
    for name, (bars, sessions) in lookbacks.items():
        is_null, is_due = features[name].is_null(), behind[sessions] & (m >= bars)
        counts[name] = {"nulls": is_null.sum(), "due": is_due.sum(), "nulls_due": (is_due & is_null).sum()}
    known = features.select(required).drop_nulls()
    return {
        "rows": features.height,
        "rows_incomplete": features.height - known.height if required else 0,
        "features": counts,
    }


def demand_known(symbol: str, counts: Mapping[str, Any], params: FeaturesParams) -> None:
    """Refuse a symbol of which a required feature is too often unknown."""
    for name in params.required:
        count = counts["features"][name]
        share = count["nulls_due"] / max(1, count["due"])
        if share > params.max_null_share:
            raise DataContractError(
                f"{symbol}: required feature {name} is unknown on {share:.1%} of its minutes, more than "
                f"features.max_null_share {params.max_null_share:.1%}; check the gate's report, or do not require it."
            )


def unknown_report(counts: Mapping[str, Mapping[str, Any]], params: FeaturesParams) -> dict[str, Any]:
    """The counts of all symbols, and the policy that they were judged by."""
    return {
        "schema_version": SCHEMA_VERSION,
        "required": list(params.required),
        "max_null_share": params.max_null_share,
        "symbols": dict(counts),
    }


def total(report: Mapping[str, Any], kind: str) -> int:
    """One kind of count, over all symbols and features."""
    return sum(count[kind] for one in report["symbols"].values() for count in one["features"].values())
