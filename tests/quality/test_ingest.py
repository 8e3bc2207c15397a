"""Every dialect ends as the same bars, and what cannot be read without guessing is refused in one sentence."""

from contextlib import nullcontext
from datetime import date, timedelta
from itertools import accumulate

import polars as pl
import pytest

from stages.quality.cross_symbol import check_symbols
from stages.quality.ingest import _check_step, _of_all_hours, _tails, in_our_columns
from stages.quality.verdicts import HardFailure
from stages.tables.market import PRICES
from tests.quality.deliveries import CALENDAR, QUALITY, day, delivery, dialect, minute, minutes, through_the_gate

TUESDAY = date(2024, 11, 19)
BLACK_FRIDAY = date(2024, 11, 29)  # 210 minutes
THANKSGIVING = date(2024, 11, 28)
ts = pl.col("ts")


def in_units_of(a_dollar: int) -> pl.DataFrame:
    """Prices as whole numbers, so many to a dollar."""
    return delivery().with_columns((pl.col("open", "high", "low", "close") * a_dollar).round().cast(pl.Int64))


def test_a_sound_delivery_passes_and_its_values_are_unaltered() -> None:
    delivered = delivery()
    checked = through_the_gate(delivered)

    assert checked.failure is None
    assert checked.days["verdict"].to_list() == ["pass"] * CALENDAR.height
    assert checked.bars.select(delivered.columns).equals(delivered)


def test_a_new_source_is_shown_in_our_columns_with_its_own_stamps() -> None:
    sent = delivery().with_columns(ts.dt.replace_time_zone(None)).rename({"ts": "t"}).with_columns(extra=1)
    shown = in_our_columns("A", sent, dialect(aliases={"t": "ts"}))

    assert shown.equals(delivery().with_columns(ts.dt.replace_time_zone(None)))


@pytest.mark.parametrize(
    ("vendor", "changes"),
    [
        (
            delivery().rename({"ts": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}),
            {"aliases": {"t": "ts", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}},
        ),
        (delivery().with_columns(ts.dt.cast_time_unit("ms")), {}),
        (delivery().with_columns(ts.dt.cast_time_unit("ns")), {}),
        (delivery().with_columns(ts.dt.convert_time_zone("Asia/Tokyo")), {}),
        (
            delivery().with_columns(ts.dt.convert_time_zone("America/New_York").dt.replace_time_zone(None)),
            {"zone": "America/New_York"},
        ),
        (delivery().with_columns(ts.dt.replace_time_zone(None)), {"zone": "UTC"}),
        (delivery().with_columns(ts + timedelta(minutes=1)), {"bar_label": "end"}),
        (delivery().with_columns(pl.col("volume").cast(pl.Int32)), {}),
        (delivery().with_columns(pl.col("close").cast(pl.Decimal(12, 2))), {}),
        (delivery().with_columns(pl.selectors.float().cast(pl.Float32)), {}),
        (delivery().with_columns(vwap=pl.lit("a column nobody asked for")), {}),
        (delivery().with_columns(symbol=pl.lit("SYM")), {}),
        (delivery().with_columns(ts.dt.epoch("s")), {"unit": "s"}),
        (delivery().with_columns(ts.dt.epoch("ns")), {"unit": "ns"}),
        (
            delivery().with_columns(
                ts.dt.convert_time_zone("America/New_York").dt.replace_time_zone(None).dt.epoch("ms")
            ),
            {"unit": "ms", "zone": "America/New_York"},
        ),
        (in_units_of(10**9), {"price_scale": 1e-9}),
        (in_units_of(100).with_columns(pl.col("close").cast(pl.Int32)), {"price_scale": 0.01}),
        (delivery().with_columns(pl.col("open", "high", "low", "close") / 0.4), {"price_scale": 0.4}),
        (
            delivery().rename({"open": "Open_SYM", "close": "Close_SYM"}).with_columns(Open_AAPL=1.0),
            {"aliases": {"Open_{symbol}": "open", "Close_{symbol}": "close"}},
        ),
        (delivery().sample(fraction=1, shuffle=True, seed=7), {}),
        (pl.concat([delivery(), delivery().head(100)]), {}),
        (pl.concat([delivery(), delivery().with_columns(ts + timedelta(hours=7)).head(60)]), {}),
    ],
    ids=[
        "aliases",
        "milliseconds",
        "nanoseconds",
        "another zone",
        "naive local time",
        "naive UTC",
        "end labels",
        "integer volume",
        "decimal prices",
        "floats of 32 bits",
        "a further column",
        "a symbol column",
        "seconds since 1970",
        "nanoseconds since 1970",
        "milliseconds of a local clock",
        "prices in units of 1e-9",
        "prices in cents",
        "prices in units of 40 cents",
        "columns named for symbols",
        "unsorted",
        "rows twice",
        "after hours",
    ],
)
def test_every_dialect_ends_as_the_same_bars(vendor: pl.DataFrame, changes: dict[str, object]) -> None:
    checked = through_the_gate(vendor, **changes)

    assert checked.failure is None
    assert checked.bars.equals(through_the_gate(delivery()).bars)


