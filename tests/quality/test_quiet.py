"""A minute without a bar is a minute without a trade where params say so; whether it is depends on nothing after it."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.configuration.compose import compose
from stages.params.quality import QualityParams
from stages.params.study import problems
from stages.quality.asof import sound_so_far
from stages.quality.clean import filled, placed
from stages.quality.copies import copied_sessions
from stages.quality.cross_symbol import check_symbols
from stages.quality.gate import Checked
from stages.quality.ingest import Ingested
from stages.quality.levels import judge_levels
from stages.quality.proposals import proposal
from stages.quality.sessions import judge_sessions
from stages.sessions.calendar import trading_calendar
from stages.trading.market import bars_of
from tests.quality.deliveries import CALENDAR, QUALITY, bar, day, delivery, dialect, minute, minutes, report_of

TUESDAY, HALF_DAY = date(2024, 11, 19), date(2024, 11, 29)
PRICES = ("open", "high", "low", "close")
REAL_BARS = Path("../shared/data/stocks/1m/AAPL/2024")


def params(**changes: Any) -> QualityParams:
    return QualityParams.model_validate(QUALITY.model_dump() | changes)


QUIET = params(no_trade_minutes="quiet", quiet_max_min=7, min_session_completeness=0.85)


def checked(delivered: pl.DataFrame, quality: QualityParams = QUIET) -> Checked:
    return check_symbols({"SYM": delivered}, dialect(), CALENDAR, quality)["SYM"]


def thin(share: float = 0.07, seed: int = 3) -> pl.DataFrame:
    """A name that trades in most minutes, and has a bar in these only."""
    return delivery().filter(pl.Series(np.random.default_rng(seed).random(delivery().height)) >= share)


def reasons(one: Checked, quality: QualityParams, session: date = TUESDAY) -> list[str | None]:
    told = one.bars.select("ts", "session").join(sound_so_far(one.bars, quality), on="ts", maintain_order="left")
    return told.filter(session=session)["reason"].to_list()


def test_quiet_minutes_have_the_last_price_no_volume_and_are_no_bars_to_trade_on() -> None:
    """Seven in a row, where a gap would be filled for five and drop the session at six."""
    one = checked(delivery().filter(~minutes(TUESDAY, 100, 106)))
    last = bar(one, TUESDAY, 99)["close"]

    for m in range(100, 107):
        found = bar(one, TUESDAY, m)
        assert [found[price] for price in PRICES] == [last] * 4
        assert (found["volume"], found["is_filled"], found["gap_len"]) == (0.0, True, m - 99)
    assert day(one, TUESDAY)["verdict"] == "pass"
    assert day(checked(delivery().filter(~minutes(TUESDAY, 100, 106)), QUALITY), TUESDAY)["reason"] == "sustained_gap"
    assert len(bars_of("A", {"A": one.bars})) == delivery().height - 7


def test_a_run_that_grows_too_long_fails_from_that_minute_on_and_changes_none_before() -> None:
    one = checked(delivery().filter(~minutes(TUESDAY, 100, 110)))

    assert reasons(one, QUIET) == [None] * 107 + ["sustained_gap"] * 283
    assert [bar(one, TUESDAY, m)["is_filled"] for m in range(100, 111)] == [True] * 7 + [False] * 4
    assert day(one, TUESDAY)["reason"] == "sustained_gap"


def test_a_thin_name_that_is_thrown_away_as_a_gap_is_kept_as_quiet() -> None:
    """8 % of 390 minutes are 31; a gap may take 19 of them."""
    as_gap, as_quiet = (checked(thin(), quality).days for quality in (QUALITY, QUIET))

    assert as_gap["reason"].value_counts(sort=True)["reason"][0] == "incomplete"
    assert as_gap["verdict"].to_list().count("fail") > 10
    assert as_quiet["verdict"].unique().to_list() == ["pass"]


def test_a_morning_is_incomplete_only_once_more_minutes_lack_a_trade_than_may_in_a_row() -> None:
    """Every other minute from 1 on: of 15 minutes 7 are quiet (53 % traded), of 17 the eighth is one too many."""
    gone = [minute(TUESDAY, m) for m in range(1, 16, 2)]
    one = checked(delivery().filter(~pl.any_horizontal(gone)))

    assert reasons(one, QUIET)[:15] == [None] * 15
    assert reasons(one, QUIET)[15:20] == ["incomplete"] * 5
    assert reasons(one, QUIET)[-1] is None
    assert day(one, TUESDAY)["verdict"] == "pass"


def test_no_trade_in_the_first_minute_is_no_warning_but_leaves_it_empty() -> None:
    """Yesterday's close is no price of today, of a thin name neither."""
    one = checked(delivery().filter(~minute(TUESDAY, 0)))

    assert (bar(one, TUESDAY, 0)["close"], bar(one, TUESDAY, 0)["is_filled"]) == (None, False)
    assert day(one, TUESDAY)["verdict"] == "pass"
    assert day(checked(delivery().filter(~minute(TUESDAY, 0)), QUALITY), TUESDAY)["verdict"] == "warn"


