"""Templates name files, and found files name their months."""

from datetime import date

import pytest

from stages.params.path_template import day_of, fields_of, month_of, months, path_of, root_of

MONTHLY = "bars/{symbol}/{yyyy}/{symbol}_{yyyy}-{mm}.parquet"


def test_months_run_across_a_new_year() -> None:
    assert months(MONTHLY, date(2023, 11, 15), date(2024, 2, 1)) == ["2023-11", "2023-12", "2024-01", "2024-02"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [("{symbol}_{yyyy}.parquet", ["2023", "2024"]), ("{symbol}.parquet", [None])],
)
def test_a_template_may_name_years_or_nothing(template: str, expected: list[str | None]) -> None:
    assert months(template, date(2023, 11, 15), date(2024, 2, 1)) == expected


def test_the_folder_to_search_is_the_one_above_whatever_varies() -> None:
    assert root_of(MONTHLY, "BRK.B") == ("bars/BRK.B", 2)
    assert root_of("bars/{yyyy}/{symbol}.parquet", "A") == ("bars", 2)
    assert root_of("/flat/{symbol}.parquet", "A") == ("/flat", 1)
    assert root_of("/x/part-*.csv") == ("/x", 1)


def test_a_found_path_tells_its_month() -> None:
    fields = fields_of(MONTHLY, "bars/AAPL/2024/AAPL_2024-03.parquet", "AAPL")

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
    assert fields_of(MONTHLY, path, "AAPL") is None


def test_a_dot_in_a_symbol_is_a_dot() -> None:
    assert fields_of("{symbol}.parquet", "BRKXB.parquet", "BRK.B") is None
    assert fields_of("{symbol}.parquet", "BRK.B.parquet", "BRK.B") == {}


@pytest.mark.parametrize(
    ("template", "path", "month", "day"),
    [
        ("{symbol}_{yyyy}{mm}.parquet", "AAPL_202411.parquet", "2024-11", None),
        ("{symbol}/{yyyy}{mm}{dd}.csv.gz", "AAPL/20241105.csv.gz", "2024-11", "2024-11-05"),
        ("year={yyyy}/month={m}/{symbol}.parquet", "year=2024/month=3/AAPL.parquet", "2024-03", None),
        ("{yyyy}/{m}/{d}/{symbol}.csv", "2024/12/31/AAPL.csv", "2024-12", "2024-12-31"),
        ("[raw] bars?/{symbol} (1).csv", "[raw] bars?/AAPL (1).csv", None, None),
        ("month={mm}/symbol={symbol}/part-*.parquet", "month=03/symbol=AAPL/part-0-7f.parquet", None, None),
        ("{symbol_lower}_{yyyy}.csv", "aapl_2024.csv", "2024", None),
        ("{{x}}/{symbol}.csv", "{x}/AAPL.csv", None, None),
        ("a*b/{symbol}.csv", "a*b/AAPL.csv", None, None),
    ],
)
def test_every_form_of_a_path_is_read_and_written_back(template: str, path: str, month: str, day: str) -> None:
    named = fields_of(template, path, "AAPL")

    assert named is not None
    if "yyyy" in template:
        assert (month_of(named), day_of(named)) == (month, day)
    assert path_of(template, named, "AAPL") == path


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{symbol}_{yyyy}{mm}.parquet", "AAPL_202413.parquet"),
        ("[ab]/{symbol}.csv", "a/AAPL.csv"),
        ("b?/{symbol}.csv", "bx/AAPL.csv"),
        ("{symbol}-*.csv", "AAPL-1/2.csv"),
        ("month={m}/{symbol}.csv", "month=03/AAPL.csv"),
    ],
)
def test_text_of_a_template_is_text_and_a_star_stays_in_its_folder(template: str, path: str) -> None:
    assert fields_of(template, path, "AAPL") is None


def test_a_file_of_many_symbols_names_its_day_alone() -> None:
    named = fields_of("us_stocks_sip/minute_aggs_v1/{yyyy}/{mm}/{yyyy}-{mm}-{dd}.csv.gz",
                      "us_stocks_sip/minute_aggs_v1/2024/03/2024-03-05.csv.gz")  # fmt: skip
    assert day_of(named or {}) == "2024-03-05"
