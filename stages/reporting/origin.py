"""Where forecasts and bars came from, in words that never call a local forecast TimeGPT."""

from collections.abc import Sequence

import polars as pl

LOCAL = "local:"
SYNTHETIC = "synthetic"


def makers(forecasts: pl.DataFrame) -> list[str]:
    """The sources of the asked forecasts of a table, sorted; the benchmark beside them was not asked: it has no key."""
    return sorted(forecasts.filter(pl.col("key").is_not_null())["source"].unique())


def is_local(sources: Sequence[str]) -> bool:
    """Whether every forecast was made on this machine."""
    return all(name.startswith(LOCAL) for name in sources)


def origin(sources: Sequence[str], kind: str, name: str) -> str:
    """Who forecast what: for the head of a page, and for every picture on it; `kind` and `name` are the bars'."""
    told = [
        f"Local forecaster “{source.removeprefix(LOCAL)}” (not TimeGPT)" if source.startswith(LOCAL) else source
        for source in sources
    ]
    bars = "an artificial market" if kind == SYNTHETIC else f"bars of “{name}”"
    return f"{' and '.join(told)} on {bars}"
