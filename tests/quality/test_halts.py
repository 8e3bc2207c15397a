"""A halt keeps its session: no bar is missing in it, and nothing is asked, scored or traded in its minutes."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from stages.io.dated_files import read_halts
from stages.quality.asof import sound_so_far
from stages.quality.cross_symbol import check_symbols
from stages.quality.gate import Checked
from stages.quality.halts import NO_HALTS, halts_of, halts_reported, with_absences
from stages.sessions.calendar import trading_calendar
from stages.tables.market import Halts
from tests.quality.deliveries import CALENDAR, QUALITY, bar, day, delivery, dialect, minutes, report_of

MARCH = trading_calendar(date(2020, 3, 5), date(2020, 3, 20))
MARKET_WIDE = read_halts("market_wide")
NINTH, TUESDAY = date(2020, 3, 9), date(2024, 11, 19)
# When the exchanges halted, in New York: MWCB Working Group, report of 2021-03-31, section 1
KNOWN = {date(2020, 3, 9): "09:34:13", date(2020, 3, 12): "09:35:44", date(2020, 3, 16): "09:30:01",
         date(2020, 3, 18): "12:56:17"}  # fmt: skip
KEEP = QUALITY.model_copy(update={"unlisted_halts": "keep"})


def in_march(seed: int) -> pl.DataFrame:
    """A feed without bars in the whole minutes of the four halts."""
    silent = [
        (pl.col("ts") >= row["halted_at"]) & (pl.col("ts") + timedelta(minutes=1) <= row["resumed_at"])
        for row in MARKET_WIDE.iter_rows(named=True)
    ]
    return delivery(MARCH, seed).filter(~pl.any_horizontal(silent))


def check_march(halts: pl.DataFrame = MARKET_WIDE, **spoiled: pl.DataFrame) -> dict[str, Checked]:
    return check_symbols({"AAA": in_march(1), "BBB": in_march(2)} | spoiled, dialect(), MARCH, QUALITY, halts=halts)


def kinds(checked: dict[str, Checked], symbol: str = "AAA") -> list[tuple[str, int, str]]:
    gaps = report_of(checked, MARCH)["symbols"][symbol]["long_gaps"]
    return [(gap["session"], gap["minutes"], gap["kind"]) for gap in gaps]


def reasons(one: Checked, session: date) -> list[str | None]:
    """What a snapshot at the end of each minute is told, by the minute of the bar it knows last."""
    told = sound_so_far(one.bars, QUALITY, one.halts)
    return one.bars.select("ts", "session").join(told, on="ts").filter(session=session).sort("ts")["reason"].to_list()


def halt(first: datetime, minutes: int, symbol: str = "*") -> pl.DataFrame:
    row = (first, symbol, first + timedelta(minutes=minutes), "a test")
    return Halts.of(pl.DataFrame([row], schema=NO_HALTS.schema, orient="row"))


def test_a_halt_neither_ends_a_run_of_missing_minutes_nor_makes_it_longer_also_at_the_open() -> None:
    """Two minutes are missing, three halted, one missing; a bar; one missing, two halted, a bar behind them."""
    calendar = CALENDAR.head(1)
    opening = calendar["open_utc"][0]
    halts = pl.concat([halt(opening + timedelta(minutes=2), 3), halt(opening + timedelta(minutes=8), 2)])
    gaps = [1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 0]
    bars = check_symbols({"SYM": delivery(calendar)}, dialect(), calendar, QUALITY)["SYM"].bars.head(11)
    silent = pl.Series(gaps) > 0
    holed = bars.with_columns(
        is_filled=silent, gap_len=pl.Series(gaps, dtype=pl.Int32), volume=pl.when(silent).then(0.0).otherwise("volume")
    )
    assert with_absences(holed, halts)["absent_min"].to_list() == [1, 2, 2, 2, 2, 3, 0, 1, 1, 1, 0]
    assert with_absences(holed, NO_HALTS)["absent_min"].to_list() == gaps


def test_the_list_of_market_wide_halts_is_the_one_that_the_exchanges_published() -> None:
    local = pl.col("halted_at").dt.convert_time_zone("America/New_York")
    listed = MARKET_WIDE.select(local.dt.date().alias("session"), local.dt.strftime("%H:%M:%S").alias("at"))

    assert dict(listed.rows()) == KNOWN
    assert set(MARKET_WIDE["resumed_at"] - MARKET_WIDE["halted_at"]) == {timedelta(minutes=15)}
    assert set(MARKET_WIDE["symbol"]) == {"*"}
    assert read_halts("none").is_empty()


def test_sessions_with_a_listed_halt_are_kept_and_told_by_its_name() -> None:
    checked = check_march()
    report = report_of(checked, MARCH)

    assert report["verdict"] == "pass"
    assert kinds(checked) == [(str(session), 14, "market_wide_halt") for session in KNOWN]
    assert {session: day(checked["AAA"], session)["HLT1"] for session in KNOWN} == dict.fromkeys(KNOWN, 14)
    assert report["symbols"]["AAA"]["halts"][0]["halted_at"] == "2020-03-09T13:34:13Z"


def test_without_a_list_they_are_dropped_and_the_feed_is_blamed() -> None:
    """The opposite, and what was so before there was a list."""
    checked = check_march(NO_HALTS)

    assert kinds(checked) == [(str(session), 14, "feed") for session in KNOWN]
    assert {day(checked["AAA"], session)["reason"] for session in KNOWN} == {"sustained_gap"}


def test_minutes_of_a_halt_are_empty_whatever_the_vendor_sends() -> None:
    """Halted from 09:34:13 to 09:49:13: minutes 5 to 18 cannot have traded; 4 and 19 did."""
    as_sent = check_march(AAA=delivery(MARCH, 1))["AAA"]

    assert as_sent.bars.equals(check_march()["AAA"].bars)
    assert {bar(as_sent, NINTH, m)["close"] for m in range(5, 19)} == {None}
    assert not any(bar(as_sent, NINTH, m)["is_filled"] for m in range(5, 19))
    assert {bar(as_sent, NINTH, m)["gap_len"] for m in (4, 19)} == {0}


def test_no_question_is_due_while_trading_is_halted_and_all_is_sound_before_and_after() -> None:
    """At 09:35 (the bar of minute 4 is known) trading is halted; at 09:50 (minute 19) it is not."""
    assert reasons(check_march()["AAA"], NINTH) == [None] * 4 + ["halt"] * 15 + [None] * 371


def test_what_is_missing_beside_a_halt_counts_as_ever() -> None:
    """Minutes 19 to 23 of 2020-03-09 are a gap of five, which may be; with 24 it is too long."""
    opening = datetime(2020, 3, 9, 13, 30, tzinfo=UTC)

    def without(last: int) -> Checked:
        first, end = opening + timedelta(minutes=19), opening + timedelta(minutes=last)
        return check_march(AAA=in_march(1).filter(~pl.col("ts").is_between(first, end)))["AAA"]

    assert (day(without(23), NINTH)["verdict"], day(without(23), NINTH)["longest_gap"]) == ("pass", 5)
    assert (day(without(24), NINTH)["reason"], day(without(24), NINTH)["longest_gap"]) == ("sustained_gap", 6)
    assert (reasons(without(23), NINTH)[-1], reasons(without(24), NINTH)[-1]) == (None, "sustained_gap")


def test_a_pause_that_is_extended_is_one_halt_also_in_the_minute_between() -> None:
    """Ten minutes from 11:00:10 on, listed as two rows or as three that overlap: nine whole minutes."""
    first = datetime(2024, 11, 19, 16, 0, 10, tzinfo=UTC)
    later = first + timedelta(minutes=5)
    once = halt(first, 10, "AAA")
    for rows in ([halt(later, 5, "AAA"), halt(first, 5, "AAA")], [halt(first, 7, "AAA"), halt(later, 5), once]):
        checked = check_symbols(
            {"AAA": delivery().filter(~minutes(TUESDAY, 90, 100))}, dialect(), CALENDAR, QUALITY, halts=pl.concat(rows)
        )["AAA"]
        found = day(checked, TUESDAY)
        assert (found["n_missing"], found["HLT1"], found["longest_gap"]) == (2, 9, 2)
        assert reasons(checked, TUESDAY)[89:101] == [None] + ["halt"] * 10 + [None]


def test_minutes_missing_beside_a_halt_are_measured_by_the_symbols_own_longest_gap() -> None:
    own = {"AAA": {"no_trade_minutes": "quiet", "quiet_max_min": 15, "min_session_completeness": 0.5}}
    quality = QUALITY.model_validate(QUALITY.model_dump() | {"by_symbol": own})
    feeds = {"AAA": delivery().filter(~minutes(TUESDAY, 90, 117)), "BBB": delivery(seed=2)}
    halts = halt(datetime(2024, 11, 19, 16, 0, tzinfo=UTC), 20, "AAA")
    checked = check_symbols(feeds, dialect(), CALENDAR, quality, halts=halts)

    assert day(checked["AAA"], TUESDAY)["verdict"] == "pass"
    assert kinds(checked) == [("2024-11-19", 28, "listed_halt")]


def test_a_halt_of_one_symbol_is_a_halt_of_no_other() -> None:
    ten = datetime(2024, 11, 19, 15, 0, tzinfo=UTC)
    silent = delivery().filter(~minutes(TUESDAY, 30, 44))
    found = check_symbols({"AAA": silent, "BBB": silent}, dialect(), CALENDAR, QUALITY, halts=halt(ten, 15, "AAA"))

    assert (day(found["AAA"], TUESDAY)["verdict"], day(found["AAA"], TUESDAY)["HLT1"]) == ("pass", 15)
    assert (day(found["BBB"], TUESDAY)["reason"], day(found["BBB"], TUESDAY)["HLT1"]) == ("sustained_gap", 0)


def test_a_halt_until_the_close_keeps_the_morning() -> None:
    """Level 3: no trade for the rest of the day."""
    ten, close = datetime(2024, 11, 19, 15, 0, tzinfo=UTC), datetime(2024, 11, 19, 21, 0, tzinfo=UTC)
    halts = halt(ten, (close - ten) // timedelta(minutes=1))
    one = check_symbols(
        {"AAA": delivery().filter(~minutes(TUESDAY, 30, 389))}, dialect(), CALENDAR, QUALITY, halts=halts
    )["AAA"]

    assert (day(one, TUESDAY)["verdict"], day(one, TUESDAY)["n_missing"]) == ("pass", 0)
    assert reasons(one, TUESDAY)[28:31] == [None, "halt", "halt"]


def paused(first: int = 100, last: int = 114, others: tuple[int, int] | None = None) -> dict[str, pl.DataFrame]:
    """AAA silent in some minutes, the two others trading, or silent in minutes of their own."""
    gone = minutes(TUESDAY, *others) if others else pl.lit(value=False)
    feeds = {"AAA": delivery().filter(~minutes(TUESDAY, first, last))}
    feeds |= {f"B{seed}": delivery(seed=seed).filter(~gone) for seed in (2, 3)}
    return feeds


def test_a_pause_that_no_list_holds_drops_the_session_unless_params_keep_it() -> None:
    dropped, kept = (check_symbols(paused(), dialect(), CALENDAR, quality)["AAA"] for quality in (QUALITY, KEEP))
    found = day(kept, TUESDAY)

    assert day(dropped, TUESDAY)["reason"] == "sustained_gap"
    assert (found["verdict"], found["HLT1"], found["n_missing"], found["longest_gap"]) == ("pass", 10, 5, 5)
    assert kept.halts.select("symbol", "halted_at", "resumed_at").rows() == [
        ("AAA", datetime(2024, 11, 19, 16, 15, tzinfo=UTC), datetime(2024, 11, 19, 16, 26, tzinfo=UTC))
    ]  # the first bar behind it, of 16:25, is known at 16:26
    others = pl.col("session") != TUESDAY
    assert kept.days.filter(others).equals(dropped.days.filter(others))


@pytest.mark.parametrize("gap", [(40, 49), (300, 309)], ids=["before", "after"])
def test_a_pause_that_is_kept_excuses_no_other_gap_of_its_session(gap: tuple[int, int]) -> None:
    """The pause has five minutes of gap and ten of halt; in the other ten minutes nobody trades."""
    feeds = {symbol: feed.filter(~minutes(TUESDAY, *gap)) for symbol, feed in paused().items()}
    found = day(check_symbols(feeds, dialect(), CALENDAR, KEEP)["AAA"], TUESDAY)

    assert (found["HLT1"], found["n_missing"], found["longest_gap"]) == (10, 15, 10)
    assert found["reason"] == "sustained_gap"


OPENED = datetime(2024, 11, 19, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("sent", [False, True])
def test_a_session_that_a_list_covers_is_neither_owed_nor_used(sent: bool) -> None:
    """Of 14 sessions AAA owes 13, and 13 are usable; BBB trades in all of them."""
    feed = delivery() if sent else delivery().filter(~minutes(TUESDAY, 0, 389))
    listed = halt(OPENED, 390, "AAA")
    checked = check_symbols({"AAA": feed, "BBB": delivery(seed=2)}, dialect(), CALENDAR, QUALITY, halts=listed)
    report = report_of(checked)
    one = report["symbols"]["AAA"]

    assert (report["warnings"], report["hard_failures"], day(checked["AAA"], TUESDAY)["reason"]) == ([], [], "halted")
    assert [one[f"sessions_{name}"] for name in ("expected", "present", "usable", "dropped")] == [13, 13, 13, 0]
    assert [found["session"] for found in one["days"] if found["dropped"]] == ["2024-11-19"]


def test_a_symbol_that_is_halted_all_the_time_is_refused() -> None:
    listed = pl.concat([halt(row["open_utc"], row["n_bars"], "AAA") for row in CALENDAR.iter_rows(named=True)])
    checked = check_symbols({"AAA": delivery()}, dialect(), CALENDAR, QUALITY, halts=listed)
    (failure,) = report_of(checked)["hard_failures"]
    assert "0 of 14 sessions are usable" in failure["detail"]
    assert "on 2024-11-18, trading was halted throughout (HLT1)" in failure["detail"]


@pytest.mark.parametrize(("first", "told"), [(100, [(115, 131)]), (107, [(105, 107), (117, 131)])])
def test_a_pause_beside_a_listed_halt_is_kept_by_the_minutes_that_no_list_holds(
    first: int, told: list[tuple[int, int]]
) -> None:
    """Silent in minutes 100 to 129, of which the list holds ten: five are a gap, fifteen a pause."""
    listed = halt(OPENED + timedelta(minutes=first), 10, "AAA")
    kept = check_symbols(paused(100, 129), dialect(), CALENDAR, KEEP, halts=listed)["AAA"]
    found, unlisted = day(kept, TUESDAY), kept.halts.filter(pl.col("source") != "a test")

    assert (found["verdict"], found["HLT1"], found["n_missing"], found["longest_gap"]) == ("pass", 25, 5, 5)
    minute = timedelta(minutes=1)
    assert [((a - OPENED) // minute, (b - OPENED) // minute) for a, _, b, _ in unlisted.rows()] == told


def test_whether_a_silent_symbol_will_trade_later_today_is_not_known() -> None:
    """Silent from the open to 11:29, or all day: five minutes of gap, then a pause, until whenever it ends."""
    later, never = (check_symbols(paused(0, last), dialect(), CALENDAR, KEEP)["AAA"] for last in (119, 389))

    told = ["incomplete"] * 4 + ["halt"] * 116  # at 09:35, when the fifth minute is over, it is too long for a gap
    assert reasons(later, TUESDAY)[:120] == reasons(never, TUESDAY)[:120] == told
    assert (day(later, TUESDAY)["HLT1"], day(later, TUESDAY)["reason"]) == (115, None)
    lost = day(never, TUESDAY)
    assert (lost["n_missing"], lost["HLT1"], lost["reason"]) == (390, 0, "no_data")


def test_a_pause_before_the_first_bar_of_all_is_none() -> None:
    """Listed on Wednesday at 10:30: the minutes before are no pause, and the session fails."""
    wednesday = date(2024, 11, 20)
    new = delivery().filter(pl.col("ts") >= datetime(2024, 11, 20, 15, 30, tzinfo=UTC))
    one = check_symbols(paused() | {"AAA": new}, dialect(), CALENDAR, KEEP)["AAA"]

    assert reasons(one, wednesday)[:61] == [*reasons(one, TUESDAY)[:60], "incomplete"] == ["incomplete"] * 61
    assert day(one, wednesday)["reason"] == "incomplete"


def test_others_that_are_halted_say_nothing_of_a_pause() -> None:
    """Minutes 90 to 119: the market is halted in the first twenty, or one of two others in all of them."""
    market = check_symbols(
        paused(90, 119, others=(90, 109)), dialect(), CALENDAR, QUALITY, halts=halt(OPENED + timedelta(minutes=90), 20)
    )
    feeds = paused(90, 119) | {"B2": delivery(seed=2).filter(~minutes(TUESDAY, 90, 119))}
    other = halt(OPENED + timedelta(minutes=90), 30, "B2")
    one, nobody = (
        check_symbols(some, dialect(), CALENDAR, QUALITY, halts=other)
        for some in (feeds, {symbol: feeds[symbol] for symbol in ("AAA", "B2")})
    )

    assert kinds(market) == [("2024-11-19", 30, "halt")]
    assert (kinds(one), kinds(nobody)) == ([("2024-11-19", 30, "halt")], [("2024-11-19", 30, "alone")])


def test_minutes_without_bars_are_a_pause_only_once_too_long_for_a_gap() -> None:
    """Before, nobody can know: five minutes of gap, of which the morning's completeness takes notice, then a halt."""
    kept = check_symbols(paused(200, 214), dialect(), CALENDAR, KEEP)["AAA"]

    assert reasons(kept, TUESDAY)[198:218] == [None] * 6 + ["halt"] * 11 + [None] * 3


