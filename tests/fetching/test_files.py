"""Local files: found by template, read as listed, refused in one sentence."""

import hashlib
import threading
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from stages.engine import engine
from stages.errors import ConfigurationError, DataContractError
from stages.fetching.bars import fetch_bars, joined, read_frames
from stages.fetching.files import find_files, read_files
from tests.sources.dialects import source

TEMPLATE = "bars/{symbol}/{symbol}_{yyyy}-{mm}.parquet"
MARCH = pl.DataFrame({"t": [1, 2], "c": [10.0, 11.0]})
APRIL = pl.DataFrame({"t": [3, 4], "c": [12.0, 13.0]})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A main repository with two months of one symbol, and an experiment that runs elsewhere."""
    main, elsewhere = tmp_path / "main", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (main / "bars/AAPL").mkdir(parents=True)
    MARCH.write_parquet(main / "bars/AAPL/AAPL_2024-03.parquet")
    APRIL.write_parquet(main / "bars/AAPL/AAPL_2024-04.parquet")
    monkeypatch.setenv("DVC_ROOT", str(main))
    monkeypatch.chdir(elsewhere)
    return main


def fetched() -> pl.DataFrame:
    return fetch_bars("AAPL", find_files(TEMPLATE, "AAPL"), source(uri_template=TEMPLATE), pl.DataFrame())[0]


@pytest.mark.parametrize("choice", ["loop", pytest.param("local:1", marks=pytest.mark.journey)])  # a pool is started
def test_whatever_happens_to_a_file_names_its_symbol_and_month(home: Path, choice: str, monkeypatch) -> None:
    """A problem in its sentence, a bug in a note; also from the process that met it."""
    monkeypatch.setenv("ENGINE", choice)
    files, fetch = (
        find_files(TEMPLATE, "AAPL"),
        partial(fetch_bars, source=source(uri_template=TEMPLATE), calendar=pl.DataFrame()),
    )
    (home / "bars/AAPL/AAPL_2024-04.parquet").unlink()
    with pytest.raises(
        DataContractError, match=r"^AAPL 2024-04: bars/AAPL/AAPL_2024-04.parquet is listed but does not"
    ):
        engine.run(fetch, {"AAPL": files}, "reading")
    del files[1]["size"]
    APRIL.write_parquet(home / "bars/AAPL/AAPL_2024-04.parquet")
    with pytest.raises(KeyError) as caught:
        engine.run(fetch, {"AAPL": files}, "reading")
    assert "This happened while working on AAPL 2024-04." in caught.value.__notes__


def test_a_listing_tells_uri_month_size_and_md5_and_no_path_of_this_machine(home: Path) -> None:
    path = home / "bars/AAPL/AAPL_2024-03.parquet"

    assert find_files(TEMPLATE, "AAPL")[0] == {
        "uri": "bars/AAPL/AAPL_2024-03.parquet",
        "symbol": "AAPL",
        "month": "2024-03",
        "size": path.stat().st_size,
        "md5": hashlib.md5(path.read_bytes()).hexdigest(),
    }


def test_relative_paths_start_at_the_main_repository_wherever_the_experiment_runs(home: Path) -> None:
    assert fetched().equals(pl.concat([MARCH, APRIL]))
    assert Path.cwd() != home


def test_a_file_url_and_an_absolute_path_are_read_alike(home: Path) -> None:
    for prefix in (str(home), f"file://{home}"):
        template = f"{prefix}/{TEMPLATE}"
        found = find_files(template, "AAPL")

        assert [file["uri"] for file in found] == [f"{prefix}/bars/AAPL/AAPL_2024-0{m}.parquet" for m in (3, 4)]
        assert fetch_bars("AAPL", found, source(uri_template=template), pl.DataFrame())[0].equals(
            pl.concat([MARCH, APRIL])
        )


def test_a_file_in_the_memory_of_any_fsspec_protocol_is_read_too(home: Path) -> None:
    import fsspec

    with fsspec.open("memory://bars/AAPL_2024-03.parquet", "wb") as remote:
        MARCH.write_parquet(remote)
    template = "memory://bars/{symbol}_{yyyy}-{mm}.parquet"

    assert [file["month"] for file in find_files(template, "AAPL")] == ["2024-03"]


def test_files_of_other_names_are_not_found(home: Path) -> None:
    (home / "bars/AAPL/AAPL_2024-05.parquet.bak").write_bytes(b"x")
    (home / "bars/AAPL/AAPL_latest.parquet").write_bytes(b"x")

    assert [file["month"] for file in find_files(TEMPLATE, "AAPL")] == ["2024-03", "2024-04"]
    assert find_files(TEMPLATE, "MSFT") == []


def test_a_file_that_was_revised_after_the_listing_is_refused(home: Path) -> None:
    listed = find_files(TEMPLATE, "AAPL")
    APRIL.write_parquet(home / "bars/AAPL/AAPL_2024-03.parquet")

    with pytest.raises(DataContractError, match=r"AAPL_2024-03\.parquet is not the listed file.*make refresh"):
        read_files(listed)


def test_a_file_that_is_gone_and_an_empty_one_are_named(home: Path) -> None:
    listed = find_files(TEMPLATE, "AAPL")
    (home / "bars/AAPL/AAPL_2024-04.parquet").write_bytes(b"")
    with pytest.raises(DataContractError, match=r"AAPL_2024-04\.parquet is empty"):
        read_files(listed)
    (home / "bars/AAPL/AAPL_2024-04.parquet").unlink()
    with pytest.raises(DataContractError, match=r"AAPL_2024-04\.parquet is listed but does not exist"):
        read_files(listed)


def test_a_reader_that_stops_half_way_leaves_no_threads_running(home: Path) -> None:
    """Who cleans up after it may be a thread that is being started, and two that wait for each other wait for ever."""
    before = threading.active_count()
    frames = read_frames(find_files(TEMPLATE, "AAPL"), source(uri_template=TEMPLATE))
    next(frames)

    assert threading.active_count() == before
    assert len(list(frames)) == 1


def test_a_truncated_parquet_file_is_named(home: Path) -> None:
    path = home / "bars/AAPL/AAPL_2024-03.parquet"
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(DataContractError, match=r"AAPL_2024-03\.parquet is not readable as parquet"):
        fetched()


@pytest.mark.parametrize(
    ("march", "april", "told"),
    [
        (MARCH, APRIL.drop("c"), r"^AAPL: \S*2024-04\.parquet lacks the columns \['c'\], which \S*2024-03\.parquet"),
        (MARCH.drop("c"), APRIL, r"^AAPL: \S*2024-03\.parquet lacks the columns \['c'\], which \S*2024-04\.parquet"),
        (
            MARCH.with_columns(pl.col("t").cast(pl.Datetime("us", "UTC"))),
            APRIL.with_columns(pl.col("t").cast(pl.Datetime("us"))),
            r"column 't' holds Datetime\(.*UTC.*\) in \S*2024-03\.parquet and Datetime\(.*\) in \S*2024-04\.parquet",
        ),
        (
            MARCH,
            APRIL.rename({"c": "x"}),
            r"2024-03\.parquet has the columns \['c'\] where \S*2024-04\.parquet has \['x'\]",
        ),
    ],
)
def test_the_month_that_lacks_a_column_is_named_whichever_it_is(
    home: Path, march: pl.DataFrame, april: pl.DataFrame, told: str
) -> None:
    march.write_parquet(home / "bars/AAPL/AAPL_2024-03.parquet")
    april.write_parquet(home / "bars/AAPL/AAPL_2024-04.parquet")

    with pytest.raises(DataContractError, match=told):
        fetched()


def test_months_with_their_columns_in_another_order_are_joined(home: Path) -> None:
    APRIL.select(reversed(APRIL.columns)).write_parquet(home / "bars/AAPL/AAPL_2024-04.parquet")

    assert fetched().equals(pl.concat([MARCH, APRIL]))


def test_months_of_other_number_types_are_joined_without_loss(home: Path) -> None:
    APRIL.with_columns(pl.col("c").cast(pl.Int64)).write_parquet(home / "bars/AAPL/AAPL_2024-04.parquet")

    assert fetched().equals(pl.concat([MARCH, APRIL]))


@pytest.mark.parametrize("single", [0, 1])
def test_a_price_is_the_printed_one_whichever_month_holds_floats_of_32_bits(home: Path, single: int) -> None:
    prices = [frame.with_columns(c=pl.lit(187.43)) for frame in (MARCH, APRIL)]
    delivered = [
        frame.with_columns(pl.col("c").cast(pl.Float32)) if number == single else frame
        for number, frame in enumerate(prices)
    ]
    for month, frame in zip(("03", "04"), delivered, strict=True):
        frame.write_parquet(home / f"bars/AAPL/AAPL_2024-{month}.parquet")

    assert fetched().equals(pl.concat(prices))
    assert joined("AAPL", delivered[0], delivered[1].select(reversed(APRIL.columns)))[0].equals(pl.concat(prices))


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"carrier-pigeon.*source\.uri_template"):
        find_files("carrier-pigeon://loft/{symbol}.parquet", "AAPL")
