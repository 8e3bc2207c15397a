"""What names of files, columns and stamps tell, and what they do not."""

from datetime import UTC, date, datetime, time

import polars as pl
import pytest

from stages.errors import DataContractError
from stages.params.source import ONE_HEADER, CsvParams
from stages.sources.columns import columns_of, price_scale_of, unit_of
from stages.sources.csv_form import csv_of, stamp_format_of
from stages.sources.layout import layout_of


@pytest.mark.parametrize(
    ("paths", "template", "symbols"),
    [
        (
            ["AAPL/2024/AAPL_2024-03.parquet", "AAPL/2024/AAPL_2024-04.parquet", "MSFT/2024/MSFT_2024-03.parquet"],
            "{symbol}/{yyyy}/{symbol}_{yyyy}-{mm}.parquet",
            ("AAPL", "MSFT"),
        ),
        (["A_202411.parquet"], "{symbol}_{yyyy}{mm}.parquet", ("A",)),
        (["2024/11/2024-11-04.csv.gz", "2024/11/2024-11-05.csv.gz"], "{yyyy}/{mm}/{yyyy}-{mm}-{dd}.csv.gz", ()),
        (["BRK.B_2023.csv", "A_2023.csv", "A_2024.csv", "readme.txt"], "{symbol}_{yyyy}.csv", ("A", "BRK.B")),
        (["aapl.csv", "brk.b.csv", "msft.csv"], "{symbol_lower}.csv", ("AAPL", "BRK.B", "MSFT")),
        (["bars.parquet"], "bars.parquet", ()),
        (["[x] {y}/AAPL.csv", "[x] {y}/IBM.csv"], "[x] {{y}}/{symbol}.csv", ("AAPL", "IBM")),
        (
            ["year=2024/month=3/symbol=IBM/0.parquet", "year=2024/month=11/symbol=AAPL/7f.parquet"],
            "year={yyyy}/month={m}/symbol={symbol}/*.parquet",
            ("AAPL", "IBM"),
        ),
        (["BRK.B.csv"], "{symbol}.csv", ("BRK.B",)),
        (["BF-B_2024-01.csv", "BF-B_2024-02.csv"], "{symbol}_{yyyy}-{mm}.csv", ("BF-B",)),
        (
            ["A_2023-01-03_2024-12-31.csv", "IBM_2023-01-03_2024-12-31.csv"],
            "{symbol}_2023-01-03_2024-12-31.csv",
            ("A", "IBM"),
        ),
        (
            ["A/2024/A_20231229.csv", "A/2024/A_20240102.csv", "IBM/2024/IBM_20240102.csv"],
            "{symbol}/*/{symbol}_*.csv",
            ("A", "IBM"),
        ),
        (["AAPL.1min.csv", "BRK.1min.csv"], "{symbol}.1min.csv", ("AAPL", "BRK")),
        (["A-2024-01.csv", "BRK.B-2024-01.csv", "IBM-2024-01.csv"], "{symbol}-{yyyy}-{mm}.csv", ("A", "BRK.B", "IBM")),
        (["NASDAQ_AAPL, 1.csv", "NASDAQ_MSFT, 1.csv"], "NASDAQ_{symbol}, 1.csv", ("AAPL", "MSFT")),  # TradingView
        (["BF-B.1min.txt"], "{symbol}.1min.txt", ("BF-B",)),
        (["month=03/day=04/x.csv", "month=11/day=12/x.csv"], "month={mm}/day={dd}/x.csv", ()),
        (
            ["xnas-itch-20240102.ohlcv-1m.AAPL.csv", "xnas-itch-20240102.ohlcv-1m.IBM.csv"],
            "xnas-itch-{yyyy}{mm}{dd}.ohlcv-1m.{symbol}.csv",
            ("AAPL", "IBM"),
        ),
        (["XNAS/AAPL.csv", "XNAS/MSFT.csv", "XNYS/IBM.csv"], "*/{symbol}.csv", ("AAPL", "IBM", "MSFT")),
        (["XNAS/A/AAPL.csv", "XNAS/A/AMD.csv", "XNYS/I/IBM.csv"], "*/*/{symbol}.csv", ("AAPL", "AMD", "IBM")),
        (["AAPL_NMS.csv", "IBM_NYQ.csv", "MSFT_NMS.csv"], "{symbol}_*.csv", ("AAPL", "IBM", "MSFT")),
        (["AAPL/JAN.csv", "AAPL/FEB.csv", "IBM/JAN.csv", "IBM/FEB.csv"], "{symbol}/*.csv", ("AAPL", "IBM")),
        (["a/aapl.us.txt", "a/amd.us.txt", "b/brk-b.us.txt"], "*/{symbol_lower}.us.txt", ("AAPL", "AMD", "BRK-B")),
        (["aapl/AAPL_1.csv", "ibm/IBM_1.csv"], "{symbol_lower}/{symbol}_1.csv", ("AAPL", "IBM")),
        (["ex=Q/symbol=AAPL/0.csv", "ex=N/symbol=IBM/0.csv"], "ex=*/symbol={symbol}/0.csv", ("AAPL", "IBM")),
        (["bf-b.us.txt", "brk.b.us.txt", "on.us.txt"], "{symbol_lower}.us.txt", ("BF-B", "BRK.B", "ON")),
        (["AAPL_1min.csv", "IBM-1min.csv"], "{symbol}_1min.csv", ("AAPL",)),
    ],
)
def test_names_of_files_tell_where_dates_and_symbols_stand(
    paths: list[str], template: str, symbols: tuple[str, ...]
) -> None:
    found = layout_of(paths)
    assert (found.template, found.symbols) == (template, symbols)


