"""Start or end label, and whether the vendor's clock follows daylight saving: told by the bars themselves."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from stages.quality.failure import HardFailure
from stages.quality.labels import check_label
from stages.universe.calendar import trading_calendar
from stages.universe.grid import minute_grid
from tests.quality.deliveries import QUALITY, dialect

AUTUMN = trading_calendar(date(2024, 10, 14), date(2024, 11, 22))  # the clocks change on 2024-11-03
ts = pl.col("ts")


def regular_hours(calendar: pl.DataFrame = AUTUMN) -> pl.DataFrame:
    return minute_grid(calendar).select("ts", volume=pl.lit(100.0))


def all_hours(calendar: pl.DataFrame = AUTUMN, auction: float = 5000.0, quiet: float = 0.1) -> pl.DataFrame:
    """Two hours around each session as well, a share `quiet` as busy, and an auction in the first minute."""
    generator = np.random.default_rng(3)
    minutes = pl.int_ranges(-120, pl.col("n_bars") + 120)
    frame = calendar.select("open_utc", "n_bars", m=minutes).explode("m")
    regular = frame.select(pl.col("m").is_between(0, pl.col("n_bars") - 1)).to_series().to_numpy()
    volume = generator.integers(100, 1000, frame.height) * np.where(regular, 1.0, quiet)
    volume = np.where(frame["m"] == 0, auction, volume)
    return frame.select(ts=pl.col("open_utc") + pl.duration(minutes=pl.col("m")), volume=pl.Series(volume))


def shifted(stamps: pl.DataFrame, minutes: int) -> pl.DataFrame:
    return stamps.with_columns(ts + timedelta(minutes=minutes))


@pytest.mark.parametrize("stamps", [regular_hours(), all_hours()], ids=["regular hours", "all hours"])
def test_the_right_label_is_confirmed_and_the_wrong_one_refused(stamps: pl.DataFrame) -> None:
    assert check_label(stamps, AUTUMN, dialect(bar_label="start"), QUALITY)
    assert check_label(shifted(stamps, 1), AUTUMN, dialect(bar_label="end"), QUALITY)
    with pytest.raises(HardFailure, match=r"end of each minute.*09:31.*source\.bar_label is start"):
        check_label(shifted(stamps, 1), AUTUMN, dialect(bar_label="start"), QUALITY)
    with pytest.raises(HardFailure, match=r"start of each minute.*09:30.*source\.bar_label is end"):
        check_label(stamps, AUTUMN, dialect(bar_label="end"), QUALITY)


@pytest.mark.parametrize("stamps", [regular_hours(), all_hours()], ids=["regular hours", "all hours"])
def test_a_clock_that_ignores_daylight_saving_is_refused_on_the_first_session_it_gets_wrong(
    stamps: pl.DataFrame,
) -> None:
    """Standard time all year round: in summer every stamp is an hour late."""
    summer = ts < pl.datetime(2024, 11, 3, time_zone="UTC")
    standard_time = stamps.with_columns(ts + pl.when(summer).then(timedelta(hours=1)).otherwise(timedelta(0)))

    with pytest.raises(HardFailure, match=r"an hour late.*source\.zone") as caught:
        check_label(standard_time, AUTUMN, dialect(), QUALITY)
    assert caught.value.session == date(2024, 10, 14)


@pytest.mark.parametrize(("auction", "quiet"), [(500.0, 0.1), (500.0, 1.0), (5000.0, 1.0)])
def test_without_an_auction_and_an_awakening_that_stand_out_nothing_is_decided(auction: float, quiet: float) -> None:
    assert not check_label(all_hours(auction=auction, quiet=quiet), AUTUMN, dialect(), QUALITY)


def test_a_few_sessions_of_all_hours_do_not_decide() -> None:
    few = AUTUMN.tail(9)

    assert not check_label(shifted(all_hours(few), 1), few, dialect(bar_label="start"), QUALITY)
    with pytest.raises(HardFailure, match="end of each minute"):
        check_label(
            shifted(all_hours(few), 1),
            few,
            dialect(bar_label="start"),
            QUALITY.model_copy(update={"label_min_volume_sessions": 9}),
        )


def test_how_far_the_auction_must_stand_out_is_said_by_the_params() -> None:
    """Its minute has 1000 shares where some 550 are usual: more than 1.5 times as many, less than 3 times."""
    stamps = all_hours(auction=1000.0)

    assert check_label(stamps, AUTUMN, dialect(), QUALITY)
    assert not check_label(stamps, AUTUMN, dialect(), QUALITY.model_copy(update={"label_min_volume_ratio": 3.0}))


def test_sessions_that_lack_their_first_minute_do_not_vote() -> None:
    first = AUTUMN["open_utc"].to_list()
    late = regular_hours().filter(~ts.is_in(first))

    assert not check_label(late, AUTUMN, dialect(), QUALITY)


def test_half_days_do_not_vote() -> None:
    half = trading_calendar(date(2024, 11, 29), date(2024, 11, 29))

    assert not check_label(regular_hours(half), half, dialect(), QUALITY)
