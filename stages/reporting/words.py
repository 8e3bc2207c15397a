"""Numbers and verdicts as words, the same in every report."""

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


def measure(value: float | None) -> str:
    """A measurement with the decimals that it needs: 4, 0.95, 23.449, 264.6."""
    if value is None:
        return MISSING
    whole, _, decimals = number(float(value), 1 if abs(value) >= 100 else 3).partition(".")
    return f"{whole}.{decimals}".rstrip("0").rstrip(".")


def count(many: int, one: str, more: str | None = None) -> str:
    """`1 trade`, `2 trades`."""
    return f"{many:,} {one if many == 1 else more or one + 's'}"


def probability(value: float | None) -> str:
    """A p-value or a probability that was estimated: never nothing at all, never certain."""
    if value is None or 0.001 <= value <= 0.999:
        return number(value)
    return "< 0.001" if value < 0.001 else "> 0.999"


def sharpe(value: float | None, se: float | None) -> str:
    """A Sharpe ratio is never shown without its standard error; the number of trials stands beside it."""
    return MISSING if value is None or se is None else f"{number(value, 2)} ± {number(se, 2)}"