def test_a_symbol_that_is_stated_is_looked_for_alone() -> None:
    assert layout_of(["ETF/SPY_x.csv", "ETF/QQQ_x.csv"], ["SPY", "QQQ"]).template == "ETF/{symbol}_x.csv"
    assert layout_of(["AAPL.O.csv", "MSFT.O.csv"], ["AAPL", "MSFT"]).template == "{symbol}.O.csv"


@pytest.mark.parametrize("paths", [["XNAS/AAPL.csv", "XNYS/IBM.csv"], ["A/AAPL.csv", "I/IBM.csv"]])
def test_of_two_names_that_always_stand_together_neither_is_taken_for_the_symbol(paths: list[str]) -> None:
    with pytest.raises(DataContractError, match="always paired with the same, AAPL, IBM: name the symbols in SYMBOLS="):
        layout_of(paths)
    assert layout_of(paths, ["AAPL", "IBM"]).template == "*/{symbol}.csv"


def test_files_of_another_form_are_counted() -> None:
    assert layout_of(["A.csv", "B.csv", "notes.txt"]).description == "2 of 3 files, one a symbol (A, B)"
    assert layout_of(["A.csv", "B.csv"]).description == "2 files, one a symbol (A, B)"


def test_a_folder_without_bars_says_which_endings_are_looked_for() -> None:
    with pytest.raises(DataContractError, match=r"none of 2 files ends in \.parquet"):
        layout_of(["a.zip", "b.pdf"])


BARS = pl.DataFrame(
    {
        "when": [f"2024-01-02 09:{minute}" for minute in range(30, 42)],
        "open": [10.0, 10.4, 10.1, 10.6] * 3,
        "high": [10.5, 10.6, 10.7, 10.8] * 3,
        "low": [9.9, 10.0, 10.0, 9.9] * 3,
        "close": [10.4, 10.1, 10.6, 10.0] * 3,
        "volume": [900.0, 800.0, 700.0, 600.0] * 3,
    }
)


def test_columns_of_strange_names_are_told_by_their_values() -> None:
    """p2 is always highest, p4 lowest; p1 begins where p3 of the minute before ended: 10.4, 10.1, 10.6."""
    strange = BARS.rename({"when": "t", "open": "p1", "high": "p2", "close": "p3", "low": "p4", "volume": "p5"}).select(
        "t", "p3", "p1", "p4", "p2", "p5"
    )
    found = columns_of(strange)
    assert found.aliases == {"t": "ts", "p1": "open", "p2": "high", "p4": "low", "p3": "close", "p5": "volume"}
    assert "high is highest and low lowest in 100.0% of 12 rows" in found.evidence


