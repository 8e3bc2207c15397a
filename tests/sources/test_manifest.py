"""The listing is a lock: what it does not name is not read, and what it lacks is said."""

from datetime import date
from typing import Any

import pytest

from stages.errors import DataContractError
from stages.params.universe import UniverseParams
from stages.sources.manifest import listing_of, select
from tests.sources.dialects import source

TEMPLATE = "bars/{symbol}_{yyyy}-{mm}.parquet"


def universe(*symbols: str, last: str = "2024-02-29", context: str | None = None) -> UniverseParams:
    return UniverseParams(
        symbols=symbols,
        whitelist=(),
        context_symbol=context,
        context_symbols=(),
        first_session="2024-01-02",
        last_session=last,
    )


def file(symbol: str, month: str) -> dict[str, Any]:
    return {"uri": f"bars/{symbol}_{month}.parquet", "symbol": symbol, "month": month, "size": 1, "md5": "0" * 32}


LISTED = [file(symbol, month) for symbol in ("SPY", "AAPL", "MSFT") for month in ("2024-02", "2024-01", "2023-12")]


def test_the_manifest_holds_the_universes_files_of_its_months_context_included() -> None:
    manifest = select(listing_of(source(), LISTED), source(), universe("MSFT", context="SPY"))

    assert manifest["symbols"] == ["MSFT", "SPY"]
    assert [(f["symbol"], f["month"]) for f in manifest["files"]] == [
        ("MSFT", "2024-01"),
        ("MSFT", "2024-02"),
        ("SPY", "2024-01"),
        ("SPY", "2024-02"),
    ]


def test_the_order_in_which_a_source_lists_its_files_does_not_matter() -> None:
    assert listing_of(source(), LISTED) == listing_of(source(), LISTED[::-1])


def test_a_symbol_without_files_is_named_with_those_that_have_some() -> None:
    with pytest.raises(DataContractError, match=r"'TSLA'.*AAPL.*source\.uri_template"):
        select(listing_of(source(), LISTED), source(), universe("TSLA"))


def test_missing_months_are_named_with_the_span_that_asks_for_them() -> None:
    with pytest.raises(DataContractError, match=r"AAPL for 2024-03, 2024-04.*universe\.last_session"):
        select(listing_of(source(), LISTED), source(), universe("AAPL", last="2024-04-05"))


def test_a_listing_made_for_another_template_is_refused() -> None:
    elsewhere = source(uri_template="other/{symbol}_{yyyy}-{mm}.parquet")

    with pytest.raises(DataContractError, match=r"uri_template.*make refresh"):
        select(listing_of(source(), LISTED), elsewhere, universe("AAPL"))


def test_bars_made_by_code_need_symbols_and_no_files() -> None:
    made = source(name="made", kind="synthetic", uri_template=None, synthetic=SYNTHETIC)

    manifest = select(listing_of(made, []), made, universe("STRONG", "WEAK"))

    assert (manifest["symbols"], manifest["files"]) == (["STRONG", "WEAK"], [])


SYNTHETIC = {
    "seed": 1,
    "amplitude_bp": {},
    "beta": {},
    "daily_sigma": 0.01,
    "vol_ar1": 0.9,
    "vol_sd": 0.1,
    "jumps_per_session": 0.0,
    "jump_sigmas": 1.0,
    "overnight_sigma_share": 0.5,
    "wave_period_min": 30,
    "wave_phase_rad": 0.0,
    "plant": "wave",
    "ou_half_life_min": 10.0,
    "base_price": 100.0,
    "base_volume": 100.0,
    "tick_size": 0.01,
}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"uri_template": "bars/{sym}.parquet"}, r"source\.uri_template.*\{symbol\}"),
        ({"uri_template": "bars/{symbol}/{mm}.parquet"}, r"source\.uri_template"),
        ({"uri_template": None}, r"source\.uri_template"),
        ({"kind": "synthetic"}, r"source\.synthetic"),
        ({"kind": "gcs"}, r"gs://"),
        ({"zone": "America/Gotham"}, r"America/Gotham"),
        ({"aliases": {"o": "opening"}}, r"aliases"),
        ({"bar_label": "middle"}, r"bar_label"),
    ],
)
def test_a_source_that_says_nonsense_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        source(**changes)


@pytest.mark.parametrize(("zone", "days"), [(None, 3), ("UTC", 3), ("America/New_York", 3), ("Asia/Tokyo", 4)])
def test_files_that_a_far_clock_dates_are_read_to_the_close_of_the_last_session(zone: str | None, days: int) -> None:
    """16:00 in New York on Wednesday 31 January is 06:00 in Tokyo on Thursday 1 February, also of another month."""
    by_day = "bars/{symbol}_{yyyy}-{mm}-{dd}.parquet"
    listed = [file("AAPL", day[:7]) | {"day": day} for day in ("2024-01-29", "2024-01-30", "2024-01-31", "2024-02-01")]
    listed.append(file("AAPL", "2024-02") | {"day": "2024-02-02"})
    span = universe("AAPL", last="2024-01-31")
    stated = source(uri_template=by_day, zone=zone)
    assert [one["day"] for one in select(listing_of(stated, listed), stated, span)["files"]] == [
        one["day"] for one in listed[:days]
    ]
    stated = source(uri_template=TEMPLATE, zone=zone)
    read = select(listing_of(stated, LISTED), stated, span)["files"]
    assert [one["month"] for one in read] == ["2024-01", "2024-02"][: days - 2]
    select(listing_of(stated, LISTED[1::3]), stated, span)  # the month of that afternoon alone is left to the gate


def test_where_a_session_lies_wholly_on_the_next_date_the_files_of_its_own_are_not_asked_for() -> None:
    """Wednesday 31 January, 09:30 to 16:00 in New York, is Thursday 1 February, 03:30 to 10:00, in Auckland."""
    stated = source(uri_template=TEMPLATE, zone="Pacific/Auckland")
    span = universe("AAPL", last="2024-01-31").model_copy(update={"first_session": date(2024, 1, 31)})
    february = [file("AAPL", "2024-02")]
    assert select(listing_of(stated, february), stated, span)["files"] == february
    with pytest.raises(DataContractError, match="no file of AAPL for 2024-02"):
        select(listing_of(stated, LISTED[1::3][1:]), stated, span)
