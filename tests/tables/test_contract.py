"""What a table is when it is written."""

import dataframely as dy
import numpy as np
import polars as pl

from stages.tables.contract import Table, number


class Small(Table):
    """A key and a number of two decimals."""

    name = dy.String(primary_key=True, nullable=False)
    value = number(2)


def test_numbers_are_rounded_and_no_zero_has_a_sign():
    table = Small.of(pl.DataFrame({"name": ["a", "b", "c"], "value": [-0.001, -0.0, -1.005]}))
    assert table["value"].to_list() == [0.0, 0.0, -1.0]
    assert not np.signbit(table["value"][:2].to_numpy()).any()