@pytest.mark.parametrize(
    ("names", "others"),
    [
        ({"high": "hi", "low": "lo"}, {}),
        ({"open": "p1", "high": "p2", "low": "p3", "close": "p4"}, {"trades": 7.0}),
        ({"open": "p1", "high": "p2", "low": "p3", "close": "p4", "volume": "shares"}, {"trades": 7.0, "mean": 10.2}),
    ],
)
def test_what_is_named_stays_and_counts_of_trades_and_averages_are_no_volume(
    names: dict[str, str], others: dict[str, float]
) -> None:
    more = [pl.lit(value).alias(name) for name, value in others.items()]
    rows = BARS.rename({"when": "ts"} | names).select(
        "ts", pl.exclude("ts", "volume", "shares"), *more, "^vol.*|shares$"
    )
    assert columns_of(rows).aliases == {vendors: ours for ours, vendors in names.items()}


@pytest.mark.parametrize("rows", [BARS.sample(fraction=1, shuffle=True, seed=1), BARS.head(9)])
def test_rows_in_no_order_or_too_few_do_not_tell_the_open_from_the_close(rows: pl.DataFrame) -> None:
    strange = rows.rename({"open": "p1", "high": "p2", "low": "p3", "close": "p4", "volume": "p5"})
    with pytest.raises(DataContractError, match=r'p1 and p4 is the open.*"COLUMN=open p2=high p3=low COLUMN=close p5='):
        columns_of(strange)


@pytest.mark.parametrize(
    ("day", "clock", "found"),
    [
        ("2024-01-02", "09:30", {"date", "time"}),
        ("2024-01-02", time(9, 30), {"date", "time"}),
        (date(2024, 1, 2), time(9, 30), {"date", "time"}),
        (date(2024, 1, 2), datetime(2024, 1, 2, 9, 30, tzinfo=UTC), {"ts"}),
        ("2024-01-02", "2024-01-02 09:30", {"ts"}),
    ],
)
def test_a_day_and_a_time_of_day_are_one_stamp_and_an_instant_needs_no_day(
    day: object, clock: object, found: set[str]
) -> None:
    rows = BARS.drop("when").with_columns(date=pl.lit(day), time=pl.lit(clock))
    prices = {"open", "high", "low", "close", "volume"}
    assert {columns_of(rows).aliases.get(name, name) for name in rows.columns} - prices - {"date"} == found - {"date"}


@pytest.mark.parametrize("number", [0, "0", 4680])
@pytest.mark.parametrize("name", ["__index_level_0__", "index", "time"])
def test_the_number_of_a_row_is_no_stamp(name: str, number: object) -> None:
    """As of an index that was saved with the rows; the stamps stand in a column of an unknown name."""
    assert columns_of(BARS.with_columns(pl.lit(number).alias(name))).aliases == {"when": "ts"}


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("scales", [(1, 3), (1, 3, 0.5, 2)])
def test_a_minute_opens_near_the_last_close_of_its_own_symbol_whatever_the_order_of_rows(
    scales: tuple[float, ...], newest_first: bool
) -> None:
    together = pl.concat(
        BARS.with_columns(pl.col("open", "high", "low", "close") * scale, symbol=pl.lit(f"S{number}"))
        for number, scale in enumerate(scales)
    ).sort("when", "symbol", descending=[newest_first, False])
    names = {"when": "t", "open": "p1", "high": "p2", "low": "p3", "close": "p4", "volume": "p5"}
    aliases = columns_of(together.rename(names)).aliases
    assert (aliases["p1"], aliases["p4"]) == ("open", "close")


@pytest.mark.parametrize("price", [187.43, 187.434])
def test_a_high_of_other_precision_than_the_open_is_no_contradiction(price: float) -> None:
    """A vendor's open in 32 bits, or with more decimals than its high."""
    one = pl.lit(price, pl.Float32)
    rows = BARS.rename({"when": "ts"}).with_columns(open=one, close=one, high=pl.lit(187.43), low=pl.lit(187.43))
    assert "in 100.0% of 12 rows" in columns_of(rows).evidence


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (pl.concat_list("open"), "column 'open' holds List\\(Float64\\), not numbers: convert it at the source"),
        (pl.col("open").cast(pl.String).cast(pl.Categorical), "column 'open' holds Categorical, not numbers"),
        (pl.lit(None), "only 0% of rows"),
    ],
)
def test_a_price_that_is_no_number_stops(values: pl.Expr, complaint: str) -> None:
    with pytest.raises(DataContractError, match=complaint):
        columns_of(BARS.with_columns(open=values))


