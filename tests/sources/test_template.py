"""Templates name files, and found files name their months."""

from datetime import date

import pytest

from stages.sources.template import fields_of, month_of, months, wildcard

MONTHLY = "bars/{symbol}/{yyyy}/{symbol}_{yyyy}-{mm}.parquet"


def test_months_run_across_a_new_year() -> None:
    assert months(MONTHLY, date(2023, 11, 15), date(2024, 2, 1)) == ["2023-11", "2023-12", "2024-01", "2024-02"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [("{symbol}_{yyyy}.parquet", ["2023", "2024"]), ("{symbol}.parquet", [None])],
)
def test_a_template_may_name_years_or_nothing(template: str, expected: list[str | None]) -> None:
    assert months(template, date(2023, 11, 15), date(2024, 2, 1)) == expected


def test_a_wildcard_finds_every_month_of_one_symbol() -> None:
    assert wildcard(MONTHLY, "BRK.B") == "bars/BRK.B/*/BRK.B_*-*.parquet"


def test_a_found_path_tells_its_month() -> None:
    fields = fields_of(MONTHLY, "AAPL", "bars/AAPL/2024/AAPL_2024-03.parquet")

    assert month_of(fields or {}) == "2024-03"


@pytest.mark.parametrize(
    "path",
    [
        "bars/AAPL/2023/AAPL_2024-03.parquet",  # the year differs from itself
        "bars/AAPL/2024/AAPL_2024-3.parquet",
        "bars/AAPL/2024/AAPL_2024-03.parquet.bak",
        "bars/AAPLX/2024/AAPL_2024-03.parquet",
    ],
)
def test_a_path_that_only_looks_alike_is_not_taken(path: str) -> None:
    assert fields_of(MONTHLY, "AAPL", path) is None


def test_a_dot_in_a_symbol_is_a_dot() -> None:
    assert fields_of("{symbol}.parquet", "BRK.B", "BRKXB.parquet") is None
    assert fields_of("{symbol}.parquet", "BRK.B", "BRK.B.parquet") == {}
