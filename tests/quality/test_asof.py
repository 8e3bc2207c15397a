"""The verdict on the session in progress knows its morning, never its afternoon."""

from datetime import date

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.quality.asof import sound_so_far
from tests.quality.deliveries import QUALITY, Checked, delivery, minute, minutes, through_the_gate

TUESDAY = date(2024, 11, 19)


def so_far(checked: Checked) -> pl.DataFrame:
    return checked.bars.select("ts", "session", "m").join(
        sound_so_far(checked.bars, QUALITY), on="ts", how="left", maintain_order="left"
    )


def reasons(checked: Checked, session: date = TUESDAY) -> list[str | None]:
    return so_far(checked).filter(session=session)["reason"].to_list()


def test_a_gap_in_the_afternoon_does_not_drop_the_morning() -> None:
    checked = through_the_gate(delivery().filter(~minutes(TUESDAY, 300, 305)))

    assert reasons(checked) == [None] * 305 + ["sustained_gap"] * 85


def test_one_missing_minute_weighs_more_in_the_morning() -> None:
    """At minute 10 one of 11 is missing (90.9 %); from minute 19 on at least 19 of 20 are there (95 %)."""
    checked = through_the_gate(delivery().filter(~minute(TUESDAY, 10)))

    assert reasons(checked) == [None] * 10 + ["incomplete"] * 9 + [None] * 371


def test_a_feed_that_stands_still_is_unsound_once_it_has_stood_for_thirty_bars() -> None:
    price = delivery().filter(minute(TUESDAY, 100))["close"][0]
    names = ("open", "high", "low", "close")
    frozen = [pl.when(minutes(TUESDAY, 100, 140)).then(price).otherwise(n).alias(n) for n in names]

    assert reasons(through_the_gate(delivery().with_columns(frozen))) == [None] * 129 + ["stale"] * 261


@settings(max_examples=10, deadline=None)
@given(cut=st.integers(1, 5200), share=st.floats(0.9, 1.0), seed=st.integers(0, 1000))
def test_cutting_the_future_off_changes_no_verdict(cut: int, share: float, seed: int) -> None:
    checked = through_the_gate(delivery().sample(fraction=share, seed=seed))
    whole = sound_so_far(checked.bars, QUALITY)

    assert sound_so_far(checked.bars.head(cut), QUALITY).equals(whole.head(cut))


@settings(max_examples=10, deadline=None)
@given(share=st.floats(0.9, 1.0), seed=st.integers(0, 1000))
def test_at_the_close_it_is_the_verdict_on_the_whole_session(share: float, seed: int) -> None:
    checked = through_the_gate(delivery().sample(fraction=share, seed=seed))
    last = so_far(checked).group_by("session").agg(pl.col("reason").sort_by("m").last()).sort("session")

    assert last["reason"].to_list() == checked.days["reason"].to_list()
