"""A halt of one symbol is told apart from a feed that broke for all."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from stages.quality.long_gaps import Trading, _kind, long_gaps, silence_of, unlisted_halts
from tests.quality.deliveries import QUALITY, delivery, minutes, through_the_gate

TUESDAY = date(2024, 11, 19)
GAP = {"session": "2024-11-19", "first_minute": 100, "minutes": 20}


def bars(*gaps: tuple[int, int], seed: int = 1) -> pl.DataFrame:
    gone = [minutes(TUESDAY, first, last) for first, last in gaps]
    return through_the_gate(delivery(seed=seed).filter(~pl.any_horizontal(*gone, pl.lit(value=False)))).bars


def found_in(symbols: dict[str, pl.DataFrame], **changes: float) -> dict[str, list[dict]]:
    quality = QUALITY.model_copy(update=changes)
    return long_gaps({symbol: silence_of(frame, quality) for symbol, frame in symbols.items()}, quality)


def test_a_symbol_that_is_silent_alone_was_halted() -> None:
    found = found_in({"AAA": bars((100, 119)), "BBB": bars(seed=2), "CCC": bars(seed=3)})

    assert found == {"AAA": [GAP | {"kind": "halt"}], "BBB": [], "CCC": []}


def test_symbols_that_are_silent_together_lost_their_feed() -> None:
    found = found_in({"AAA": bars((100, 119)), "BBB": bars((100, 119), seed=2), "CCC": bars((95, 125), seed=3)})

    assert found["AAA"] == found["BBB"] == [GAP | {"kind": "feed"}]
    assert found["CCC"] == [{"session": "2024-11-19", "first_minute": 95, "minutes": 31, "kind": "feed"}]


def test_how_many_others_must_trade_for_a_halt_is_said_by_the_params() -> None:
    """One of two others trades: half of their minutes."""
    symbols = {"AAA": bars((100, 119)), "BBB": bars((100, 119), seed=2), "CCC": bars(seed=3)}

    assert found_in(symbols)["AAA"] == [GAP | {"kind": "feed"}]
    assert found_in(symbols, halt_min_trading_share=0.49)["AAA"] == [GAP | {"kind": "halt"}]


def test_a_single_symbol_cannot_tell() -> None:
    assert found_in({"AAA": bars((100, 119))}) == {"AAA": [GAP | {"kind": "alone"}]}


def test_a_symbol_counts_from_its_first_bar_to_a_session_behind_its_last() -> None:
    """Silent on Tuesday: of two others one trades, and the other came later, went on Monday, or went long before."""
    listed_later = bars(seed=3).with_columns(gap_len=pl.when(pl.col("session") <= TUESDAY).then(1).otherwise("gap_len"))
    monday = bars(seed=3).with_columns(gap_len=pl.when(pl.col("session") >= TUESDAY).then(1).otherwise("gap_len"))
    thursday = date(2024, 11, 21)
    late = through_the_gate(delivery().filter(~minutes(thursday, 100, 119))).bars

    assert found_in({"AAA": bars((100, 119)), "BBB": bars(seed=2), "CCC": listed_later})["AAA"][0]["kind"] == "halt"
    assert found_in({"AAA": bars((100, 119)), "BBB": bars(seed=2), "CCC": monday})["AAA"][0]["kind"] == "feed"
    assert found_in({"AAA": late, "BBB": bars(seed=2), "CCC": monday})["AAA"][0]["kind"] == "halt"
    assert found_in({"AAA": late, "CCC": monday})["AAA"][0]["kind"] == "alone"


def test_short_gaps_and_whole_sessions_are_no_long_gaps() -> None:
    assert found_in({"AAA": bars((100, 104)), "BBB": bars((0, 389), seed=2)}) == {"AAA": [], "BBB": []}


def test_two_gaps_of_one_session_stay_two() -> None:
    found = found_in({"AAA": bars((0, 9), (380, 389)), "BBB": bars(seed=2)})["AAA"]

    assert [(gap["first_minute"], gap["minutes"]) for gap in found] == [(0, 10), (380, 10)]


@pytest.mark.parametrize(("allowed", "first"), [(0, 1), (1, 1), (2, 2)])
def test_an_unlisted_halt_begins_at_the_longest_allowed_gap_and_not_before_a_minute_is_missing(
    allowed: int, first: int
) -> None:
    """Minutes 100 to 119 after 14:30 are missing: the first is over at 16:11, the bar behind the last at 16:31."""
    quality = QUALITY.model_copy(update={"unlisted_halts": "keep", "max_gap_min": allowed})
    symbols = {"AAA": bars((100, 119)), "BBB": bars(seed=2)}

    halts = unlisted_halts({symbol: silence_of(frame, quality) for symbol, frame in symbols.items()}, quality)

    silent_from, known_again = (datetime(2024, 11, 19, 16, m, tzinfo=UTC) for m in (10, 31))
    assert halts["AAA"].select("halted_at", "resumed_at").rows() == [
        (silent_from + timedelta(minutes=first), known_again)
    ]
    assert halts["BBB"].is_empty()


@pytest.mark.parametrize(("share", "halts"), [(0.5, 0), (0.49, 1)])
def test_an_unlisted_halt_is_kept_where_the_others_traded_in_more_than_the_share(share: float, halts: int) -> None:
    """One of two others trades: half of their minutes."""
    quality = QUALITY.model_copy(update={"unlisted_halts": "keep", "halt_min_trading_share": share})
    symbols = {"AAA": bars((100, 119)), "BBB": bars((100, 119), seed=2), "CCC": bars(seed=3)}
    found = unlisted_halts({symbol: silence_of(frame, quality) for symbol, frame in symbols.items()}, quality)
    assert found["AAA"].height == halts


def test_each_minute_of_an_unlisted_halt_is_judged_by_the_gap_before_it() -> None:
    """The other stops at minute 110: through minute 118 it traded in 10 of 19, through 119 in 10 of 20, a half."""
    quality = QUALITY.model_copy(update={"unlisted_halts": "keep"})
    symbols = {"AAA": bars((100, 129)), "BBB": bars((110, 129), seed=2)}
    found = unlisted_halts({symbol: silence_of(frame, quality) for symbol, frame in symbols.items()}, quality)

    after_five_missing, minute_120 = (datetime(2024, 11, 19, 16, m, tzinfo=UTC) for m in (15, 30))
    assert found["AAA"].select("halted_at", "resumed_at").rows() == [(after_five_missing, minute_120)]


@pytest.mark.parametrize(("absent", "kind"), [(5, "listed_halt"), (6, "alone")])
def test_a_listed_halt_explains_a_gap_in_which_no_more_else_is_missing_than_may_be(absent: int, kind: str) -> None:
    one = silence_of(bars((100, 119)), QUALITY)
    gap = one.gaps.row(0, named=True) | {"halted": 3, "market_wide": False, "absent": absent}
    assert _kind(gap, one, Trading.of({"AAA": one}).without(one), QUALITY) == kind
