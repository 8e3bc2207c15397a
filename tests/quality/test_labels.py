"""Which minute a stamp names, told by the bars of all symbols of a source, or UNDECIDED.

The made-up feeds of `label_feeds` carry their truth with them; the real ones are read in `test_real_bars`.
"""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from stages.params.quality import QualityParams
from stages.quality.cross_symbol import check_symbols
from stages.quality.gate import Checked
from stages.quality.label_evidence import SIGNS, _laid_out, label_evidence
from stages.quality.label_messages import contradiction, undecided
from stages.quality.label_signs import BEFORE, CANDIDATES, SHIFTS, WIDTH, Minutes, by_prints
from stages.quality.labels import LabelReading, Stretch, _leads, _runs, _words, read_labels
from stages.quality.verdicts import HardFailure
from stages.sessions.calendar import minute_grid, trading_calendar
from tests.quality.deliveries import QUALITY, delivery, dialect, report_of
from tests.quality.label_feeds import Feed, all_sessions, bars_of, off_by_hours, off_by_minutes

AUTUMN = trading_calendar(date(2024, 10, 14), date(2024, 11, 22))  # the clocks change on 2024-11-03
JUNE = 168  # of the made-up feeds' calendar: summer time, no half day for 11 sessions
CASES = Path("../shared/cases")
ts = pl.col("ts")


def test_bars_that_say_nothing_are_read_as_they_are() -> None:
    nothing = LabelReading((), 0.0, 0, "nothing")
    assert (nothing.offset_min, nothing.zone_hours, nothing.shift_min, nothing.label) == (0, 0, 0, "start")
    assert not nothing.is_new_york


@pytest.mark.parametrize(
    ("offset_min", "read"),
    [
        (0, ("start", 0, 0)), (1, ("end", 0, 0)), (2, ("end", 1, 0)), (-3, ("start", -3, 0)), (61, ("end", 0, 1)),
        (57, ("start", -3, 1)), (-300, ("start", 0, -5)), (-237, ("end", 2, -4)), (301, ("end", 0, 5)),
    ],
)  # fmt: skip
def test_an_offset_is_whole_hours_of_the_clock_a_label_and_minutes_beside_it(
    offset_min: int, read: tuple[str, int, int]
) -> None:
    day = date(2024, 6, 3)
    reading = LabelReading((Stretch(day, day, 1, offset_min, -4),), 9.0, 1, "")
    assert (reading.label, reading.shift_min, reading.zone_hours) == read


def lead_over_end_labels(**nats: float) -> float:
    """By how much start labels lead end labels, where each sign speaks so much for starts (or, negative, for ends)."""
    starts, ends = (int(np.searchsorted(CANDIDATES, offset)) for offset in (0, 1))
    by_sign = np.zeros((len(SIGNS), 32, len(CANDIDATES)))
    for sign, value in nats.items():
        by_sign[list(SIGNS).index(sign), :, starts if value > 0 else ends] = abs(value) / 32
    return float(_leads(by_sign, starts)[ends])


def test_of_several_stretches_the_offset_of_most_sessions_counts() -> None:
    def stretch(sessions: int, offset_min: int) -> Stretch:
        return Stretch(date(2024, 11, 19), date(2024, 11, 19), sessions, offset_min, -5)

    assert LabelReading((stretch(5, 0), stretch(3, 1), stretch(3, 1)), 99.0, 11, "").offset_min == 1


def stretches_of(*offsets_min: int, nats: float = 99.0) -> LabelReading:
    """Stretches of ten sessions, a month each."""
    stretches = [
        Stretch(date(2024, month, 4), date(2024, month, 15), 10, offset_min, -5)
        for month, offset_min in enumerate(offsets_min, start=1)
    ]
    return LabelReading(tuple(stretches), nats, 10 * len(offsets_min), "", refuted=(nats, nats))


def test_bars_that_lean_against_the_stated_label_without_the_asked_confidence_contradict_nothing() -> None:
    """Ten nats are a confidence of 99.9 %, three of 95 %; 99 % are asked."""
    wrong = contradiction(stretches_of(1), dialect(), QUALITY)
    assert wrong is not None
    assert "the stamps name the end of each minute" in wrong.detail
    assert contradiction(stretches_of(1, nats=3.0), dialect(), QUALITY) is None
    assert "confidence 95." in undecided(stretches_of(1, nats=3.0), dialect(), QUALITY)