@pytest.mark.parametrize(
    "feeds",
    [
        paused(others=(100, 114)),  # all are silent: the feed broke
        paused(others=(103, 389)),  # they traded for three of fifteen minutes
        {"AAA": paused()["AAA"]},  # nobody to ask
    ],
)
def test_a_silence_that_the_others_share_is_no_pause(feeds: dict[str, pl.DataFrame]) -> None:
    assert day(check_symbols(feeds, dialect(), CALENDAR, KEEP)["AAA"], TUESDAY)["reason"] == "sustained_gap"


def test_what_the_others_do_in_a_minute_is_not_known_before_it_is_over() -> None:
    """Of ten minutes of gap they traded in five, then in none: nobody knows of the eleventh at its beginning."""
    found, other = (
        check_symbols(paused(100, 118, others=(105, last)), dialect(), CALENDAR, KEEP)["AAA"] for last in (109, 110)
    )

    assert reasons(found, TUESDAY)[:110] == reasons(other, TUESDAY)[:110]
    assert "halt" in reasons(found, TUESDAY)[:110]


def test_the_report_tells_halts_and_later_stages_read_them_there() -> None:
    checked = check_symbols(paused(), dialect(), CALENDAR, KEEP)
    read = halts_reported(report_of(checked))

    assert read["AAA"].equals(checked["AAA"].halts)
    assert read["B2"].is_empty()


