"""What an answer must look like before it is kept, and that no later stage asks for more."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.forecasting.backend import MOST_BP, complaint, plausible_bp

SHAPE = (5, 4)
FAN = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])[:, None] * np.sqrt([1, 2, 3, 4])
FAR = np.full(4, 1e9)


def told(values: np.ndarray, mean: np.ndarray | None = None, most: np.ndarray = FAR) -> str:
    return complaint(values, values[2] if mean is None else mean, SHAPE, most) or "sound"


def test_the_bound_is_so_many_deviations_of_what_was_sent_and_grows_with_the_root_of_the_step():
    """Steps of +3 and -4 bp in turn: their mean square is 12.5; four steps ahead a walk strays twice as far as one."""
    y = np.concatenate([[0.0], np.cumsum(np.tile([3.0, -4.0], 50))])
    expected = 100 * np.sqrt(12.5) * np.array([1, np.sqrt(2), np.sqrt(3), 2])
    np.testing.assert_allclose(plausible_bp(y, 4, 100), expected)


@pytest.mark.parametrize(("sigmas", "most"), [(100, 100), (10, 10)])
def test_a_price_that_stood_still_may_move_by_as_many_bp(sigmas: float, most: float):
    np.testing.assert_allclose(plausible_bp(np.zeros(1000), 4, sigmas)[[0, 3]], [most, 2 * most])


def test_a_steady_trend_may_go_on():
    y = np.arange(-1000.0, 1.0) * 50
    assert (plausible_bp(y, 20, 100) > 50 * np.arange(1, 21)).all()


def test_no_history_makes_more_than_the_largest_move_plausible():
    assert plausible_bp(np.arange(1000.0) * 1e6, 4, 10_000).tolist() == [MOST_BP] * 4


def test_a_value_or_mean_beyond_the_bound_is_named_with_its_minute():
    most = np.array([10.0, 14.0, 17.0, 20.0])
    assert told(FAN, most=most) == "sound"
    assert told(FAN * [1, 1, 1, 5.1], most=most).startswith(
        "it says -20.4 bp for minute 4, where at most 20 is plausible"
    )
    assert told(FAN, np.array([0, 15.0, 0, 0]), most).startswith("it says 15 bp for minute 2, where at most 14")


def test_one_missing_value_of_the_mean_is_enough():
    assert told(FAN, np.array([0, 0, 0, np.nan])) == "it holds nulls, NaN or infinity"


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        (FAN[:, :3], "it has 5 levels of 3 steps, where 5 of 4 were asked"),
        (np.where(FAN > 2, np.nan, FAN), "it holds nulls, NaN or infinity"),
        (FAN[::-1], "its quantiles cross"),
        (np.zeros(SHAPE), "all its values are 0"),
    ],
)
def test_what_else_is_wrong_is_said(values: np.ndarray, wrong: str):
    assert told(values) == wrong


def test_a_mean_of_other_steps_is_reported_too():
    assert told(FAN, FAN[2, :3]) == "its mean has 3 steps, where 4 were asked"


@given(st.floats(-MOST_BP, MOST_BP), st.floats(0.0001, 1e6))
def test_what_is_plausible_has_a_finite_price_and_decimals(q_bp: float, last: float):
    """`last * exp(q / 1e4)` and six decimals, as the table of quantiles asks."""
    row = pl.DataFrame({"q": [q_bp], "last": [last]}).select(
        pl.col("q").round(6), px=(pl.col("last") * (pl.col("q") / 1e4).exp()).round(6)
    )
    assert np.isfinite(row.to_numpy()).all()


def test_what_lies_exactly_at_a_bound_is_sound():
    """Beyond it by the least that a float can be, it is not."""
    most = np.abs(FAN).max(axis=0)
    assert told(FAN, most=most) == "sound"
    assert "it says -2 bp for minute 1" in told(FAN, most=np.nextafter(most, 0.0))
    crossing = np.zeros((5, 4))
    crossing[4] = 1.0
    crossing[1, 0] = 1e-6
    assert told(crossing) == "sound"
    crossing[1, 0] = 1.1e-6
    assert told(crossing) == "its quantiles cross"


@pytest.mark.parametrize(("y", "sigma"), [([], 1.0), ([5.0], 1.0), ([5.0, 8.0], 3.0), ([5.0, 5.5], 1.0)])
def test_the_deviation_of_what_was_sent_takes_two_values_and_is_one_bp_at_least(y: list[float], sigma: float):
    np.testing.assert_allclose(plausible_bp(np.array(y), 1, 10), [10 * sigma])


def test_no_move_is_plausible_beyond_the_largest_that_has_a_price():
    assert plausible_bp(np.array([0.0, 5e4]), 4, 1).tolist() == [5e4, 5e4 * np.sqrt(2), 5e4 * np.sqrt(3), MOST_BP]