def test_stretches_of_one_offset_after_another_are_reported_as_one() -> None:
    switched = contradiction(stretches_of(0, 1, 1), dialect(), QUALITY)
    assert switched is not None
    spans = "2024-01-04 to 2024-01-15 09:30 (start labels); 2024-02-04 to 2024-03-15 09:31 (end labels); correct"
    assert spans in switched.detail


def test_evidence_of_one_or_two_rows_decides_nothing_alone() -> None:
    alone = [lead_over_end_labels(**{sign: 50.0}) for sign in ("ranges", "prints", "rows")]
    assert alone == pytest.approx([4.0, 6.0, 50.0])
    assert lead_over_end_labels(rows=50.0, volume=-6.0) == 44.0
    assert lead_over_end_labels(rows=50.0, volume=-6.001) == 0.0


@pytest.mark.parametrize(
    ("flat", "nats"),
    [(0, 1.2), (38, 0.5 * np.log(5)), (76, 0.5 * np.log(2.5)), (190, 0.0), (300, 0.0)],  # of the 380 minutes inside
)
def test_a_row_without_a_range_says_less_of_an_auction_the_more_minutes_have_none(flat: int, nats: float) -> None:
    """391 rows, the last of them an auction alone: start labels gain half of ln(0.5 / share), 1.2 at most."""
    spread, volume = np.full((1, WIDTH), np.nan), np.full((1, WIDTH), np.nan)
    spread[0, BEFORE : BEFORE + 391], volume[0, BEFORE : BEFORE + 391] = 1.0, 100.0
    spread[0, BEFORE + 390] = 0.0
    spread[0, BEFORE + 5 : BEFORE + 5 + flat] = 0.0
    found = by_prints(Minutes(spread, volume, ~np.isnan(spread)))
    assert found[0, list(SHIFTS).index(0)] == pytest.approx(nats, abs=1e-9)


@pytest.mark.parametrize(("against", "runs"), [(7.9, [(0, 2, 0)]), (8.0, [(0, 2, 0)]), (8.1, [(0, 1, 0), (1, 2, 1)])])
def test_a_change_of_label_between_sessions_costs_eight_nats(against: float, runs: list[tuple[int, int, int]]) -> None:
    assert _runs(np.array([[0.0, -100.0], [-against, 0.0]])) == runs


def test_enough_is_exactly_as_sure_and_on_as_many_sessions_as_is_asked() -> None:
    even = LabelReading((), 0.0, 5, "")
    assert (even.confidence, even.is_decided(0.5, 5), even.is_decided(0.5, 6), even.is_decided(0.5001)) == (
        0.5,
        True,
        False,
        False,
    )
    assert not even.is_decided(0.5, against_nats=0.01)
    sure = LabelReading((), 99.0, 5, "")
    assert (sure.confidence, sure.is_decided(0.999), sure.is_decided(0.9991)) == (0.999, True, False)


def test_a_sign_worth_a_tenth_of_a_nat_a_session_is_not_mentioned() -> None:
    by_sign = np.zeros((len(SIGNS), 3, len(CANDIDATES)))
    starts, ends = (int(np.searchsorted(CANDIDATES, offset)) for offset in (0, 1))
    for sign, against_starts, against_ends in (
        ("rows", [0.0, 0.0, 0.1], [0.1, 0.0, 0.0]),
        ("volume", [0.0, 0.0, 0.1], [0.1, 0.2, 0.0]),
    ):
        by_sign[list(SIGNS).index(sign), :, starts] -= against_starts
        by_sign[list(SIGNS).index(sign), :, ends] -= against_ends

    assert _words(by_sign, 0) == "09:30 rather than 09:31 as the first stamp: sessions by volume 1 to 0"


@pytest.mark.parametrize(("minute", "seen"), [(-411, False), (-410, True), (795, True), (796, False)])
def test_evidence_is_read_from_minutes_around_a_session(minute: int, seen: bool) -> None:
    """410 minutes before its open are kept, 1206 in all."""
    row = flat(AUTUMN[:1])[:1].with_columns(ts + timedelta(minutes=minute))
    assert _laid_out(row, AUTUMN[:1]).here.any() == seen


@pytest.mark.parametrize(
    ("high", "low", "volume", "spread", "traded"),
    [
        (2.0, 1.0, 5.0, 1.0, 5.0),
        (1.0, 1.0, 0.0, 0.0, 0.0),
        (1.0, 0.0, 5.0, np.nan, 5.0),
        (0.9, 1.0, -1.0, np.nan, np.nan),
    ],
)
def test_a_range_is_known_of_positive_prices_in_order_and_a_volume_from_nothing_on(
    high: float, low: float, volume: float, spread: float, traded: float
) -> None:
    row = flat(AUTUMN[:1])[:1].with_columns(high=high, low=low, volume=volume)
    with np.errstate(all="ignore"):
        found = _laid_out(row, AUTUMN[:1])
    np.testing.assert_array_equal([found.range[0, BEFORE], found.volume[0, BEFORE]], [spread, traded])


