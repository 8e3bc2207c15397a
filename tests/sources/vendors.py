"""One sound market, written as each vendor writes its files; columns and forms as their own pages describe them.

*Source*: massive.com/docs/flat-files (minute aggregates), databento.com/docs/schemas/ohlcv and its `to_csv` and
`to_parquet`; alpaca-py's `BarSet.df`; yfinance's `download`; kibot.com/Data_Format.aspx; the
answers of IQFeed to `HIT`. docs/SOURCES.md sums them up.
"""

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import yaml

from stages.params.source import SyntheticParams
from stages.sessions.calendar import trading_calendar
from stages.sources.synthetic import synthetic_bars

CALENDAR = trading_calendar(date(2024, 10, 28), date(2024, 11, 8))  # ten sessions; the clocks change on 3 November
SYMBOLS = ("AAPL", "MSFT")
NEW_YORK = "America/New_York"
MARKET = SyntheticParams(
    **yaml.safe_load(Path("conf/source/synthetic.yaml").read_text())["synthetic"]
    | {"amplitude_bp": {"FACTOR": 0.0, "AAPL": 5.0, "MSFT": 5.0}, "beta": {"FACTOR": 0.0, "AAPL": 0.3, "MSFT": 0.3}}
)
BARS = {symbol: synthetic_bars(symbol, MARKET, CALENDAR) for symbol in SYMBOLS}
ts = pl.col("ts")
PRICES = ("open", "high", "low", "close")


def _together() -> pl.DataFrame:
    """Both symbols in one table, as a file of all symbols holds them: by time, then symbol."""
    parts = [bars.with_columns(symbol=pl.lit(symbol)) for symbol, bars in BARS.items()]
    return pl.concat(parts).sort("ts", "symbol")


def _a_day(table: pl.DataFrame) -> Iterator[tuple[date, pl.DataFrame]]:
    for (day,), rows in table.group_by(ts.dt.date(), maintain_order=True):
        yield day, rows


def massive(folder: Path) -> None:
    """One gzip a day, every symbol in it, stamps in nanoseconds."""
    for day, rows in _a_day(_together()):
        path = folder / f"us_stocks_sip/minute_aggs_v1/{day:%Y}/{day:%m}/{day}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = rows.select(
            ticker="symbol", volume=pl.col("volume").cast(pl.Int64), open="open", close="close", high="high", low="low",
            window_start=ts.dt.epoch("ns"), transactions=(pl.col("volume") / 100).ceil().cast(pl.Int64),
        )  # fmt: skip
        path.write_bytes(gzip.compress(table.sort("ticker", "window_start").write_csv().encode()))


def _databento(rows: pl.DataFrame) -> pl.DataFrame:
    """An OHLCV-1m record: stamps in nanoseconds, prices in units of 1e-9."""
    return rows.select(
        ts.dt.epoch("ns").alias("ts_event"),
        pl.lit(33, pl.UInt8).alias("rtype"),
        pl.lit(95, pl.UInt16).alias("publisher_id"),
        pl.lit(38, pl.UInt32).alias("instrument_id"),
        *((pl.col(name) * 1e9).round().cast(pl.Int64).alias(name) for name in PRICES),
        pl.col("volume").cast(pl.UInt64),
        "symbol",
    )


def databento_csv(folder: Path) -> None:
    """A batch download as CSV: one file a day, raw integers."""
    for day, rows in _a_day(_together()):
        _databento(rows).write_csv(folder / f"equs-mini-{day:%Y%m%d}.ohlcv-1m.csv")


def databento_parquet(folder: Path) -> None:
    """`DBNStore.to_parquet`: prices as floats, `ts_event` with its zone, one file for the request."""
    table = _databento(_together()).with_columns(
        pl.from_epoch("ts_event", time_unit="ns").dt.replace_time_zone("UTC"), *(pl.col(name) / 1e9 for name in PRICES)
    )
    table.select(pl.exclude("ts_event"), "ts_event").write_parquet(folder / "equs-mini.ohlcv-1m.parquet")


def alpaca(folder: Path) -> None:
    """`StockHistoricalDataClient.get_stock_bars(...).df` with its two index levels, saved as parquet."""
    table = _together().select(
        "symbol", *PRICES, "volume", timestamp="ts", trade_count=pl.col("volume") / 100, vwap="close"
    )
    table.sort("symbol", "timestamp").write_parquet(folder / "bars.parquet")