def test_harmless_faults_are_counted() -> None:
    faulty = pl.concat([delivery(), delivery().head(100), delivery().with_columns(ts + timedelta(hours=7)).head(60)])

    counts = through_the_gate(faulty).counts

    assert (counts["TS1"], counts["TS2"], counts["outside_hours"]) == (1, 100, 60)


def test_rows_after_the_close_of_a_half_day_are_dropped_with_a_warning() -> None:
    late = delivery().filter(minutes(BLACK_FRIDAY, 0, 29)).with_columns(ts + timedelta(minutes=210))
    checked = through_the_gate(pl.concat([delivery(), late]))

    assert (day(checked, BLACK_FRIDAY)["TS6"], day(checked, BLACK_FRIDAY)["verdict"]) == (30, "warn")
    assert checked.bars.equals(through_the_gate(delivery()).bars)


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_minutes_without_a_price_between_sessions_change_nothing(nothing: float | None) -> None:
    """As of a frame that was resampled to every minute of every day."""
    sound = delivery()
    every = sound.select(pl.datetime_range(ts.first(), ts.last(), "1m"))
    resampled = every.join(sound, on="ts", how="left").with_columns(pl.col(PRICES).fill_null(pl.lit(nothing)))
    checked = through_the_gate(resampled.with_columns(pl.col("volume").fill_null(0.0)))

    assert checked.failure is None
    assert checked.bars.equals(through_the_gate(sound).bars)
    assert checked.days["verdict"].to_list() == ["pass"] * CALENDAR.height


@pytest.mark.parametrize(
    ("vendor", "changes", "check", "words"),
    [
        (delivery().head(0), {}, "SCH1", "no rows"),
        (delivery().drop("close"), {}, "SCH1", "'close' is missing.*source.aliases"),
        (delivery().rename({"close": "c"}), {"aliases": {"cls": "close"}}, "SCH1", "'close' is missing.*'c'"),
        (delivery(), {"aliases": {"close": "open"}}, "SCH1", "'close' for 'open', but the file has both"),
        (delivery().with_columns(pl.col("open").cast(pl.String)), {}, "SCH1", "'open' holds String"),
        (delivery().with_columns(pl.col("volume") > 500), {}, "SCH1", "'volume' holds Boolean"),
        (delivery().with_columns(ts.cast(pl.String)), {}, "SCH1", "'ts' holds String"),
        (delivery().with_columns(ts.dt.epoch("ms")), {}, "SCH1", "source.unit; as ms it is 2024-11-18 14:30"),
        (delivery().with_columns(ts.dt.date()), {}, "SCH1", "'ts' holds Date"),
        (
            delivery().with_columns(pl.when(minute(TUESDAY, 3)).then(None).otherwise(ts).alias("ts")),
            {},
            "SCH1",
            "empty in 1 row",
        ),
        (
            delivery().with_columns(symbol=pl.lit("MSFT")),
            {},
            "SCH1",
            "'MSFT' .column 'symbol'.*source.uri_template",
        ),
        (delivery().with_columns(ts.dt.replace_time_zone(None)), {}, "SCH2", "source.zone"),
        (delivery().with_columns(ts + timedelta(seconds=1)), {}, "TS4", "whole minute.*14:30:01"),
        (delivery().with_columns(ts + timedelta(minutes=1)), {}, "TS5", "end of each minute.*source.bar_label"),
        (delivery(), {"bar_label": "end"}, "TS5", "start of each minute.*source.bar_label"),
        (delivery().with_columns(ts + timedelta(hours=1)), {}, "TS5", "an hour late.*source.zone"),
        (delivery().with_columns(ts - timedelta(hours=1)), {}, "TS5", "an hour early.*source.zone"),
        (
            pl.concat(
                [delivery(), delivery().filter(minutes(date(2024, 11, 27), 0, 9)).with_columns(ts + timedelta(1))]
            ),
            {},
            "TS6",
            "10 rows.*closed",
        ),
        (delivery().with_columns(ts.dt.offset_by("-1y")), {}, "TS7", "universe.first_session"),
        (delivery().with_columns(ts.dt.epoch("ms").cast(pl.Datetime("us", "UTC"))), {}, "TS7", "1970"),
    ],
)
def test_rows_that_cannot_be_read_without_guessing_are_refused(
    vendor: pl.DataFrame, changes: dict[str, object], check: str, words: str
) -> None:
    failure = through_the_gate(vendor, **changes).failure

    assert failure is not None
    assert failure.check == check
    with pytest.raises(type(failure), match=words):
        raise failure