def test_a_first_minute_without_volume_repeats_nothing_of_its_session_and_is_a_bar() -> None:
    silent = pl.when(minute(TUESDAY, 0)).then(0.0).otherwise("volume")
    one = checked(delivery().with_columns(volume=silent))

    assert bar(one, TUESDAY, 0)["close"] == delivery().filter(minute(TUESDAY, 0))["close"][0]


def test_a_vendor_who_repeats_the_last_price_without_volume_says_the_same_as_one_who_sends_nothing() -> None:
    hit = minutes(TUESDAY, 100, 104)
    last = delivery().filter(minute(TUESDAY, 99))["close"][0]
    repeated = delivery().with_columns(
        pl.when(hit).then(value).otherwise(name).alias(name)
        for name, value in {**dict.fromkeys(PRICES, last), "volume": 0.0}.items()
    )
    moved = repeated.with_columns(high=pl.when(minute(TUESDAY, 102)).then(last + 0.01).otherwise("high"))

    assert checked(repeated).bars.equals(checked(delivery().filter(~hit)).bars)
    assert bar(checked(moved), TUESDAY, 102)["gap_len"] == 0, "a price that moved was traded"
    assert bar(checked(repeated, QUALITY), TUESDAY, 102)["gap_len"] == 0, "nothing was stated: the bar stands"


@settings(max_examples=6, deadline=None)
@given(cut=st.integers(400, 5200), share=st.floats(0.02, 0.4), seed=st.integers(0, 1000))
def test_whatever_follows_an_absent_minute_changes_nothing_of_it(cut: int, share: float, seed: int) -> None:
    """The future is cut off, so that no bar follows; or it is another one, with a bar in every minute."""
    vendor = thin(share, seed)
    edge = checked(vendor).bars["ts"][cut]
    base = checked(vendor)
    for future in (vendor.clear(), delivery(seed=9).filter(pl.col("ts") >= edge)):
        other = checked(pl.concat([vendor.filter(pl.col("ts") < edge), future]))
        assert other.bars.head(cut).equals(base.bars.head(cut))
        assert sound_so_far(other.bars, QUIET).head(cut).equals(sound_so_far(base.bars, QUIET).head(cut))


