"""The page is one file, the same for the same run, and never says more than it may."""

import json
import re
from dataclasses import replace

import altair as alt
import polars as pl
import pytest

from stages.reporting.page import render_page
from stages.reporting.record import exceptions_alone, shown_alone
from tests.reporting.records import by_symbol, config, forecasts, record, sealed_page


@pytest.fixture(scope="module")
def page() -> str:
    return sealed_page()


@pytest.mark.journey  # a whole page of its own
def test_the_second_page_of_a_process_has_the_bytes_of_the_first(page):
    """That another process, folder and hash seed give the same, the committed lock of the default run says."""
    assert render_page(replace(record())) == page  # another record: none of its sections is drawn yet


def test_the_verdict_stands_before_everything_else(page):
    assert page.index('<div class="verdict SEALED">') < page.index("<nav") < page.index("<section")


def test_the_page_stays_under_five_megabytes(page):
    assert len(page.encode()) < 5_000_000


def test_the_page_names_no_resource_outside_itself(page):
    without_scripts = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:,)""", without_scripts) == []
    assert "url(" not in without_scripts
    assert "@import" not in without_scripts


def test_every_figure_has_alt_text_and_says_that_the_forecast_is_local_on_an_artificial_market(page):
    figures = re.findall(r"<figure.*?</figure>", page, flags=re.DOTALL)
    assert figures
    for figure in figures:
        assert len(re.search(r'aria-label="([^"]*)"', figure)[1]) > 30
        assert "(not TimeGPT) on an artificial market" in figure


@pytest.mark.journey  # a whole page of its own
def test_a_bought_forecast_is_named_by_its_own_source_and_not_called_local():
    bought = forecasts().with_columns(pl.col("source").replace("local:seasonal", "timegpt-2.1@api"))
    page = render_page(record(forecasts=by_symbol(bought)))
    assert "timegpt-2.1@api on an artificial market" in page
    assert "not TimeGPT" not in page


@pytest.mark.journey  # a whole page of its own
def test_the_page_is_drawn_of_what_is_kept_of_documents(page):
    kept = {"metrics": shown_alone, "quality": exceptions_alone}
    small = {name: json.loads(json.dumps(getattr(record(), name)), object_hook=hook) for name, hook in kept.items()}
    assert all(len(json.dumps(one)) < len(json.dumps(getattr(record(), name))) for name, one in small.items())
    assert render_page(record(**small)) == page


def test_the_benchmark_beside_the_asked_forecasts_does_not_change_whose_they_are():
    assert record().label == "Local forecaster “seasonal” (not TimeGPT) on an artificial market"


def test_markup_in_a_study_name_is_shown_not_run():
    named = config()
    named["report"]["study"] = "<script>alert(1)</script>"
    page = render_page(record(config=named))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_api_section_is_neither_read_nor_shown(page):
    assert "max_attempts" not in page


@pytest.mark.journey  # every figure is compiled
def test_every_figure_is_valid_json_with_rows_that_a_browser_can_read_and_keeps_the_schema_of_vega_lite(page):
    specs = re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.DOTALL)
    assert all("NaN" not in spec and json.loads(spec)["description"] for spec in specs)
    for spec in specs:
        alt.Root.validate(json.loads(spec))  # raises where the schema is broken