@pytest.mark.parametrize(("unit", "a_second"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_of_whole_numbers_the_unit_is_proposed_for_which_the_first_falls_into_our_time(
    unit: str, a_second: int
) -> None:
    """From 200 million seconds after 1970 to 4 billion, both excluded."""
    at = {200_000_001: "1976-05-03 19:33:21", 3_999_999_999: "2096-10-02 07:06:39"}
    for first in (None, 200_000_000, 4_000_000_000, *at):
        count = None if first is None else first * a_second
        numbers = pl.when(ts > ts.min()).then(0).otherwise(count).alias("ts")
        failure = through_the_gate(delivery().with_columns(numbers)).failure

        guess = f"; as {unit} it is {at[first]} UTC" if first in at else ""
        assert str(failure).endswith(f"first {count}: state its unit in source.unit{guess}.")


def test_a_holiday_is_named_by_its_date() -> None:
    extra = delivery().filter(minutes(date(2024, 11, 27), 0, 9)).with_columns(ts + timedelta(1))
    failure = through_the_gate(pl.concat([delivery(), extra])).failure

    assert failure is not None
    assert failure.session == THANKSGIVING


def test_hours_before_the_open_of_a_holiday_are_just_outside_hours() -> None:
    early = delivery().filter(minutes(date(2024, 11, 27), 0, 9)).with_columns(ts + timedelta(days=1, hours=-3))
    checked = through_the_gate(pl.concat([delivery(), early]))

    assert checked.failure is None
    assert checked.counts["outside_hours"] == 10


def test_rows_of_other_times_than_the_study_and_of_another_company_are_in_no_count() -> None:
    """META was FB before 26 November, and another company META; both halves of the file are in order."""
    day_of = ts.dt.date()
    renamed = date(2024, 11, 26)
    own = delivery().with_columns(symbol=pl.when(day_of < renamed).then(pl.lit("FB")).otherwise(pl.lit("META")))
    other = delivery(seed=9).filter(day_of < renamed).with_columns(symbol=pl.lit("META"))
    long_ago = own.head(780).with_columns(ts - timedelta(days=364))
    vendor = pl.concat([long_ago, own, other])
    by_name = pl.concat([vendor.filter(symbol="META").sort("ts"), vendor.filter(symbol="FB")])
    found = check_symbols({"META": by_name}, dialect(renames={"META": {"FB": renamed}}), CALENDAR, QUALITY)["META"]

    assert found.bars.equals(through_the_gate(delivery()).bars)
    assert found.counts == {"TS1": 0, "TS2": 0, "outside_hours": 0, "auction_rows": 0, "TS5_undecided": 0}


@pytest.mark.parametrize("label", ["start", "end"])
def test_rows_of_the_day_before_the_study_are_in_no_count_and_stop_nothing(label: str) -> None:
    """The study begins on the second session of the file; on the first, rows come twice, in disorder and at :30."""
    late = timedelta(minutes=label == "end")
    first = delivery().filter(ts < CALENDAR["open_utc"][1])
    odd = pl.concat([first, first.head(100), first.head(5).with_columns(ts + timedelta(seconds=30))])
    stamped = pl.concat([odd, delivery().filter(ts >= CALENDAR["open_utc"][1])]).with_columns(ts + late)
    checked = through_the_gate(stamped, CALENDAR[1:], bar_label=label)

    assert checked.failure is None
    assert checked.counts == {"TS1": 0, "TS2": 0, "outside_hours": 0, "auction_rows": 0, "TS5_undecided": 0}


@pytest.mark.parametrize(("before", "warned"), [(390, 0), (9, 60)])
def test_a_feed_of_all_hours_is_known_by_the_sessions_in_which_the_symbol_was_listed(before: int, warned: int) -> None:
    """Listed on 27 November: six of 13 full sessions. An hour after an early close belongs to all hours alone."""
    listed = delivery().filter(ts.dt.date() >= date(2024, 11, 27))
    early = listed.filter(pl.int_range(pl.len()).over(ts.dt.date()) < before).with_columns(ts - timedelta(hours=8))
    late = listed.filter(minutes(BLACK_FRIDAY, 0, 59)).with_columns(ts + timedelta(minutes=211))
    checked = through_the_gate(pl.concat([listed, early, late]).sort("ts"))

    assert checked.failure is None
    assert day(checked, BLACK_FRIDAY)["TS6"] == warned


@pytest.mark.parametrize("named", [False, True])
def test_a_ticker_is_a_new_companys_only_from_the_day_on_which_the_other_left_it(named: bool) -> None:
    """Rows of FB before 26 November are META's; the sessions from then on are another company's."""
    vendor = delivery().with_columns(symbol=pl.lit("FB")) if named else delivery()
    renames = {"META": {"FB": date(2024, 11, 26)}}
    found = check_symbols({"FB": vendor}, dialect(renames=renames), CALENDAR, QUALITY)["FB"]

    assert found.days["n_raw"].to_list() == [0] * 6 + [390] * 2 + [210] + [390] * 5


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([5, 5, 2, 3], None),  # half of them
        ([5, 5, 5, 2, 3], "the stamps are 5 minutes apart .3 of 5."),
        ([1, 1, 5, 5], None),
        ([0, 0, 0, 1], None),  # a stamp that comes again is no step
    ],
)
def test_a_step_is_reported_where_more_than_half_of_the_stamps_have_it(steps: list[int], told: str | None) -> None:
    opened = CALENDAR["open_utc"][0]
    stamped = pl.DataFrame({"ts": [opened + timedelta(minutes=m) for m in accumulate(steps, initial=0)]})
    with pytest.raises(HardFailure, match=told) if told else nullcontext():
        _check_step(stamped)