@pytest.mark.parametrize(("rows", "speaks"), [(194, False), (195, True)])
def test_a_session_with_half_of_its_minutes_is_evidence(rows: int, speaks: bool) -> None:
    assert label_evidence(flat(AUTUMN[:1])[:rows], AUTUMN[:1]).by_sign().any() == speaks


@pytest.mark.parametrize(
    ("rows", "regular"),
    [((396, 396, 390, 390), False), ((395, 395, 390, 390), True), ((396, 390, 390, 390), True)],
    ids=["half of the sessions", "half, by a row less", "a quarter"],
)
def test_a_feed_of_more_than_395_rows_in_more_than_a_quarter_of_its_sessions_is_one_of_all_hours(
    rows: tuple[int, ...], regular: bool
) -> None:
    """First and last row then tell nothing."""
    opens = AUTUMN["open_utc"][:4].to_list()
    stamps = [opened + timedelta(minutes=m) for opened, many in zip(opens, rows, strict=True) for m in range(many)]
    bars = pl.DataFrame({"ts": stamps}, schema={"ts": flat().schema["ts"]}).with_columns(
        high=100.1, low=99.9, volume=100.0
    )
    assert label_evidence(bars, AUTUMN[:4]).by_sign()[list(SIGNS).index("rows")].any() == regular


def reading(feed: Feed) -> LabelReading:
    return read_labels(bars_of(feed), feed.calendar)


def gate(bars: dict[str, pl.DataFrame], calendar: pl.DataFrame, **said: Any) -> dict[str, Checked]:
    return check_symbols(bars, dialect(**said), calendar, QUALITY)


def stop(feed: Feed, **said: Any) -> HardFailure | None:
    return gate(bars_of(feed), feed.calendar, **said)["S0"].failure


def flat(calendar: pl.DataFrame = AUTUMN) -> pl.DataFrame:
    """Every regular minute, all bars equal."""
    return minute_grid(calendar).select("ts", open=100.0, high=100.1, low=99.9, close=100.0, volume=100.0)


def test_rows_from_0930_to_1559_are_starts_and_rows_from_0931_to_1600_are_ends() -> None:
    late = flat().with_columns(ts + timedelta(minutes=1))

    starts, ends = read_labels({"S": flat()}, AUTUMN), read_labels({"S": late}, AUTUMN)

    assert (starts.label, starts.shift_min, starts.zone_hours) == ("start", 0, 0)
    assert (ends.label, ends.shift_min, ends.zone_hours) == ("end", 0, 0)
    assert starts.confidence == ends.confidence == 0.999


@pytest.mark.parametrize("rows", ["390", "391", "all"])
@pytest.mark.parametrize(("label", "other"), [("start", "end"), ("end", "start")])
def test_the_right_label_passes_and_the_wrong_one_is_refused(label: str, other: str, rows: str) -> None:
    feed = Feed(seed=5, label=label, rows=rows, begin=JUNE)

    assert stop(feed, bar_label=label) is None
    failure = stop(feed, bar_label=other)
    assert failure is not None
    assert failure.check == "TS5"
    assert f"the stamps name the {label} of each minute" in failure.detail
    assert f"source.bar_label is {other}" in failure.detail


def test_start_labels_read_as_ends_look_ahead_and_ends_read_as_starts_lag() -> None:
    """The bar of 09:30 to 09:31, stamped 09:30 and read as an end, would count as known at 09:30."""
    starts, ends = Feed(seed=5, begin=JUNE), Feed(seed=5, label="end", begin=JUNE)

    assert "would see a minute that is not over yet" in stop(starts, bar_label="end").detail
    assert "known a minute late" in stop(ends, bar_label="start").detail


def test_one_session_without_its_open_decides_nothing_among_sessions_of_391_rows() -> None:
    """It alone has the 390 rows of end labels, 09:31 to 16:00."""
    feed = Feed(seed=8, rows="391", begin=JUNE, wide_open=False)
    bars = bars_of(feed)["S0"]
    lost = bars.filter(ts != feed.calendar["open_utc"][8])

    assert gate({"S": lost}, feed.calendar, bar_label="start")["S"].failure is None
    assert "start of each minute" in gate({"S": lost}, feed.calendar, bar_label="end")["S"].failure.detail