def test_thresholds_of_one_symbol_are_its_own() -> None:
    quality = params(by_symbol={"THIN": {"no_trade_minutes": "quiet", "min_session_completeness": 0.8}})
    found = check_symbols({"THIN": thin(), "SYM": thin()}, dialect(), CALENDAR, quality)

    assert found["THIN"].days["verdict"].unique().to_list() == ["pass"]
    assert found["SYM"].days.equals(checked(thin(), QUALITY).days)
    assert quality.of("THIN").quiet_max_min == QUALITY.quiet_max_min
    assert quality.of("SYM") is quality


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"quiet_max_min": 0}, r"by_symbol\.THIN\.quiet_max_min = 0: "),
        ({"no_trade_minutes": "loud"}, r"by_symbol\.THIN\.no_trade_minutes = 'loud'"),
        ({"max_price": 0.5}, r"max_price"),
    ],
)
def test_thresholds_that_cannot_be_are_refused_by_name(own: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        params(by_symbol={"THIN": own})


def test_thresholds_of_a_symbol_that_the_study_does_not_hold_are_refused() -> None:
    document = compose()
    symbol = document["universe"]["symbols"][0]
    document["quality"]["by_symbol"] = {symbol: {"quiet_max_min": 5}}
    assert problems(document) == []

    document["quality"]["by_symbol"] = {"TYPO": {"quiet_max_min": 5}}
    assert problems(document) == [
        "the values ['TYPO'] of quality.by_symbol are not among universe ['FACTOR', 'NULL', 'STRONG', 'WEAK']: change "
        "one of the two."
    ]


def test_what_the_gate_proposes_works() -> None:
    """Scattered minutes: the sentence names the line, and stating it makes as many sessions usable as it says."""
    one = checked(thin(), QUALITY)
    fitting = proposal(one.days, QUALITY)
    assert fitting is not None
    own = {
        "no_trade_minutes": "quiet",
        "quiet_max_min": fitting.quiet_max_min,
        "min_session_completeness": fitting.min_session_completeness,
    }
    days = checked(thin(), params(by_symbol={"SYM": own})).days
    (failure,) = report_of({"SYM": one})["hard_failures"]

    assert (fitting.usable, fitting.sessions) == (14, 14) == (int((days["verdict"] != "fail").sum()), days.height)
    assert fitting.absent_share == pytest.approx(1 - thin().height / delivery().height)
    stated = ", ".join(f"{name}: {value}" for name, value in own.items())
    assert f"set quality.by_symbol: {{SYM: {{{stated}}}}}; then 14 of 14 sessions are usable" in failure["detail"]


def test_where_a_gap_may_be_longer_than_a_session_quiet_minutes_are_proposed_for_a_whole_one() -> None:
    fitting = proposal(checked(thin(), params(max_gap_min=400)).days, params(max_gap_min=400))

    assert fitting is not None
    assert (fitting.quiet_max_min, fitting.usable) == (390, 14)


def test_what_is_proposed_saves_no_session_that_another_check_fails() -> None:
    """Forty bars of one price in a session that also lacks scattered minutes: stating them leaves it stale."""
    price = delivery().filter(minute(TUESDAY, 100))["close"][0]
    hit = minutes(TUESDAY, 100, 149)
    still = thin().with_columns(pl.when(hit).then(price).otherwise(name).alias(name) for name in PRICES)
    fitting = proposal(checked(still, QUALITY).days, QUALITY)
    assert fitting is not None
    stated = params(
        no_trade_minutes="quiet",
        quiet_max_min=fitting.quiet_max_min,
        min_session_completeness=fitting.min_session_completeness,
    )
    days = checked(still, stated).days

    assert days.filter(session=TUESDAY)["reason"].item() == "stale"
    assert fitting.usable == int((days["verdict"] != "fail").sum()) == 13


def test_a_share_of_minutes_exactly_at_the_limit_is_enough() -> None:
    """78 of 390 minutes are 0.2; 1 - 0.8 is a little less."""
    m = pl.int_range(pl.len()).over(pl.col("ts").dt.date())
    fifth = delivery().filter((m % 5 == 0) | (pl.col("ts").dt.date() != TUESDAY))
    for quality in (params(min_session_completeness=0.2), params(min_session_completeness=0.2, max_gap_min=4)):
        assert day(checked(fifth, quality), TUESDAY)["completeness"] == 0.2
        assert day(checked(fifth, quality), TUESDAY)["reason"] is None


def outage(first: int, last: int) -> pl.DataFrame:
    """The same minutes of every session lost in one piece."""
    grid = delivery().with_columns(m=pl.int_range(pl.len()).over(pl.col("ts").dt.date()))
    return grid.filter(~pl.col("m").is_between(first, last)).drop("m")


def removed() -> pl.DataFrame:
    """Bars that came in every minute, some of them impossible."""
    hit = pl.Series(np.random.default_rng(3).random(delivery().height)) < 0.07
    return delivery().with_columns(low=pl.when(hit).then(900.0).otherwise("low"))


def filled_by_the_vendor() -> pl.DataFrame:
    """A vendor who has a bar without volume for a minute without a trade, and loses others."""
    idle = pl.Series(np.random.default_rng(4).random(thin().height)) < 0.1
    return thin().with_columns(volume=pl.when(idle).then(0.0).otherwise("volume"))


@pytest.mark.parametrize("vendor", [outage(100, 130), outage(350, 389), removed(), filled_by_the_vendor(), delivery()])
def test_minutes_that_are_absent_in_one_piece_or_not_absent_at_all_are_not_called_quiet(vendor: pl.DataFrame) -> None:
    assert proposal(checked(vendor, QUALITY).days, QUALITY) is None


@pytest.mark.parametrize(("wider", "usable"), [(0, 14), (1, 13)])
def test_a_gap_as_long_as_what_is_proposed_is_quiet_and_one_minute_more_is_not(wider: int, usable: int) -> None:
    """Of a session whose minutes are absent in one piece, so that nothing is proposed from it."""
    days = checked(thin(), QUALITY).days.sort("longest_gap")
    fitting = proposal(days[1:], QUALITY)
    assert fitting is not None
    one_piece = days[:1].with_columns(n_gaps=1, longest_gap=fitting.quiet_max_min + wider, reason=pl.lit("incomplete"))
    found = proposal(pl.concat([one_piece, days[1:]], how="vertical_relaxed"), QUALITY)
    assert found is not None
    assert (found.quiet_max_min, found.usable) == (fitting.quiet_max_min, usable)


def lacking(*sessions: dict[str, int]) -> pl.DataFrame:
    """Sessions of 400 minutes of which 100 are missing, independently in 75 runs."""
    usual = {"n_expected": 400, "n_raw": 300, "n_missing": 100, "n_gaps": 75}
    return pl.DataFrame([usual | one for one in sessions]).with_columns(
        HLT1=0, n_without_volume=0, longest_gap=6, completeness=0.75, longest_stale=1, stale_limit=30,
        reason=pl.lit("incomplete"), verdict=pl.lit("fail"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sessions", "quiet"),
    [
        ([{"n_gaps": 45}], True),  # 0.6 of the runs
        ([{"n_gaps": 44}], False),
        ([{"n_raw": 310}], True),  # a tenth of the missing minutes had a bar
        ([{"n_raw": 311}], False),
        ([{}, {"n_gaps": 1}], False),  # half of the sessions
        ([{}, {}, {"n_gaps": 1}], True),
    ],
)
def test_what_counts_as_scattered_at_its_limits(sessions: list[dict[str, int]], quiet: bool) -> None:
    assert (proposal(lacking(*sessions), QUALITY) is not None) == quiet


def test_where_no_session_fails_for_scattered_minutes_nothing_is_proposed() -> None:
    usable = lacking({}, {}).with_columns(reason=pl.lit(None, pl.String), verdict=pl.lit("warn"))
    assert proposal(usable, QUALITY) is None
    assert proposal(pl.concat([usable, lacking({})], how="vertical_relaxed"), QUALITY) is not None


def test_a_symbol_whose_quiet_minutes_are_stated_is_proposed_nothing_more() -> None:
    assert proposal(checked(thin(), QUIET).days, QUIET) is None


@pytest.mark.skipif(not REAL_BARS.exists(), reason="no real bars beside the repository")
def test_real_minutes_without_a_trade_are_scattered() -> None:
    """AAPL from 13:30 to 20:00, moved to regular hours: the four hours behind the close lack 3 to 51 % of their bars.

    4 of 65 sessions are usable as gaps, 63 with what the gate proposes.
    """
    calendar = trading_calendar(date(2024, 1, 2), date(2024, 4, 4))
    bars = pl.concat(pl.read_parquet(file) for file in sorted(REAL_BARS.glob("*.parquet"))).sort("t")
    moved = bars.select(
        pl.col("t").dt.offset_by("-4h").alias("ts"),
        **{name: pl.col(name[0]).cast(pl.Float64) for name in (*PRICES, "volume")},
    )

    def days(quality: QualityParams) -> pl.DataFrame:
        grid = placed(moved, calendar, quality)
        marks = (
            judge_levels(grid, {}, quality)
            .by_session(calendar)
            .join(copied_sessions(grid, quality), on="session", how="left")
        )
        rows = filled(grid, quality).with_columns(PX7=pl.lit(value=False), PX8=pl.lit(value=False))
        return judge_sessions(rows, Ingested.nothing(), marks, calendar, quality)

    found = days(QUALITY)
    fitting = proposal(found, QUALITY)
    assert fitting is not None
    stated = params(
        no_trade_minutes="quiet",
        quiet_max_min=fitting.quiet_max_min,
        min_session_completeness=fitting.min_session_completeness,
    )
    usable = int((days(stated)["verdict"] != "fail").sum())
    assert ((found["verdict"] != "fail").sum(), found.height) == (4, 65)
    assert usable == fitting.usable == 63
