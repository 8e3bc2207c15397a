"""Reading 3 symbols x 1 month out of 50 x 12 files against reading them all in pandas; and 5 symbols out of a gzip of
5,000, a day's flat file, against polars' own `scan_csv`.

Only the files that are needed are opened, and each is held against its md5.
Run: python -m tests.benchmarks.bench_source
"""

import gzip
import os
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import polars as pl

from stages.fetching.bars import read_frames
from stages.fetching.files import find_files
from stages.sessions.calendar import trading_calendar
from tests.quality.deliveries import delivery
from tests.sources.dialects import source

CALENDAR = trading_calendar(date(2024, 1, 2), date(2024, 12, 31))
SYMBOLS = [f"S{number:02}" for number in range(50)]
ASKED, MONTH = SYMBOLS[10:13], "2024-06"
LEAST_RATIO = 20
TICKERS, MINUTES, FIRST_NS = 5_000, 400, 1_717_421_400 * 10**9
MOST_OVER_POLARS = 2


def best(function: Callable[[], pl.DataFrame | pd.DataFrame], repeats: int) -> tuple[float, int]:
    """Seconds of the fastest run, and its rows."""
    seconds, rows = [], 0
    for _ in range(repeats):
        start = perf_counter()
        rows = len(function())
        seconds.append(perf_counter() - start)
    return min(seconds), rows


def deliver(folder: Path) -> str:
    """Fifty symbols of a year in monthly files; their template."""
    for seed, symbol in enumerate(SYMBOLS):
        (folder / symbol).mkdir()
        for (month,), part in delivery(CALENDAR, seed).group_by(pl.col("ts").dt.strftime("%Y-%m")):
            part.sort("ts").write_parquet(folder / symbol / f"{month}.parquet")
    return f"{folder}/{{symbol}}/{{yyyy}}-{{mm}}.parquet"


def flat_file(folder: Path) -> str:
    """A day of 5,000 tickers, 400 minutes each, as a vendor of flat files packs it; its template."""
    rows, generator = TICKERS * MINUTES, np.random.default_rng(1)
    price = (generator.random((4, rows)) * 100).round(2)
    table = pl.DataFrame(
        {
            "ticker": np.repeat([f"T{number}" for number in range(TICKERS)], MINUTES),
            "volume": generator.integers(1, 9999, rows),
            **dict(zip(("open", "close", "high", "low"), price, strict=True)),
            "window_start": np.tile(np.arange(MINUTES) * 60 * 10**9 + FIRST_NS, TICKERS),
            "transactions": generator.integers(1, 99, rows),
        }
    )
    (folder / "2024-06-03.csv.gz").write_bytes(gzip.compress(table.write_csv().encode(), 6))
    return f"{folder}/{{yyyy}}-{{mm}}-{{dd}}.csv.gz"


def against_polars(folder: Path) -> None:
    """Print how much longer a flat file takes through the listing, the md5 and the aliases than in polars alone."""
    template, wanted = flat_file(folder), [f"T{number}" for number in range(5)]
    flat = source(uri_template=template, aliases={"ticker": "symbol", "window_start": "ts"}, unit="ns")
    files = find_files(template)

    def ours() -> pl.DataFrame:
        return next(read_frames(files, flat, wanted))[1]

    def in_polars() -> pl.DataFrame:
        return pl.scan_csv(folder / "2024-06-03.csv.gz").filter(pl.col("ticker").is_in(wanted)).collect()

    (slow, rows), (fast, same) = best(ours, 5), best(in_polars, 5)
    assert rows == same
    print(f"{TICKERS * MINUTES:,} rows of a gzip, {rows:,} of them wanted")
    print(f"polars {fast:.2f} s  ours {slow:.2f} s  ratio {slow / fast:.2f} (at most {MOST_OVER_POLARS} wanted)")


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["DVC_ROOT"] = name
        against_polars(Path(name))
    with tempfile.TemporaryDirectory() as name:
        os.environ["DVC_ROOT"] = name
        template = deliver(Path(name))
        wanted = [file for symbol in ASKED for file in find_files(template, symbol) if file["month"] == MONTH]

        def ours() -> pl.DataFrame:
            return pl.concat(
                frame.with_columns(symbol=pl.lit(file["symbol"]))
                for file, frame in read_frames(wanted, source(uri_template=template))
            )

        def in_pandas() -> pd.DataFrame:
            everything = pd.concat(
                pd.read_parquet(path).assign(symbol=path.parent.name) for path in sorted(Path(name).rglob("*.parquet"))
            )
            return everything[everything["symbol"].isin(ASKED) & (everything["ts"].dt.month == int(MONTH[-2:]))]

        fast, rows = best(ours, 5)
        slow, same = best(in_pandas, 1)
    assert rows == same
    print(f"{rows:,} rows of {len(ASKED)} symbols and a month, each file checked against its md5")
    print(
        f"pandas reads all in {slow:.2f} s  ours {fast:.3f} s  ratio {slow / fast:.0f} (at least {LEAST_RATIO} wanted)"
    )


if __name__ == "__main__":
    main()
