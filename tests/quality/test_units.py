"""Prices in a unit that cannot be right are refused; prices that only look odd are not."""

import polars as pl
import pytest

from stages.params.quality import QualityParams
from stages.quality.cross_symbol import check_symbols
from stages.quality.units import check_unit
from stages.quality.verdicts import HardFailure
from tests.quality.deliveries import CALENDAR, QUALITY, delivery, dialect, through_the_gate

PRICES = ("open", "high", "low", "close")


def in_unit(factor: float, dtype: type[pl.DataType] = pl.Float64) -> pl.DataFrame:
    return delivery().with_columns((pl.col(PRICES) * factor).round(4).cast(dtype))


def of(prices: list[float]) -> pl.DataFrame:
    return pl.DataFrame({"high": prices, "low": prices}, schema={"high": pl.Float64, "low": pl.Float64})


@pytest.mark.parametrize("factor", [1e9, 1e6, 1e4, 1e2])
@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64])
def test_fixed_point_prices_are_refused(factor: float, dtype: type[pl.DataType]) -> None:
    failure = through_the_gate(in_unit(factor, dtype)).failure

    assert failure is not None
    assert failure.check == "PX9"
    assert "quality.tick_size" in failure.detail


@pytest.mark.parametrize(("factor", "tick"), [(1e-9, 0.01), (1.0, 1e6)])
def test_prices_far_below_a_tick_are_refused_and_called_no_whole_numbers(factor: float, tick: float) -> None:
    prices = [(100.0 + 0.01 * n) * factor for n in range(100)]
    with pytest.raises(HardFailure) as told:
        check_unit(of(prices), QualityParams.model_validate(QUALITY.model_dump() | {"tick_size": tick}))
    assert told.value.check == "PX9"
    assert "less than 0.1 ticks (quality.tick_size" in told.value.detail


def test_prices_in_cents_with_fractions_are_refused_too() -> None:
    between = pl.int_range(pl.len()) % 10
    high = pl.when(between < 3).then(pl.col("high") + 0.0049).otherwise("high")
    low = pl.when(between > 6).then(pl.col("low") - 0.0049).otherwise("low")
    failure = through_the_gate(delivery().with_columns(high, low).with_columns(pl.col(PRICES) * 100)).failure

    assert failure is not None
    assert "70% of the highs and lows are whole numbers of 1, as" in failure.detail


def test_a_price_that_clings_to_one_dollar_figure_is_sound() -> None:
    """As that of a company that will be liquidated at ten dollars."""
    prices = [10.0] * 700 + [9.95 + 0.01 * (n % 5) for n in range(100)] + [10.01 + 0.01 * (n % 6) for n in range(100)]
    check_unit(of(prices), QUALITY)


@pytest.mark.parametrize("factor", [1.0, 0.01, 0.0001, 7.31, 5000.01])
def test_prices_with_cents_are_not(factor: float) -> None:
    assert through_the_gate(in_unit(factor)).failure is None


def test_with_a_coarser_stated_tick_prices_may_be_whole_numbers() -> None:
    coarse = QualityParams.model_validate(QUALITY.model_dump() | {"tick_size": 1.0})

    check_unit(in_unit(100.0), coarse)


def test_one_symbol_may_have_a_tick_of_its_own() -> None:
    whole, cents = delivery().with_columns((pl.col(PRICES) * 100).round()), delivery(seed=2)
    own = QualityParams.model_validate(QUALITY.model_dump() | {"by_symbol": {"AAA": {"tick_size": 1.0}}})
    checked = check_symbols({"AAA": whole, "BBB": cents}, dialect(), CALENDAR, own)

    assert [one.failure for one in checked.values()] == [None, None]
    assert [one.days["PX6"].sum() for one in checked.values()] == [0, 0]


@pytest.mark.parametrize("nothing", [0.0, -1.0, float("inf"), float("nan")])
def test_what_is_no_price_tells_no_unit(nothing: float) -> None:
    check_unit(of([nothing] * 60 + [100.37 + n for n in range(40)]), QUALITY)


def test_a_few_prices_tell_no_step_and_ten_do() -> None:
    check_unit(of([100.0 + price for price in range(9)] * 60), QUALITY)
    check_unit(of([]), QUALITY)
    with pytest.raises(HardFailure, match="100% of the highs and lows are whole numbers of 1"):
        check_unit(of([100.0 + price for price in range(10)] * 60), QUALITY)


def test_one_price_with_prints_around_it_is_no_step() -> None:
    """A share that waits at 100 dollars for its takeover: ten prices within a tenth of a cent are one whole number."""
    check_unit(of([100.0 + off / 1e4 for off in range(-5, 5)] * 60), QUALITY)


def whole_and_not(whole: int, off: float = 0.0) -> list[float]:
    """Of a hundred prices around a hundred dollars, so many in whole dollars, give or take `off`; the rest in cents."""
    return [100.0 + n + off for n in range(whole)] + [100.37 + n for n in range(100 - whole)]


@pytest.mark.parametrize(
    ("sound", "refused", "words"),
    [
        ([1e6], [1e6 + 0.01], "above quality.max_price of 1,000,000"),
        ([0.001], [0.0009], "the median price is 0.0009, less than 0.1 ticks"),
        (whole_and_not(49), whole_and_not(50), "50% of the highs and lows are whole numbers of 1, as 100"),
        (whole_and_not(60, 0.0011), whole_and_not(60, 0.0009), "60% of the highs and lows are whole numbers of 1"),
    ],
    ids=["the largest price", "a tenth of a tick", "half whole", "whole within a tenth of a tick"],
)
def test_the_limits_of_a_sound_price_and_of_whole_ones(sound: list[float], refused: list[float], words: str) -> None:
    check_unit(of(sound), QUALITY)
    with pytest.raises(HardFailure, match=words):
        check_unit(of(refused), QUALITY)
