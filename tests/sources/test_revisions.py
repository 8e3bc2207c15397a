"""What a vendor changed is told by file, by day, by bar and by size."""

from datetime import UTC, datetime

import polars as pl
import pytest

from stages.sources.revisions import Revision, change_of_form, changes, revision

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


def test_another_form_is_told_column_by_column_before_rows_are_compared() -> None:
    before = bars()
    after = before.with_columns(pl.col("t").dt.replace_time_zone(None), pl.col("v").cast(pl.Int64), n=1).drop("c")

    assert change_of_form(before, before) is None
    assert change_of_form(before, after) == (
        "t was Datetime(time_unit='us', time_zone='UTC') and is Datetime(time_unit='us', time_zone=None); "
        "c was Float64 and is absent; n was absent and is Int32"
    )


def test_equal_deliveries_differ_in_nothing() -> None:
    assert revision(bars(), bars(), "t", "c") == Revision((), 0, 0, 0, 0.0)


def test_changed_added_and_removed_bars_are_counted_on_their_days() -> None:
    second, third = pl.int_range(pl.len()) == 15, pl.int_range(pl.len()) == 25
    after = bars().with_columns(pl.when(second).then(101.0).otherwise("c").alias("c")).filter(~third)
    extra = bars().head(1).with_columns(pl.col("t").dt.offset_by("1h"))
    found = revision(bars(), pl.concat([after, extra]).sort("t"), "t", "c")

    assert (found.changed, found.added, found.removed) == (1, 1, 1)
    assert found.days == ("2024-03-04", "2024-03-05", "2024-03-06")
    assert found.largest_bp == pytest.approx(99.50, abs=0.01)  # 1e4 ln(101 / 100)


def test_a_change_of_volume_alone_is_a_change_of_zero_bp() -> None:
    found = revision(bars(), bars().with_columns(v=pl.lit(6.0)), "t", "c")

    assert (found.changed, found.largest_bp) == (30, 0.0)


def test_bars_of_other_months_are_left_alone() -> None:
    assert revision(bars(days=9), bars(days=3), "t", "c") == Revision((), 0, 0, 0, 0.0)