def test_a_share_of_the_bars_counts_no_minute_of_a_halt_among_them() -> None:
    """Three of the hundred bars before a halt hold fine prices: 3 % of the bars, less than 1 % of the minutes."""
    m = pl.int_range(pl.len()).over(pl.col("ts").dt.date())
    fine = delivery().with_columns(high=pl.when(m < 3).then(pl.col("high") + 0.00123).otherwise("high"))
    opened = CALENDAR["open_utc"].to_list()
    halts = pl.concat([halt(one + timedelta(minutes=100), 290) for one in opened])
    checked = check_symbols({"AAA": fine}, dialect(), CALENDAR, QUALITY, halts=halts)

    (warning,) = [one for one in report_of(checked)["warnings"] if one.startswith("PX6")]
    assert "3.0% of its bars hold prices finer" in warning


def test_halts_of_other_years_are_not_told() -> None:
    found = check_symbols({"AAA": delivery()}, dialect(), CALENDAR, QUALITY, halts=MARKET_WIDE)

    assert report_of(found)["symbols"]["AAA"]["halts"] == []
    assert found["AAA"].bars.equals(check_symbols({"AAA": delivery()}, dialect(), CALENDAR, QUALITY)["AAA"].bars)


@pytest.mark.parametrize(
    ("begins", "ends", "told"), [(-5, 0, False), (-5, 1, True), (389, 400, True), (390, 400, False)]
)
def test_a_halt_is_reported_where_it_reaches_into_the_span(begins: int, ends: int, told: bool) -> None:
    """Minutes after the open of the only session."""
    first = CALENDAR["open_utc"][0] + timedelta(minutes=begins)
    assert (halts_of("AAA", halt(first, ends - begins), CALENDAR.head(1)).height == 1) == told
