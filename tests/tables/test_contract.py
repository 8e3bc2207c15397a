"""What a table is when it is written."""

import dataframely as dy
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import DataContractError
from stages.tables.contract import Table, number


class Small(Table):
    """A key and a number of two decimals."""

    name = dy.String(primary_key=True, nullable=False)
    value = number(2)
    most = number(2, nullable=True)

    @dy.rule()
    def value_below_most(cls) -> pl.Expr:
        return pl.col("value") < pl.col("most")


class Paired(Table):
    """A key of two columns."""

    name = dy.String(primary_key=True, nullable=False)
    number = dy.Int32(primary_key=True, nullable=False)


SOUND = pl.DataFrame({"name": ["a", "b"], "value": [1.0, 2.0], "most": [3.0, None]})
BROKEN = {
    "sound": SOUND,
    "no rows": SOUND.clear(),
    "another order": SOUND.reverse(),
    "a column too many": SOUND.with_columns(other=1),
    "a missing column": SOUND.drop("most"),
    "another type": SOUND.with_columns(pl.col("value").cast(pl.Float32)),
    "a key twice": SOUND.with_columns(name=pl.lit("a")),
    "a key twice, apart": SOUND[[1, 0, 1]],
    "a null key": SOUND.with_columns(name=pl.Series(["a", None])),
    "a null": SOUND.with_columns(value=pl.Series([1.0, None])),
    "NaN": SOUND.with_columns(value=pl.Series([1.0, float("nan")])),
    "infinite": SOUND.with_columns(value=pl.Series([-float("inf"), 2.0])),
    "a rule": SOUND.with_columns(value=pl.Series([3.0, 2.0])),
}


def test_numbers_are_rounded_and_no_zero_has_a_sign():
    table = Small.of(pl.DataFrame({"name": ["a", "b", "c"], "value": [-0.001, -0.0, -1.005], "most": 1.0}))
    assert table["value"].to_list() == [0.0, 0.0, -1.0]
    assert not np.signbit(table["value"][:2].to_numpy()).any()


@pytest.mark.parametrize("case", BROKEN)
def test_a_frame_stands_the_check_exactly_where_dataframely_finds_it_valid(case):
    frame = BROKEN[case]
    if Small.is_valid(frame):
        assert Small.check(frame).equals(frame.select(Small.column_names()))
        assert case in {"sound", "no rows", "another order", "a column too many"}
    else:
        with pytest.raises(DataContractError, match="table Small breaks its contract"):
            Small.check(frame)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=4), st.booleans())
def test_a_frame_stands_the_check_where_no_key_of_two_columns_is_there_twice(keys, in_order):
    rows = sorted(keys) if in_order else keys
    frame = pl.DataFrame(rows, {"name": pl.String, "number": pl.Int32}, orient="row")
    if len(set(keys)) == len(keys):
        assert Paired.check(frame).equals(frame)
    else:
        with pytest.raises(DataContractError, match="primary_key"):
            Paired.check(frame)