def test_a_first_candle_without_volume_is_no_end_label() -> None:
    feed = Feed(seed=8, rows="all", begin=JUNE, first_volume_zero=True)

    assert stop(feed, bar_label="start") is None
    assert stop(feed, bar_label="end") is not None


def test_an_auction_alone_at_0930_is_dropped_and_counted_under_end_labels() -> None:
    feed = Feed(seed=8, label="end", rows="391", begin=JUNE)
    checked = gate(bars_of(feed), feed.calendar, bar_label="end")["S0"]

    assert checked.failure is None
    assert (checked.counts["auction_rows"], checked.counts["outside_hours"]) == (14, 14)
    first = checked.bars.filter(pl.col("m") == 0).select("open", "volume")
    delivered = bars_of(feed)["S0"].filter(ts.is_in((feed.calendar["open_utc"] + timedelta(minutes=1)).implode()))
    assert first.equals(delivered.select("open", "volume"))
    assert stop(feed, bar_label="start") is not None


def test_a_switch_of_labels_within_the_span_stops_the_run_and_names_the_sessions() -> None:
    feed = Feed(seed=8, begin=JUNE, switched_from=9)
    before, after = feed.calendar["session"][8], feed.calendar["session"][9]

    for declared in ("start", "end"):
        failure = stop(feed, bar_label=declared)
        assert "change their meaning" in failure.detail
        assert f"to {before} 09:30 (start labels); {after} to" in failure.detail


LESS_AND_MORE = (("start", -5), ("start", 2), ("end", -2), ("end", 5))
THE_OTHERS = (("start", -2), ("start", 5), ("end", -5), ("end", 2))


@pytest.mark.parametrize("rows", ["390", "391", "all"])
# each label early and late; the other minutes at length
@pytest.mark.parametrize(
    ("label", "late"), [*LESS_AND_MORE, *(pytest.param(*one, marks=pytest.mark.torture) for one in THE_OTHERS)]
)
def test_stamps_that_are_off_by_some_minutes_are_reported_with_the_shift(label: str, late: int, rows: str) -> None:
    failure = stop(Feed(seed=6, label=label, rows=rows, begin=JUNE, late_min=late), bar_label=label)

    assert f"the stamps are {abs(late)} minutes {'late' if late > 0 else 'early'}" in failure.detail
    assert (f"would see {-late} minutes that are not over yet" in failure.detail) == (late < 0)


def test_stamps_that_are_early_from_some_session_on_are_told_from_there() -> None:
    feed = Feed(seed=6, begin=JUNE)
    turn = feed.calendar["open_utc"][8]
    early = bars_of(feed)["S0"].with_columns(
        ts - pl.when(ts >= turn).then(timedelta(minutes=2)).otherwise(timedelta(0))
    )
    failure = gate({"S": early}, feed.calendar)["S"].failure

    assert failure.session == turn.date()
    assert f"{turn.date()} to {feed.calendar['session'][-1]} 09:28" in failure.detail


@pytest.mark.parametrize("rows", ["390", "all"])
@pytest.mark.parametrize("hours", [-6, -3, -1, 1, 2, 6])
def test_a_zone_that_is_off_by_whole_hours_is_named(hours: int, rows: str) -> None:
    feed = Feed(seed=6, rows=rows, begin=JUNE)
    moved = bars_of(feed)["S0"].with_columns(ts + timedelta(hours=hours))
    failure = gate({"S": moved}, feed.calendar)["S"].failure

    told = "an hour" if abs(hours) == 1 else f"{abs(hours)} hours"
    assert f"begins {told} {'late' if hours > 0 else 'early'}" in failure.detail
    assert "source.zone" in failure.detail


@pytest.mark.parametrize("rows", ["390", "all"])
@pytest.mark.parametrize("begin", [JUNE, 15], ids=["summer", "over the change of clocks"])
def test_new_york_stamps_declared_as_utc_are_named_as_such(begin: int, rows: str) -> None:
    feed = Feed(seed=6, rows=rows, begin=begin, sessions=20)
    local = bars_of(feed)["S0"].with_columns(ts.dt.convert_time_zone("America/New_York").dt.replace_time_zone(None))
    failure = gate({"S": local}, feed.calendar, zone="UTC")["S"].failure

    assert "the stamps are New York's, read as UTC; set source.zone to America/New_York" in failure.detail
    assert gate({"S": local}, feed.calendar, zone="America/New_York")["S"].failure is None


