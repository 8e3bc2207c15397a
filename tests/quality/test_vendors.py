"""Files of each vendor, read as its preset or table of aliases says, end as the bars that were written into them."""

import gzip
import sys
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
import zstandard

from stages.configuration.compose import compose
from stages.errors import ConfigurationError, DataContractError
from stages.fetching.bars import bars_to_fetch
from stages.fetching.files import files_of
from stages.fetching.formats import collect, scan
from stages.fetching.inspection import MANY, MOST_TRADED, inspect
from stages.io.partitions import Partition, Writer
from stages.params.quality import DialectParams
from stages.params.source import SourceParams
from stages.quality.gate import check_symbol
from stages.sources.manifest import listing_of
from tests.quality.deliveries import QUALITY
from tests.sources.dialects import source
from tests.sources.vendors import BARS, CALENDAR, SYMBOLS, VENDORS, databento_dbn

SKIPPED = b"\x50\x2a\x4d\x18\x04\x00\x00\x00seek"  # a frame of zstd that holds none of the content
PRESETS = {
    "massive": "massive",
    "databento_csv": "databento_csv",
    "databento_parquet": "databento_parquet",
    "alpaca": "alpaca",
    "yahoo": "yahoo",
}
IN_THE_DOCS = ("kibot", "firstrate", "interactive_brokers")


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a vendor."""
    folder = tmp_path_factory.mktemp("vendors")
    for name, write in VENDORS.items():
        (folder / name).mkdir()
        write(folder / name)
    return folder


def through_the_gate(stated: SourceParams, folder: Path) -> Iterator[tuple[str, Any]]:
    """Every symbol of a source: listed, read and checked, as the stages do it."""
    manifest = listing_of(stated, files_of(stated, SYMBOLS)) | {"symbols": list(SYMBOLS)}
    (folder / "aside").mkdir(exist_ok=True)
    given, fetch = bars_to_fetch(manifest, stated, CALENDAR, Writer(str(folder / "aside"), in_bucket=False))
    dialect = DialectParams(**{name: getattr(stated, name) for name in DialectParams.model_fields})
    for symbol, parts in given.items():
        bars, _ = fetch(symbol, *(part.read() if isinstance(part, Partition) else part for part in parts))
        yield symbol, check_symbol(symbol, bars, dialect, CALENDAR, QUALITY)


def require_the_same_bars(stated: SourceParams, folder: Path) -> None:
    for symbol, checked in through_the_gate(stated, folder):
        assert checked.failure is None
        assert checked.days["verdict"].to_list() == ["pass"] * CALENDAR.height
        assert checked.bars.select(BARS[symbol].columns).equals(BARS[symbol]), symbol


@pytest.mark.parametrize("vendor", PRESETS)
def test_a_ready_preset_reads_its_vendors_files(vendor: str, delivered: Path, tmp_path: Path) -> None:
    stated = compose(overrides=[f"preset={PRESETS[vendor]}"])["source"]
    stated["uri_template"] = f"{delivered / vendor}/" + stated["uri_template"].partition(f"{vendor}/")[2]
    require_the_same_bars(SourceParams(**stated), tmp_path)


@pytest.mark.parametrize("vendor", IN_THE_DOCS)
def test_a_table_of_the_docs_reads_its_vendors_files(vendor: str, delivered: Path, tmp_path: Path) -> None:
    page = Path("docs/SOURCES.md").read_text()
    block = page.partition(f"<!-- {vendor} -->\n```yaml\n")[2].partition("```")[0]
    stated = yaml.safe_load(block)["source"]
    stated["uri_template"] = f"{delivered / vendor}/" + stated["uri_template"].partition(f"{vendor}/")[2]
    require_the_same_bars(source(**stated), tmp_path)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_look_into_a_folder_finds_by_itself_what_reads_it(vendor: str, delivered: Path, tmp_path: Path) -> None:
    seen = inspect(str(delivered / vendor))
    changes = (
        {"zone": "America/New_York"} if vendor in {"kibot", "firstrate", "iqfeed"} else {}
    )  # the rows tell, see new-run
    assert seen.symbols == SYMBOLS
    require_the_same_bars(seen.source.model_copy(update=changes), tmp_path)


@pytest.mark.parametrize(
    ("one_a_day", "packed"), [(True, bytes), (False, bytes), (True, gzip.compress), (False, zstandard.compress)]
)
def test_day_and_month_are_told_by_days_beyond_the_first(
    one_a_day: bool, packed: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """04/11/2024 may be a Thursday in April too; 05/11 may not, since 11 May is a Saturday."""
    ending = {gzip.compress: ".gz", zstandard.compress: ".zst"}.get(packed, "")
    rows = BARS["AAPL"].filter(pl.col("ts").dt.date() >= date(2024, 11, 4)).with_columns(day=pl.col("ts").dt.date())
    for (day,), part in rows.group_by("day") if one_a_day else [(("all",), rows)]:
        table = part.drop("day").with_columns(pl.col("ts").dt.strftime("%d/%m/%Y %H:%M"))
        (tmp_path / f"AAPL_{day}.csv{ending}").write_bytes(packed(table.write_csv().encode()))
    seen = inspect(str(tmp_path))
    assert seen.source.stamp_format == "%d/%m/%Y %H:%M"
    assert seen.sample.height == rows.height


def test_a_last_line_without_an_end_is_read_whole(tmp_path: Path) -> None:
    rows = BARS["AAPL"].head(60).select(pl.exclude("ts"), pl.col("ts").dt.strftime("%m/%d/%Y %I:%M %p"))
    (tmp_path / "AAPL.csv").write_text(rows.write_csv().rstrip("\n"))
    assert inspect(str(tmp_path)).source.stamp_format == "%m/%d/%Y %I:%M %p"


def test_a_large_file_beside_those_of_many_symbols_is_no_symbol(tmp_path: Path) -> None:
    for number in range(MANY + 1):
        BARS["AAPL"].write_csv(tmp_path / f"A{chr(ord('A') + number)}.csv")
    (tmp_path / "notes.zip").write_bytes(bytes(1_000_000))
    assert len(inspect(str(tmp_path)).symbols) == MOST_TRADED


@pytest.mark.parametrize(
    ("folder", "tickers", "template", "symbols"),
    [
        ("US", ("AAPL", "BRK.B"), "US/{yyyy}-{mm}-{dd}.csv", ("AAPL", "BRK.B")),  # a word that looks like a symbol
        ("AAPL", ("AAPL",), "{symbol}/{yyyy}-{mm}-{dd}.csv", ("AAPL",)),
    ],
)
def test_files_of_every_day_are_read_whatever_the_folder_above_them_is_called(
    folder: str, tickers: tuple[str, ...], template: str, symbols: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / folder).mkdir()
    for (day,), rows in BARS["AAPL"].group_by(pl.col("ts").dt.date()):
        table = pl.concat([rows.with_columns(ticker=pl.lit(ticker)) for ticker in tickers])
        table.write_csv(tmp_path / folder / f"{day}.csv")
    (tmp_path / "._AAPL.csv").write_bytes(b"\0")  # as macOS leaves beside files
    seen = inspect(str(tmp_path))
    assert (seen.source.uri_template, seen.symbols) == (f"{tmp_path}/{template}", symbols)
    assert seen.sample.height == BARS["AAPL"].height


def test_a_minute_that_only_another_symbol_traded_in_is_no_row_of_a_symbol_with_columns_of_its_own(
    tmp_path: Path,
) -> None:
    wide = {
        symbol: bars.rename({name: f"{name}_{symbol}" for name in bars.columns if name != "ts"})
        for symbol, bars in BARS.items()
    }
    gap = pl.int_range(pl.len()).is_in([100, 101])
    wide["AAPL"].filter(~gap).join(wide["MSFT"], on="ts", how="full", coalesce=True).write_parquet(
        tmp_path / "bars.parquet"
    )
    days = dict(through_the_gate(inspect(str(tmp_path)).source, tmp_path))["AAPL"].days
    assert (days["n_missing"].sum(), days["n_raw"].sum(), days["PX1"].sum()) == (2, BARS["AAPL"].height - 2, 0)


def test_a_column_without_any_name_that_could_be_a_symbol_is_refused(tmp_path: Path) -> None:
    BARS["AAPL"].with_columns(ticker=pl.lit("aapl")).write_csv(tmp_path / "bars.csv")
    with pytest.raises(DataContractError, match=r"column 'ticker' names aapl, and none is a symbol like AAPL or BRK"):
        inspect(str(tmp_path))


def test_dbn_files_are_read_by_databentos_own_library(tmp_path: Path) -> None:
    """The extra `dbn`; without it the sentence says how to install it."""
    pytest.importorskip("databento", reason="the optional extra dbn is not installed")
    databento_dbn(tmp_path)
    stated = compose(overrides=["preset=databento_dbn"])["source"]
    stated["uri_template"] = f"{tmp_path}/*{{yyyy}}{{mm}}{{dd}}.ohlcv-1m.dbn"
    require_the_same_bars(SourceParams(**stated), tmp_path)
    require_the_same_bars(inspect(str(tmp_path)).source, tmp_path)


def test_a_damaged_dbn_file_is_one_sentence_and_none_that_is_cut_off_is_read(tmp_path: Path) -> None:
    """At every place of the last records, among them their boundaries, and within the packed file."""
    pytest.importorskip("databento", reason="the optional extra dbn is not installed")
    databento_dbn(tmp_path)
    content = min(tmp_path.iterdir()).read_bytes()
    packed = b"".join((zstandard.compress(content[:5_000]), SKIPPED, zstandard.compress(content[5_000:])))
    whole = [collect("x.dbn.zst", partial(scan, "x.dbn.zst", one, source())).height for one in (content, packed)]
    assert whole[0] == whole[1] > 0
    cut = [content[:-size] for size in (1, 8, 55)] + [packed[: int(len(packed) * share)] for share in (0.3, 0.6, 0.9)]
    for damaged in (*cut, b"no DBN at all", content[:20] + bytes([255]) * 20 + content[40:]):
        with pytest.raises(DataContractError, match=r"^x\.dbn\.zst is not readable as DBN \(.+\): get it again from"):
            collect("x.dbn.zst", partial(scan, "x.dbn.zst", damaged, source()))


def test_without_that_library_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "databento", None)  # as Python knows a module that is not installed
    with pytest.raises(ConfigurationError, match=r"`uv pip install -c requirements.txt databento==0\.87\.0`"):
        scan("x.dbn.zst", b"DBN", source())


def test_rows_of_a_renamed_symbol_are_those_under_its_name_of_the_day(delivered: Path, tmp_path: Path) -> None:
    """AAPL goes by MSFT until 4 November, as META by FB until 2022-06-09; what is called AAPL before is another's."""
    stated = inspect(str(delivered / "alpaca")).source
    renamed = SourceParams(**stated.model_dump() | {"renames": {"AAPL": {"MSFT": "2024-11-04"}}})
    checked = dict(through_the_gate(renamed, tmp_path))["AAPL"]
    before = pl.col("ts").dt.date() < pl.date(2024, 11, 4)
    expected = pl.concat([BARS["MSFT"].filter(before), BARS["AAPL"].filter(~before)])
    assert checked.bars.select(expected.columns).equals(expected)


def test_one_file_a_symbol_follows_a_rename_through_its_files(tmp_path: Path) -> None:
    half = pl.col("ts").dt.date() < pl.date(2024, 11, 4)
    BARS["MSFT"].filter(half).write_parquet(tmp_path / "FB.parquet")
    BARS["AAPL"].write_parquet(tmp_path / "META.parquet")
    stated = source(uri_template=f"{tmp_path}/{{symbol}}.parquet", renames={"META": {"FB": "2024-11-04"}})
    files = files_of(stated, ["META"])
    assert [(file["symbol"], file.get("ticker")) for file in files] == [("META", None), ("META", "FB")]
    manifest = listing_of(stated, files) | {"symbols": ["META"]}
    given, fetch = bars_to_fetch(manifest, stated, CALENDAR, Writer(str(tmp_path), in_bucket=False))
    bars, _ = fetch("META", *given["META"])
    dialect = DialectParams(**{name: getattr(stated, name) for name in DialectParams.model_fields})
    checked = check_symbol("META", bars, dialect, CALENDAR, QUALITY)
    expected = pl.concat([BARS["MSFT"].filter(half), BARS["AAPL"].filter(~half)])
    assert checked.bars.select(expected.columns).equals(expected)
