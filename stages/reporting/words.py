"""Numbers and verdicts as words, the same in every report."""

from collections.abc import Mapping
from typing import Any

SIGNS = {"PASS": "✔", "FAIL": "✘", "INCONCLUSIVE": "?", "SEALED": "▣"}
MISSING = "\N{EN DASH}"


def number(value: Any, digits: int = 3) -> str:
    """A cell: counts with separators, measurements to `digits` decimals, nothing as a dash, words as they are."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return str(value)


def count(many: int, one: str, more: str | None = None) -> str:
    """`1 trade`, `2 trades`."""
    return f"{many:,} {one if many == 1 else more or one + 's'}"


def probability(value: float | None) -> str:
    """A p-value: never nothing at all."""
    return "< 0.001" if value is not None and value < 0.001 else number(value)


def sharpe(value: float | None, se: float | None) -> str:
    """A Sharpe ratio is never shown without its standard error; the number of trials stands beside it."""
    return MISSING if value is None or se is None else f"{number(value, 2)} ± {number(se, 2)}"


def origin(forecast_sources: list[str], source: Mapping[str, Any]) -> str:
    """Where forecasts and bars came from, in words that never call a local forecast TimeGPT."""
    makers = [
        f"Local forecaster “{name.removeprefix('local:')}” (not TimeGPT)" if name.startswith("local:") else name
        for name in forecast_sources
    ]
    bars = "an artificial market" if source["kind"] == "synthetic" else f"bars of “{source['name']}”"
    return f"{' and '.join(makers)} on {bars}"
