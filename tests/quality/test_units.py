"""Prices in a unit that cannot be right are refused; prices that only look odd are not."""

import polars as pl
import pytest

from stages.params.quality import QualityParams
from stages.quality.units import check_unit
from stages.quality.verdicts import HardFailure
from tests.quality.deliveries import QUALITY, delivery, through_the_gate

PRICES = ("open", "high", "low", "close")


def in_unit(factor: float, dtype: type[pl.DataType] = pl.Float64) -> pl.DataFrame:
    return delivery().with_columns((pl.col(PRICES) * factor).round(4).cast(dtype))


@pytest.mark.parametrize("factor", [1e9, 1e6, 1e4, 1e2])
@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64])
def test_fixed_point_prices_are_refused(factor: float, dtype: type[pl.DataType]) -> None:
    failure = through_the_gate(in_unit(factor, dtype)).failure

    assert failure is not None
    assert failure.check == "PX9"
    assert "quality.tick_size" in failure.detail


@pytest.mark.parametrize("factor", [1.0, 0.01, 0.0001, 7.31, 5000.01])
def test_prices_with_cents_are_not(factor: float) -> None:
    assert through_the_gate(in_unit(factor)).failure is None


def test_who_states_a_coarser_tick_may_have_whole_prices() -> None:
    coarse = QualityParams.model_validate(QUALITY.model_dump() | {"tick_size": 1.0})

    check_unit(in_unit(100.0), coarse)


def test_a_few_prices_tell_no_step_and_ten_do() -> None:
    check_unit(pl.DataFrame({"close": [100.0 + price for price in range(9)] * 60}), QUALITY)
    check_unit(pl.DataFrame({"close": []}, schema={"close": pl.Float64}), QUALITY)
    with pytest.raises(HardFailure, match="every price is a whole number of 1"):
        check_unit(pl.DataFrame({"close": [100.0 + price for price in range(10)] * 60}), QUALITY)
