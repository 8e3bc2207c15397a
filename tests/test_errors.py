"""An error that arises among many symbols says at which."""

import pytest

from stages.errors import DataContractError, at_work_on


@pytest.mark.parametrize(
    ("place", "said", "told"),
    [
        ("AAPL", "no rows.", "AAPL: no rows."),
        ("AAPL", "AAPL 2024-03: no rows.", "AAPL 2024-03: no rows."),
        ("F", "FORD has no rows.", "F: FORD has no rows."),
        ("BRK.B", "the file of BRK.B is torn.", "the file of BRK.B is torn."),
    ],
)
def test_a_symbol_is_named_once_and_not_taken_for_a_part_of_a_word(place: str, said: str, told: str):
    with pytest.raises(DataContractError) as caught, at_work_on(place):
        raise DataContractError(said)
    assert str(caught.value) == told