def yahoo(folder: Path) -> None:
    """`yfinance.download([...], interval="1m").to_csv(...)`: three lines of names, a column a symbol and field."""
    wide = BARS["AAPL"].select(
        pl.col("ts").dt.strftime("%Y-%m-%d %H:%M:%S+00:00"),
        *(
            BARS[symbol][field.lower()].alias(f"{field}{symbol}")
            for field in ("Close", "High", "Low", "Open", "Volume")
            for symbol in SYMBOLS
        ),
    )
    fields = [name for name in ("Close", "High", "Low", "Open", "Volume") for _ in SYMBOLS]
    lines = [["Price", *fields], ["Ticker", *SYMBOLS * 5], ["Datetime", *[""] * 10]]
    text = "".join(",".join(line) + "\n" for line in lines) + wide.write_csv(include_header=False)
    (folder / "yahoo.csv").write_text(text)


def kibot(folder: Path) -> None:
    """One file a symbol without names: date, time, open, high, low, close, volume, on the clock of New York."""
    for symbol, bars in BARS.items():
        local = ts.dt.convert_time_zone(NEW_YORK)
        stamps = (local.dt.strftime("%m/%d/%Y").alias("date"), local.dt.strftime("%H:%M").alias("time"))
        table = bars.select(*stamps, *PRICES, pl.col("volume").cast(pl.Int64))
        table.write_csv(folder / f"{symbol}.txt", include_header=False)


def firstrate(folder: Path) -> None:
    """One file a symbol without names, stamps as text on the clock of New York."""
    for symbol, bars in BARS.items():
        table = bars.with_columns(ts.dt.convert_time_zone(NEW_YORK).dt.strftime("%Y-%m-%d %H:%M:%S"))
        table.write_csv(folder / f"{symbol}_full_1min_UNADJ.txt", include_header=False)


def interactive_brokers(folder: Path) -> None:
    """`ib_async.util.df(bars).to_csv(...)`: one file a symbol, each stamp with its offset."""
    for symbol, bars in BARS.items():
        stamp = ts.dt.convert_time_zone(NEW_YORK).dt.strftime("%Y-%m-%d %H:%M:%S%:z").alias("date")
        table = bars.select(stamp, *PRICES, "volume", average="close", barCount=pl.lit(100))
        table.write_csv(folder / f"{symbol}.csv")


def iqfeed(folder: Path) -> None:
    """One file a symbol without names: high, low, open, close, the day's volume so far, volume; newest row first."""
    for symbol, bars in BARS.items():
        stamp = ts.dt.convert_time_zone(NEW_YORK).dt.strftime("%Y-%m-%d %H:%M:%S")
        so_far = pl.col("volume").cum_sum().over(ts.dt.date()).alias("total")
        table = bars.select(stamp, "high", "low", "open", "close", so_far, "volume", trades=pl.lit(0))
        table.reverse().write_csv(folder / f"{symbol}.csv", include_header=False)


VENDORS: dict[str, Callable[[Path], None]] = {
    "massive": massive,
    "databento_csv": databento_csv,
    "databento_parquet": databento_parquet,
    "alpaca": alpaca,
    "yahoo": yahoo,
    "kibot": kibot,
    "firstrate": firstrate,
    "interactive_brokers": interactive_brokers,
    "iqfeed": iqfeed,
}


def databento_dbn(folder: Path) -> None:
    """A batch download as DBN, one file a day, put together by Databento's own library, which need not be installed."""
    from databento_dbn import Metadata, OHLCVMsg, Schema, SType

    numbers = {symbol: str(number) for number, symbol in enumerate(SYMBOLS, 38)}
    for day, rows in _a_day(_together()):
        start, end = (datetime.combine(one, time(), UTC) for one in (day, day + timedelta(days=1)))
        metadata = Metadata(
            dataset="EQUS.MINI",
            start=int(start.timestamp()) * 10**9,
            end=int(end.timestamp()) * 10**9,
            stype_in=SType.RAW_SYMBOL,
            stype_out=SType.INSTRUMENT_ID,
            schema=Schema.OHLCV_1M,
            symbols=list(SYMBOLS),
            mappings=[
                SimpleNamespace(
                    raw_symbol=symbol,
                    intervals=[SimpleNamespace(start_date=start.date(), end_date=end.date(), symbol=number)],
                )
                for symbol, number in numbers.items()
            ],
        )
        who = pl.col("symbol").replace(numbers).cast(pl.Int64)
        fields = _databento(rows).select("rtype", "publisher_id", who, "ts_event", *PRICES, "volume")
        records = (bytes(OHLCVMsg(*row)) for row in fields.iter_rows())
        (folder / f"equs-mini-{day:%Y%m%d}.ohlcv-1m.dbn").write_bytes(metadata.encode() + b"".join(records))
