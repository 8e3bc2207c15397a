"""Files of any layout: where they are found, how often they are read, and what stands in the listing."""

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import fsspec.implementations.local as local_files
import polars as pl
import pytest
import zstandard

from stages.errors import ConfigurationError, DataContractError
from stages.fetching.bars import bars_to_fetch
from stages.fetching.files import files_of, find_files
from stages.fetching.formats import collect, head_of, scan
from stages.io.partitions import Partition, Writer
from stages.params.source import SourceParams
from stages.params.universe import UniverseParams
from stages.sources.csv_form import csv_of
from stages.sources.manifest import listing_of, select
from tests.sources.dialects import source

ROW = pl.DataFrame({"ts": [1], "close": [10.0]})
DAYS = [date(2024, 11, day) for day in (4, 5, 6)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A main repository whose own path holds what templates and patterns would misread."""
    main = tmp_path / "a [b] {c}"
    main.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(main))
    return main


def universe(*symbols: str, first: date = DAYS[0], last: date = DAYS[-1]) -> UniverseParams:
    return UniverseParams(
        symbols=symbols, whitelist=(), context_symbol=None, context_symbols=(), first_session=first, last_session=last
    )


def flat_files(folder: Path, *tickers: str) -> SourceParams:
    """A gzip a day of many symbols, as a source."""
    for number, day in enumerate(DAYS):
        rows = pl.DataFrame({"ticker": tickers, "window_start": number, "close": 10.0 + number})
        (folder / f"{day}.csv.gz").write_bytes(gzip.compress(rows.write_csv().encode()))
    aliases = {"ticker": "symbol", "window_start": "ts"}
    return source(
        uri_template=f"{folder}/{{yyyy}}-{{mm}}-{{dd}}.csv.gz".replace("{c}", "{{c}}"), unit="ns", aliases=aliases
    )


def fetched(home: Path, stated: SourceParams) -> pl.DataFrame:
    """The bars of AAPL, from a file or files of its own."""
    manifest = listing_of(stated, files_of(stated, ["AAPL"])) | {"symbols": ["AAPL"]}
    given, fetch = bars_to_fetch(manifest, stated, pl.DataFrame(), Writer(str(home), in_bucket=False))
    return fetch("AAPL", *given["AAPL"])[0]


@pytest.mark.parametrize(
    ("template", "path", "period"),
    [
        ("{symbol}_{yyyy}{mm}.parquet", "AAPL_202411.parquet", "2024-11"),
        ("{yyyy}/{m}/{d}/{symbol}.parquet", "2024/11/4/AAPL.parquet", "2024-11"),
        ("year={yyyy}/month={m}/symbol={symbol}/*.parquet", "year=2024/month=3/symbol=AAPL/0-7f.parquet", "2024-03"),
        ("[raw] 1? (x)/{symbol}.parquet", "[raw] 1? (x)/AAPL.parquet", None),
        ("{symbol_lower}/bars-{yyyy}.parquet", "aapl/bars-2024.parquet", "2024"),
    ],
)
def test_a_file_is_found_by_the_text_of_its_template(home: Path, template: str, path: str, period: str) -> None:
    (home / path).parent.mkdir(parents=True, exist_ok=True)
    ROW.write_parquet(home / path)
    (home / path).with_suffix(".bak").write_bytes(b"x")
    [file] = find_files(template, "AAPL")
    assert (file["uri"], file["month"]) == (path, period)
    assert find_files(template, "A") == find_files(template, "AAP") == []


def test_a_path_may_begin_at_home_and_the_listing_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home / "me"))
    (home / "me").mkdir()
    ROW.write_parquet(home / "me/AAPL.parquet")
    assert [file["uri"] for file in find_files("~/{symbol}.parquet", "AAPL")] == ["~/AAPL.parquet"]


def test_parts_of_one_period_are_read_one_after_the_other(home: Path) -> None:
    for number in range(2):
        ROW.with_columns(ts=pl.lit(number)).write_parquet(home / f"AAPL-part-{number}.parquet")
    stated = source(uri_template="{symbol}-part-*.parquet")
    assert fetched(home, stated)["ts"].to_list() == [0, 1]


def test_a_star_finds_no_file_that_a_look_passes_over(home: Path) -> None:
    """What a system or a vendor puts beside the bars: hidden files, and a README."""
    for name in ("part-0.csv", "._part-0.csv", "README.csv"):
        (home / "AAPL").mkdir(exist_ok=True)
        ROW.write_csv(home / "AAPL" / name)
    assert [file["uri"] for file in find_files("{symbol}/*.csv", "AAPL")] == ["AAPL/part-0.csv"]
    assert [file["uri"] for file in find_files("AAPL/*.csv")] == ["AAPL/part-0.csv"]
    assert len(find_files("{symbol}/README.csv", "AAPL")) == 1


def test_a_star_beside_a_symbol_is_refused_since_a_would_find_aa() -> None:
    with pytest.raises(ValueError, match="next to the symbol"):
        source(uri_template="*{symbol}.parquet")


def test_a_listing_of_files_of_many_symbols_names_days_and_no_symbol(home: Path) -> None:
    stated = flat_files(home, "AAPL", "MSFT")
    files = files_of(stated, ["AAPL"])
    assert [(file["symbol"], file["month"], file["day"]) for file in files] == [
        (None, "2024-11", str(day)) for day in DAYS
    ]
    chosen = select(listing_of(stated, files), stated, universe("AAPL", first=DAYS[1]))
    assert [file["day"] for file in chosen["files"]] == ["2024-11-05", "2024-11-06"]


def test_a_file_of_many_symbols_is_read_once_and_only_for_symbols_of_the_study(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = flat_files(home, *(f"S{number}" for number in range(50)), "AAPL")
    symbols = ("AAPL", "S1", "S7")
    manifest = select(listing_of(stated, files_of(stated, symbols)), stated, universe(*symbols))
    read: list[str] = []
    whole = local_files.LocalFileSystem.cat_file
    monkeypatch.setattr(
        local_files.LocalFileSystem,
        "cat_file",
        lambda self, path, **rest: read.append(path) or whole(self, path, **rest),
    )
    (home / "aside").mkdir()
    given, fetch = bars_to_fetch(manifest, stated, pl.DataFrame(), Writer(str(home / "aside"), in_bucket=False))
    bars = {symbol: fetch(symbol, *(part.read() for part in parts))[0] for symbol, parts in given.items()}
    assert sorted(path.rpartition("/")[2] for path in read) == [f"{day}.csv.gz" for day in DAYS]
    assert set(bars) == set(symbols)
    assert all(frame["close"].to_list() == [10.0, 11.0, 12.0] for frame in bars.values())


@pytest.mark.parametrize("nothing", ["", "\n"])
def test_a_day_of_all_symbols_may_be_an_empty_file_as_a_day_of_one_may(home: Path, nothing: str) -> None:
    stated = flat_files(home, "AAPL", "IBM")
    (home / f"{DAYS[1]}.csv.gz").write_bytes(gzip.compress(nothing.encode()))
    manifest = select(listing_of(stated, files_of(stated, ["AAPL"])), stated, universe("AAPL", "IBM"))
    given, _ = bars_to_fetch(manifest, stated, pl.DataFrame(), Writer(str(home), in_bucket=False))
    assert [part.read().height for symbol in ("AAPL", "IBM") for part in given[symbol]] == [2, 2]


def test_a_symbol_of_which_no_file_holds_a_row_is_named(home: Path) -> None:
    stated = flat_files(home, "AAPL")
    manifest = select(listing_of(stated, files_of(stated, ["TSLA"])), stated, universe("AAPL", "TSLA"))
    with pytest.raises(DataContractError, match=r"holds a row of TSLA: remove them from universe.symbols.*renames"):
        bars_to_fetch(manifest, stated, pl.DataFrame(), Writer(str(home), in_bucket=False))


def test_a_day_without_a_file_is_left_to_the_gate_and_a_month_without_any_stops(home: Path) -> None:
    stated = flat_files(home, "AAPL")
    listing = listing_of(stated, files_of(stated, ["AAPL"])[:2])
    assert len(select(listing, stated, universe("AAPL"))["files"]) == 2
    with pytest.raises(DataContractError, match=r"holds no file for 2024-12"):
        select(listing, stated, universe("AAPL", last=date(2024, 12, 2)))


def test_a_column_that_no_alias_names_as_the_symbol_is_asked_for(home: Path) -> None:
    stated = flat_files(home, "AAPL", "MSFT").model_copy(update={"aliases": {"window_start": "ts"}})
    manifest = select(listing_of(stated, files_of(stated, [])), stated, universe("AAPL", "MSFT"))
    with pytest.raises(DataContractError, match=r"for example ticker: symbol"):
        bars_to_fetch(manifest, stated, pl.DataFrame(), Writer(str(home), in_bucket=False))


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{ticker}.parquet", "may hold"),
        ("{symbol}_{mm}.parquet", "a month its year"),
        ("{symbol}_{yyyy}_{dd}.parquet", "a day needs its month"),
        ("{symbol.parquet", "may hold"),
    ],
)
def test_a_template_that_names_no_file_is_refused(template: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        source(uri_template=template)


@pytest.mark.parametrize(
    ("text", "changes", "words"),
    [
        ("ts,close\n04/05/2024 09:30,1\n", {}, r"source\.stamp_format"),
        ("ts,open,high,low,close,volume\n2024-04-05 09:30,1,1,1,n/a,5\n", {}, r"AAPL.csv is not readable as CSV"),
        ("ts,close\n1704205800,1\n", {}, r"source\.unit, for example to s: 1704205800 is 2024-01-02 14:30:00 UTC"),
        ("ts,close\nnoon,1\n", {}, r"'noon'.*source\.stamp_format"),
        (
            "ts,close\n2024-04-05 09:30,1\n05/04/24,1\n",
            {},
            r"values: \[\"05/04/24\"\]\): correct source\.stamp_format, or get it again from the vendor\.$",
        ),
    ],
)
def test_a_csv_that_cannot_be_read_without_guessing_says_what_to_state(
    home: Path, text: str, changes: dict[str, str], words: str
) -> None:
    (home / "AAPL.csv").write_text(text)
    stated = source(uri_template="{symbol}.csv", **changes)
    with pytest.raises((DataContractError, ConfigurationError), match=words):
        fetched(home, stated)


@pytest.mark.parametrize(
    "above", ["{names}\r\n", "{names}\r\n\r\n\r\n", "\r\n{names}\r\n", "{names}\r\n,,,,,\r\n", "\r\n"]
)
def test_blank_lines_of_a_csv_are_no_rows(above: str, home: Path) -> None:
    row = "2024-04-05 09:30,1,1,1,1,5\r\n"
    names = above.format(names="ts,open,high,low,close,volume")
    text = f"{names}{row}\r\n{row.replace('30', '31')}\r\n\r\n"
    (home / "AAPL.csv").write_text(text, newline="")
    stated = source(uri_template="{symbol}.csv", csv=csv_of(text.splitlines())[0].model_dump(mode="json"))
    assert fetched(home, stated)["ts"].dt.minute().to_list() == [30, 31]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("minutes", [":00", "00", ""])
def test_stamps_that_are_text_are_read_with_their_offset(home: Path, ending: str, minutes: str) -> None:
    """09:30 in New York is 13:30 UTC on Friday 2024-11-01 and 14:30 on the Monday that follows."""
    stamped = [f"2024-11-01 09:30:00-04{minutes}", f"2024-11-04 09:30:00-05{minutes}"]
    rows = pl.DataFrame({"when": stamped, "close": [1.0, 2.0]})
    rows.write_csv(home / "AAPL.csv") if ending == "csv" else rows.write_parquet(home / "AAPL.parquet")
    stated = source(uri_template=f"{{symbol}}.{ending}", aliases={"when": "ts"})
    stamps = fetched(home, stated)["when"].dt.strftime("%m-%d %H:%M %Z").to_list()
    assert stamps == ["11-01 13:30 UTC", "11-04 14:30 UTC"]


@pytest.mark.parametrize("clock", [pl.Time, pl.String])
def test_a_day_and_a_time_of_day_in_two_columns_of_a_parquet_file_are_one_stamp(home: Path, clock: type) -> None:
    stamps = pl.Series(["2024-11-01 09:30", "2024-11-01 09:31"]).str.to_datetime()
    rows = pl.DataFrame({"date": stamps.dt.date(), "time": stamps.dt.time().cast(clock), "close": [1.0, 2.0]})
    rows.write_parquet(home / "AAPL.parquet")
    stated = source(uri_template="{symbol}.parquet")
    assert fetched(home, stated)["ts"].to_list() == stamps.to_list()


BAR = dict.fromkeys(("open", "high", "low", "close", "volume"), 10.0)
NOON = pl.DataFrame({"ts": [datetime(2024, 11, 4, 17, tzinfo=UTC)], **BAR})
LATER = NOON.with_columns(pl.col("ts").dt.offset_by("1d"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (NOON.with_columns(pl.col("ts").dt.convert_time_zone("Etc/GMT+4")), LATER.with_columns(vwap=10.0)),
        (
            NOON.cast({"ts": pl.Datetime("ms", "UTC")}),
            LATER.with_columns(pl.col("ts").dt.convert_time_zone("Asia/Tokyo")),
        ),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("template", ["{yyyy}-{mm}-{dd}", "{symbol}_{yyyy}-{mm}-{dd}"])
def test_files_may_differ_in_their_zone_and_in_columns_that_no_bar_needs_and_a_day_may_have_no_row(
    home: Path, first: pl.DataFrame, second: pl.DataFrame, ending: str, template: str
) -> None:
    stated = source(uri_template=f"{template}.{ending}")
    whose = {"symbol": pl.lit("AAPL")} if stated.many_in_a_file else {}
    empty = pl.DataFrame(schema=dict.fromkeys(["ts", *BAR, *whose], pl.Null))
    for day, rows in zip(DAYS, (empty, first.with_columns(**whose), second.with_columns(**whose)), strict=True):
        path = home / f"{template}.{ending}".format(symbol="AAPL", yyyy=day.year, mm=day.month, dd=f"{day.day:02}")
        stamps = pl.selectors.datetime().dt.strftime("%Y-%m-%d %H:%M:%S%:z")
        rows.with_columns(stamps).write_csv(path) if ending == "csv" else rows.write_parquet(path)
    manifest = select(listing_of(stated, files_of(stated, ["AAPL"])), stated, universe("AAPL"))
    given, fetch = bars_to_fetch(manifest, stated, pl.DataFrame(), Writer(str(home), in_bucket=False))
    parts = [part.read() if isinstance(part, Partition) else part for part in given["AAPL"]]
    bars, rows = fetch("AAPL", *parts)
    assert rows == 2
    assert bars["ts"].dt.strftime("%d %H:%M %Z").to_list() == ["04 17:00 UTC", "05 17:00 UTC"]


@pytest.mark.parametrize("lacking", ["ts", "symbol"])
def test_every_column_is_read_while_one_that_a_bar_needs_is_not_named(home: Path, lacking: str) -> None:
    """The error lists them, so that the user can name it."""
    rows = pl.DataFrame({"ts": ["2024-11-04 09:30"], "symbol": ["AAPL"], **BAR}).rename({lacking: "unknown"})
    stated = source(uri_template="{symbol}.csv" if lacking == "ts" else "all.csv")
    assert "unknown" in scan("AAPL.csv", rows.write_csv().encode(), stated).collect_schema()
    named = stated.model_copy(update={"aliases": {"unknown": lacking}})
    more = rows.with_columns(vwap=1.0).write_csv().encode()
    assert scan("AAPL.csv", more, named).collect_schema().names() == rows.columns


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_head_of_a_text_file_holds_whole_lines(pack: Callable[[bytes], bytes]) -> None:
    lines = [f"{number},{'x' * 90}" for number in range(1000)]
    head = head_of(pack("\n".join(lines).encode()), 1000)
    assert head == lines[: len(head)]
    assert head_of(pack("\n".join(lines[:3]).encode()), 1000) == lines[:3]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_packed_file_that_was_cut_off_is_refused_however_little_is_left(pack: Callable[[bytes], bytes]) -> None:
    """A day of a symbol is less than one block of zstd, so that nothing of it can be unpacked."""
    rows = "ts,open,high,low,close,volume\n" + "2024-11-04 09:30,1,1,1,1,1\n" * 390
    cut = pack(rows.encode())[:-7]
    with pytest.raises(DataContractError, match="is not readable as CSV"):
        collect("AAPL.csv", lambda: scan("AAPL.csv", cut, source()))
    assert collect("AAPL.csv", lambda: scan("AAPL.csv", pack(b""), source())).height == 0