@pytest.mark.parametrize("rows", ["390", "all"])
def test_a_clock_that_ignores_daylight_saving_is_refused_on_the_first_session_it_gets_wrong(rows: str) -> None:
    """Standard time all year round: in summer every stamp is an hour late."""
    feed = Feed(seed=6, rows=rows, begin=12, sessions=30)
    summer = ts < pl.datetime(2023, 11, 5, time_zone="UTC")
    standard = bars_of(feed)["S0"].with_columns(ts + pl.when(summer).then(timedelta(hours=1)).otherwise(timedelta(0)))
    failure = gate({"S": standard}, feed.calendar)["S"].failure

    assert "an hour late" in failure.detail
    assert "daylight saving" in failure.detail
    assert failure.session == feed.calendar["session"][0]


def test_one_source_gets_one_answer_over_its_symbols() -> None:
    """The second symbol lacks every first row, so that alone it could have either label."""
    feed = Feed(seed=5, begin=JUNE)
    bars = bars_of(feed) | {"THIN": flat(feed.calendar).filter(~ts.is_in(feed.calendar["open_utc"].implode()))}

    alone = gate({"THIN": bars["THIN"]}, feed.calendar)["THIN"]
    together = gate(bars, feed.calendar)
    assert alone.undecided
    assert not together["THIN"].undecided
    assert together["THIN"].labels == together["S0"].labels


def test_a_symbol_whose_label_differs_from_the_others_is_refused_alone() -> None:
    feed = Feed(seed=5, begin=JUNE, symbols=2)
    bars = bars_of(feed) | {"ODD": bars_of(replace(feed, label="end", symbols=1))["S0"]}
    checked = gate(bars, feed.calendar, bar_label="start")

    assert [symbol for symbol, one in checked.items() if one.failure] == ["ODD"]


def test_bars_that_do_not_tell_are_undecided_until_the_params_vouch_for_the_label() -> None:
    """Without first rows, 09:31 to 15:59, the bars of a walk could be either."""
    headless = delivery(AUTUMN).filter(~ts.is_in(AUTUMN["open_utc"].implode()))
    doubtful, trusted = (gate({"S": headless}, AUTUMN, bar_label_trusted=trusted) for trusted in (False, True))

    assert "source.bar_label_trusted: true" in doubtful["S"].undecided
    assert (doubtful["S"].failure, trusted["S"].undecided) == (None, "")
    reports = [report_of(one, AUTUMN) for one in (doubtful, trusted)]
    assert [[failure["check"] for failure in report["hard_failures"]] for report in reports] == [["TS5"], []]
    assert [report["symbols"]["S"]["checks"]["TS5_undecided"] for report in reports] == [1, 1]


def test_a_trusted_label_that_bars_contradict_is_refused() -> None:
    assert stop(Feed(seed=5, begin=JUNE), bar_label="end", bar_label_trusted=True) is not None


@pytest.mark.parametrize("feed", [off_by_hours(20), off_by_hours(71), off_by_minutes(76)])
def test_nothing_lets_a_label_pass_that_is_refuted_though_the_bars_do_not_tell_the_right_one(feed: Feed) -> None:
    """The first stamp is one of two neighbours, and both are hours, or a minute, from 09:30 and 09:31."""
    assert not reading(feed).is_decided()
    assert min(abs(feed.offset_min), abs(feed.offset_min - 1)) > 0
    for label in ("start", "end"):
        wrong = stop(feed, bar_label=label, bar_label_trusted=True)
        assert wrong is not None
        assert (wrong.check, "source.bar_label or source.zone is wrong" in wrong.detail) == ("TS5", True)


def test_one_symbol_on_another_clock_is_refused_though_its_bars_do_not_tell_the_label() -> None:
    odd = off_by_hours(20)
    sound = {f"S{n}": bars_of(Feed(seed=n, begin=odd.begin, sessions=20))["S0"] for n in (1, 2)}
    checked = gate({"ODD": bars_of(odd)["S0"], **sound}, odd.calendar)
    assert [symbol for symbol, one in checked.items() if one.failure] == ["ODD"]


def test_one_session_never_decides_and_two_sound_ones_outweigh_none() -> None:
    assert not read_labels({"S": flat(AUTUMN[:1])}, AUTUMN[:1]).is_decided()
    assert read_labels({"S": flat(AUTUMN[:2])}, AUTUMN[:2]).is_decided()


