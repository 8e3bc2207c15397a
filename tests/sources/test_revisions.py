"""What a vendor changed is told by file, by day, by bar and by size."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from stages.sources.revisions import Revision, Vendor, change_of_form, changes, of_period, revision

VENDOR = Vendor("t", "c", None)
FIRST = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def bars(days: int = 3) -> pl.DataFrame:
    """Ten bars a day at 100."""
    day, minute = pl.col("i") // 10, pl.col("i") % 10
    return pl.DataFrame({"i": range(10 * days)}).select(
        t=pl.lit(FIRST).dt.offset_by(pl.format("{}d{}m", day, minute)), c=pl.lit(100.0), v=pl.lit(5.0)
    )


def file(uri: str, md5: str | None = "a", generation: str | None = None) -> dict[str, object]:
    return {"uri": uri, "size": 1, "md5": md5} | ({"generation": generation} if generation else {})


def test_files_are_new_revised_or_gone() -> None:
    found = changes([file("same"), file("changed"), file("gone")], [file("same"), file("changed", "b"), file("new")])

    assert ([f["uri"] for f in found.new], [f["uri"] for f in found.revised], [f["uri"] for f in found.gone]) == (
        ["new"],
        ["changed"],
        ["gone"],
    )


def test_an_object_written_again_with_the_same_content_is_not_revised() -> None:
    assert changes([file("x", generation="1")], [file("x", generation="2")]).revised == []
    assert len(changes([file("x", None, "1")], [file("x", None, "2")]).revised) == 1


def test_another_form_is_reported_column_by_column_before_rows_are_compared() -> None:
    before = bars()
    after = before.with_columns(pl.col("t").dt.replace_time_zone(None), pl.col("v").cast(pl.Int64), n=1).drop("c")

    assert change_of_form(before, before, VENDOR) is None
    assert change_of_form(before, after, VENDOR) == (
        "t was Datetime(time_unit='us', time_zone='UTC') and is Datetime(time_unit='us', time_zone=None); "
        "c was Float64 and is absent; n was absent and is Int32"
    )


def test_the_zone_and_unit_of_an_instant_and_the_bits_of_a_price_are_no_change() -> None:
    before = bars().with_columns(c=187.43)
    after = before.cast({"t": pl.Datetime("ns", "UTC"), "c": pl.Float32})
    after = after.with_columns(pl.col("t").dt.convert_time_zone("America/New_York"))
    assert change_of_form(before, after, VENDOR) is None
    assert revision(before, after, VENDOR) == Revision((), 0, 0, 0, 0.0)


def test_equal_deliveries_differ_in_nothing() -> None:
    assert revision(bars(), bars(), VENDOR) == Revision((), 0, 0, 0, 0.0)


def test_changed_added_and_removed_bars_are_counted_on_their_days() -> None:
    second, third = pl.int_range(pl.len()) == 15, pl.int_range(pl.len()) == 25
    after = bars().with_columns(pl.when(second).then(101.0).otherwise("c").alias("c")).filter(~third)
    extra = bars().head(1).with_columns(pl.col("t").dt.offset_by("1h"))
    found = revision(bars(), pl.concat([after, extra]).sort("t"), VENDOR)

    assert (found.changed, found.added, found.removed) == (1, 1, 1)
    assert found.sessions == ("2024-03-04", "2024-03-05", "2024-03-06")
    assert found.largest_bp == pytest.approx(99.50, abs=0.01)  # 1e4 ln(101 / 100)


def test_a_change_of_volume_alone_is_a_change_of_zero_bp() -> None:
    found = revision(bars(), bars().with_columns(v=pl.lit(6.0)), VENDOR)

    assert (found.changed, found.largest_bp) == (30, 0.0)


@pytest.mark.parametrize("column", ["symbol", "sym"])
def test_of_a_renamed_symbol_the_rows_under_its_name_on_their_day_are_compared(column: str) -> None:
    """META was FB before 6 March, when another company was META: ten bars of FB moved a hundredth, all of the other."""
    renamed = Vendor("t", "c", None, symbol="META", ticker="sym", renames={"META": {"FB": date(2024, 3, 6)}})
    day, closed = pl.col("t").dt.date(), pl.col("c")
    name = pl.when(day < date(2024, 3, 6)).then(pl.lit("FB")).otherwise(pl.lit("META"))
    own, other = bars().with_columns(name.alias(column)), bars().with_columns(pl.lit("META").alias(column)).head(20)
    moved = own.with_columns(pl.when(day == date(2024, 3, 5)).then(closed * 1.01).otherwise(closed).alias("c"))
    before, after = pl.concat([other, own]), pl.concat([other.with_columns(closed * 2), moved])
    found = revision(before, after, renamed)

    assert (found.changed, found.added, found.removed, found.sessions) == (10, 0, 0, ("2024-03-05",))
    assert found.largest_bp == pytest.approx(99.50, abs=0.01)


def test_a_file_that_lost_its_tail_is_told_by_the_bars_it_lost() -> None:
    found = revision(bars(days=3), bars(days=2), VENDOR)

    assert (found.removed, found.sessions) == (10, ("2024-03-06",))


def test_the_rows_of_a_month_are_those_of_its_dates_in_new_york() -> None:
    """The last evening of March is April already in UTC."""
    stamps = [
        datetime(2024, 3, 28, 20, tzinfo=UTC),
        datetime(2024, 4, 1, 1, tzinfo=UTC),
        datetime(2024, 4, 1, 15, tzinfo=UTC),
    ]
    both = pl.DataFrame({"t": stamps, "c": [1.0, 2.0, 3.0]})

    assert of_period(both, "2024-03", VENDOR)["c"].to_list() == [1.0, 2.0]
    assert of_period(both, "2024", VENDOR).equals(both)
    assert of_period(both, None, VENDOR).equals(both)


def test_the_rows_of_a_day_on_a_far_clock_are_those_of_its_dates_there() -> None:
    """The session of 4 March is open from 23:30 to 06:00 of the next day in Tokyo."""
    at = ("2024-03-04 23:59", "2024-03-05 00:01", "2024-03-05 23:59")
    stamps = [datetime.fromisoformat(one) for one in at]
    rows, tokyo = pl.DataFrame({"t": stamps, "c": [1.0, 2.0, 3.0]}), Vendor("t", "c", "Asia/Tokyo")
    assert of_period(rows, "2024-03-05", tokyo)["c"].to_list() == [2.0, 3.0]


def test_hours_that_no_study_reads_and_the_order_of_rows_are_no_revision() -> None:
    """22:30 UTC is after the close; a row that is there twice is there."""
    evening = bars().head(1).with_columns(pl.col("t").dt.offset_by("8h"), c=pl.lit(1.0))
    after = pl.concat([bars(), bars().head(5), evening]).reverse()

    assert revision(bars(), after, VENDOR) == Revision((), 0, 0, 0, 0.0)


@pytest.mark.parametrize("zone", ["America/New_York", None])
def test_naive_stamps_are_read_on_the_vendors_clock(zone: str | None) -> None:
    local = bars().with_columns(pl.col("t").dt.convert_time_zone("America/New_York").dt.replace_time_zone(None))
    found = revision(local, local.with_columns(v=pl.lit(6.0)), Vendor("t", "c", zone))

    assert (found.changed, found.sessions[0]) == (30, "2024-03-04")


def test_prices_that_cannot_be_compared_are_counted_without_a_size() -> None:
    spoiled = bars().with_columns(c=pl.when(pl.int_range(pl.len()) < 3).then(-1.0).otherwise("c"))

    assert str(revision(bars(), spoiled, VENDOR)) == (
        "3 bars changed, 0 added, 0 removed on 2024-03-04; largest change of a close 0.00 bp"
    )


def test_many_sessions_are_told_by_the_first_ten_and_a_count() -> None:
    found = revision(bars(days=12), bars(days=12).with_columns(v=pl.lit(6.0)), VENDOR)

    assert "2024-03-13 and 2 more; largest" in str(found)


def test_columns_that_hold_no_bars_are_said_before_anything_is_compared() -> None:
    text = bars().with_columns(c=pl.lit("x"))

    assert change_of_form(text, text, VENDOR) == "source.aliases cannot read bars from the columns ['t', 'c', 'v']"