@pytest.mark.parametrize(
    ("days", "rows", "all_hours"), [(2, 10, False), (3, 10, True), (3, 9, False)], ids=["half", "more", "too few rows"]
)
def test_a_feed_is_of_all_hours_where_more_than_half_of_the_full_sessions_have_ten_rows_outside(
    days: int, rows: int, all_hours: bool
) -> None:
    closes = CALENDAR["close_utc"].head(days).to_list()
    outside = pl.DataFrame({"ts": [closed + timedelta(minutes=m) for closed in closes for m in range(rows)]})
    assert _of_all_hours(outside, CALENDAR.head(4), CALENDAR["session"]) == all_hours


@pytest.mark.parametrize(("rows", "told"), [((0,), {}), ((0, 1), {BLACK_FRIDAY: 2}), ((1,), {BLACK_FRIDAY: 1})])
def test_the_closing_auction_alone_is_no_row_behind_an_early_close(
    rows: tuple[int, ...], told: dict[date, int]
) -> None:
    closed = CALENDAR.filter(session=BLACK_FRIDAY)["close_utc"][0]
    outside = pl.DataFrame({"ts": [closed + timedelta(minutes=m) for m in rows]}).with_columns(
        pl.lit(100.0).alias(price) for price in PRICES
    )
    assert dict(_tails(outside, CALENDAR, CALENDAR["session"]).rows()) == told