def test_half_days_and_torn_sessions_say_nothing() -> None:
    half = trading_calendar(date(2024, 11, 29), date(2024, 11, 29))
    torn = flat(AUTUMN[:3]).filter(ts.dt.hour() < 16)

    assert read_labels({"S": flat(half)}, half).sessions == 0
    assert read_labels({"S": torn}, AUTUMN[:3]).sessions == 0


def test_more_sessions_or_more_confidence_can_be_asked_for() -> None:
    """Two sessions of 390 rows speak 3 nats each: e^6 is 403 to 1, more than 0.99 and less than 0.999."""
    two = AUTUMN[:2]
    for changed, is_undecided in (
        ({}, False),
        ({"label_min_sessions": 3}, True),
        ({"label_min_confidence": 0.999}, True),
    ):
        asked = QualityParams.model_validate(QUALITY.model_dump() | changed)
        assert bool(check_symbols({"S": flat(two)}, dialect(), two, asked)["S"].undecided) is is_undecided


def test_the_five_minute_rhythm_of_volume_is_read_and_decides_nothing_alone() -> None:
    """30 sessions of equal bars without their first rows; half as much again is traded in minutes like 10:05."""
    middle = flat().with_columns(pl.Series("volume", np.random.default_rng(1).lognormal(5, 0.3, flat().height)))
    minute_of_hour = ts.dt.minute()
    starts = middle.with_columns(pl.when(minute_of_hour % 5 == 0).then(pl.col("volume") * 1.5).otherwise("volume"))
    kept = starts.filter(~ts.is_in(AUTUMN["open_utc"].implode()))

    heard = read_labels({"S": kept}, AUTUMN)
    silent = read_labels({"S": middle.filter(~ts.is_in(AUTUMN["open_utc"].implode()))}, AUTUMN)
    assert heard.offset_min == 0
    assert silent.confidence < heard.confidence < QUALITY.label_min_confidence


@pytest.mark.skipif(not CASES.exists(), reason="no cases beside the repository")
@pytest.mark.parametrize(
    ("case", "first", "last", "label", "words"),
    [
        ("label-one-session-without-its-open", (2024, 11, 4), (2024, 11, 21), "start", None),
        ("label-one-session-without-its-open", (2024, 11, 4), (2024, 11, 21), "end", "start of each minute"),
        ("label-first-candle-volume-0", (2024, 11, 4), (2024, 11, 21), "start", None),
        ("label-first-candle-volume-0", (2024, 11, 4), (2024, 11, 21), "end", "start of each minute"),
        ("label-end-with-auction-row", (2024, 11, 4), (2024, 11, 21), "end", None),
        ("label-end-with-auction-row", (2024, 11, 4), (2024, 11, 21), "start", "end of each minute"),
        ("label-switches-mid-span", (2024, 6, 3), (2024, 6, 21), "start", "2024-06-14 to 2024-06-21 09:31"),
        ("stamps-two-minutes-early", (2024, 11, 4), (2024, 11, 21), "start", "2024-11-14 to 2024-11-21 09:28"),
        ("new-york-stamps-declared-utc", (2024, 6, 3), (2024, 6, 21), "start", "stamps are New York's, read as UTC"),
    ],
)
def test_a_case_ends_as_its_table_says(case: str, first: Any, last: Any, label: str, words: str | None) -> None:
    bars = pl.read_parquet(CASES / case / "A.parquet")
    zone = "UTC" if bars.schema["ts"].time_zone is None else None
    checked = gate({"A": bars}, trading_calendar(date(*first), date(*last)), bar_label=label, zone=zone)["A"]

    assert not checked.undecided
    assert (checked.failure is None) if words is None else (words in checked.failure.detail)


def test_the_feeds_are_what_they_claim_to_be() -> None:
    """By hand: end labels and an auction row are 391 stamps from 09:30 to 16:00 a session, the first a print."""
    feed = Feed(seed=1, label="end", rows="391", begin=JUNE, sessions=3)
    bars = bars_of(feed)["S0"].with_columns(local=ts.dt.convert_time_zone("America/New_York"))

    assert bars.group_by(ts.dt.date()).len()["len"].to_list() == [391] * 3
    assert bars["local"].dt.time().unique().sort()[[0, -1]].cast(pl.String).to_list() == ["09:30:00", "16:00:00"]
    prints = bars.filter(pl.col("local").dt.time() == pl.time(9, 30))
    assert (prints["high"] == prints["low"]).all()
    assert all_sessions()["is_half"].sum() >= 4