def test_values_that_contradict_the_names_stop() -> None:
    swapped = BARS.rename({"high": "low", "low": "high", "when": "ts"})
    with pytest.raises(DataContractError, match=r"in only 0% of rows.*ALIASES="):
        columns_of(swapped)


@pytest.mark.parametrize("order", [["p0", "p1", "p2", "p3", "p4"], ["p1", "p2", "p3", "p4", "p5", "p0"]])
def test_a_volume_before_the_prices_is_no_high_and_one_behind_smaller_numbers_is_asked_for(order: list[str]) -> None:
    """The smaller numbers count trades."""
    strange = BARS.rename({"open": "p1", "high": "p2", "low": "p3", "close": "p4", "volume": "p0"})
    with pytest.raises(DataContractError, match=r"are the prices and the volume\? Name them"):
        columns_of(strange.with_columns(p5=pl.col("p0") // 30).select("when", *order))


@pytest.mark.parametrize("place", range(6))
def test_an_average_among_the_prices_is_neither_open_nor_close(place: int) -> None:
    names = ["p1", "p2", "p3", "p4", "p5"]
    strange = BARS.rename(dict(zip(BARS.columns[1:], names, strict=True))).with_columns(
        p6=(pl.col("p1") + pl.col("p4")) / 2
    )
    found = columns_of(strange.select("when", *names[:place], "p6", *names[place:])).aliases
    assert {name: found[name] for name in ("p1", "p4", "p5")} == {"p1": "open", "p4": "close", "p5": "volume"}


def test_a_turnover_is_no_volume() -> None:
    strange = BARS.rename({"open": "p1", "high": "p2", "low": "p3", "close": "p4", "volume": "p5"})
    assert columns_of(strange.with_columns(p6=pl.col("p5") * pl.col("p4"))).aliases["p5"] == "volume"


def test_columns_that_make_no_bars_are_asked_for() -> None:
    with pytest.raises(DataContractError, match=r'Name them: ALIASES="COLUMN=open'):
        columns_of(pl.DataFrame({"t": [1704205800, 1704205860], "a": [1.0, 2.0], "b": [3.0, 1.0]}))


@pytest.mark.parametrize("form", ["Open_AAPL", "AAPL Open", "('Open', 'AAPL')"])
def test_columns_named_for_symbols_are_one_alias_each(form: str) -> None:
    fields = ("open", "high", "low", "close", "volume")
    names = {one: form.replace("Open", one.title()) for one in fields}
    wide = BARS.rename({"when": "Datetime"} | names)
    other = BARS.select(pl.col(one).alias(name.replace("AAPL", "IBM")) for one, name in names.items())
    found = columns_of(pl.concat([wide, other], how="horizontal"))
    assert found.symbols == ("AAPL", "IBM")
    assert found.aliases[form.replace("AAPL", "{symbol}")] == "open"
    assert found.aliases["Datetime"] == "ts"


@pytest.mark.parametrize(
    ("stamp", "unit"), [(1704205800, "s"), (1704205800000, "ms"), (1704205800000000, "us"), (1704205800 * 10**9, "ns")]
)
def test_a_unit_is_the_one_that_leads_to_our_time(stamp: int, unit: str) -> None:
    found, why = unit_of(stamp)
    assert found == unit
    assert "2024-01-02 14:30:00 UTC" in why


def test_a_number_that_is_no_time_is_refused() -> None:
    with pytest.raises(DataContractError, match="not a time since 1970"):
        unit_of(93000)


@pytest.mark.parametrize(
    ("prices", "scale"),
    [([187.43, 187.5], 1.0), ([187, 188], 1.0), ([18743, 18750], 0.01), ([1874300, 1875000], 1e-4),
     ([304200, 304350, 304315], 1e-4), ([187430000000, 187500000000], 1e-9)],
)  # fmt: skip
def test_whole_prices_too_large_for_dollars_are_smaller_units(prices: list[float], scale: float) -> None:
    assert price_scale_of(pl.Series(prices))[0] == scale


@pytest.mark.parametrize(
    ("stamps", "form", "zone"),
    [
        (["01/31/2024 09:30", "02/01/2024 09:31"], "%m/%d/%Y %H:%M", None),
        (["31/01/2024 09:30", "01/02/2024 09:31"], "%d/%m/%Y %H:%M", None),
        (["20240102  09:30:00", "20240102  09:31:00"], "%Y%m%d %H:%M:%S", None),
        (["20240102 09:30:00 US/Eastern"], "%Y%m%d %H:%M:%S US/Eastern", "America/New_York"),
        (["01/02/2024 9:30 AM", "01/03/2024 1:30 PM"], "%m/%d/%Y %I:%M %p", None),
        (["1/18/24 9:30", "1/19/24 15:59"], "%m/%d/%y %H:%M", None),  # as a spreadsheet writes it
        (["31.01.2024 14:30:00.000", "01.02.2024 14:31:00.000"], "%d.%m.%Y %H:%M:%S%.f", None),
        (["04/05/2024 09:30", "04/08/2024 09:30"], "%m/%d/%Y %H:%M", None),  # Friday, Monday; not 5 May and 4 August
    ],
)
def test_the_form_of_a_stamp_is_the_one_that_all_fit_and_that_leads_to_trading_days(
    stamps: list[str], form: str, zone: str | None
) -> None:
    found, named = stamp_format_of(pl.Series(stamps))
    assert named == zone
    assert found == form or pl.Series(stamps).str.to_datetime(found).equals(pl.Series(stamps).str.to_datetime(form))


def test_stamps_of_two_forms_are_reported_with_one_of_each() -> None:
    with pytest.raises(
        DataContractError, match=r"'2024/01/02' and '01/0[23]/2024.* have different, unknown formats: write"
    ):
        stamp_format_of(pl.Series(["01/02/2024 09:30", "01/03/2024 09:30", "2024/01/02"]))


@pytest.mark.parametrize(("day", "clock"), [(20240131, 930), ("2024-01-31", 93000), (20240131, "09:30")])
def test_whole_numbers_for_a_day_or_a_time_are_reported_as_that(day: int | str, clock: int | str) -> None:
    """Where a file declares them, as parquet does: one of the two was taken for the whole stamp."""
    rows = pl.DataFrame({"date": [day] * 2, "time": [clock] * 2}).with_columns(
        open=1.0, high=2.0, low=1.0, close=2.0, volume=1
    )
    with pytest.raises(DataContractError, match=r"^columns 'date' and 'time' hold .*: write days and times as text at"):
        columns_of(rows)
    beside = columns_of(rows.with_columns(datetime=pl.lit("2024-01-31 09:30")))
    assert beside.aliases == {"datetime": "ts"}


def test_a_number_that_is_no_stamp_is_reported_as_that() -> None:
    with pytest.raises(
        DataContractError, match=r"'1704205800.0' is neither a whole number since 1970.*convert the stamps"
    ):
        stamp_format_of(pl.Series(["1704205800.0", "1704205860.0"]))


def test_lines_of_a_csv_tell_names_and_separator() -> None:
    lines = ["2024-01-02 09:30,10,11,9,10.5,100", "2024-01-02 09:31,10.5,11,9,10,200"]
    assert csv_of(["ts,open,high,low,close,volume", *lines])[0] == ONE_HEADER
    layout, rows = csv_of([line.replace(",", ";") for line in lines])
    assert layout == CsvParams(
        header_lines=0, columns=("ts", "column_2", "column_3", "column_4", "column_5", "column_6"), separator=";"
    )
    assert rows.height == 2
    assert csv_of(["Price,Close", "Ticker,A", "Datetime,", *lines])[0].header_lines == 3
    layout, rows = csv_of(["# bars of A", "ts,open,high,low,close,volume", *lines])
    assert (layout.header_lines, rows.columns[0]) == (2, "ts")


@pytest.mark.parametrize(("day", "clock"), [("20240102", "0930"), ("20240102", "093000"), ("01/02/2024", "09:30")])
def test_a_day_and_a_time_of_day_without_names_are_told_by_their_form(day: str, clock: str) -> None:
    layout, rows = csv_of([f"AAPL,{day},{clock},10,11,9,10.5,20240102,1530"])
    assert layout.columns == ("symbol", "date", "time", *(f"column_{at}" for at in range(4, 10)))
    assert rows.width == len(layout.columns)


def test_a_text_that_is_no_table_of_bars_is_refused() -> None:
    with pytest.raises(DataContractError, match="not a table of bars"):
        csv_of(["Dear customer,", "your download has expired."])
