"""From a vendor's folder to a first verdict, and from each failure to the next command, as a user types them."""

from datetime import date

import polars as pl
import pytest

from stages.sessions.calendar import trading_calendar
from stages.sources.synthetic import synthetic_bars
from tests.pipeline.clone import Clone
from tests.sources.vendors import MARKET

pytestmark = pytest.mark.journey  # a study of its own


def test_one_command_leads_from_a_folder_to_a_verdict_and_each_sentence_on_the_way_leads_on(fresh: Clone) -> None:
    """A quarter of two symbols; then a wrong key of the preset, which the sentence names, and what it says works."""
    folder = fresh.path.parent / "bars"
    folder.mkdir()
    calendar = trading_calendar(date(2024, 10, 1), date(2025, 1, 3))
    for symbol in ("AAPL", "MSFT"):
        bars = synthetic_bars(symbol, MARKET, calendar)
        bars.select(
            pl.col("ts").dt.epoch("s").alias("t"), o="open", h="high", l="low", c="close", v="volume"
        ).write_csv(folder / f"{symbol}_1min.csv")
    missing = fresh.sh("make first-run PRESET=mine URI=../nowhere", code=2)
    assert "there is no file under ../nowhere: set URI= to the folder of your bars" in missing

    said = fresh.sh("make first-run PRESET=mine URI=../bars", code=None)
    assert "error the verdict is" in said or "gate: PASS" in said
    assert "check_data: verdict=pass symbols=2" in said

    taken = fresh.sh("make first-run PRESET=mine URI=../bars", code=2)
    assert "conf/preset/mine.yaml exists: edit it, then `make use PRESET=mine`" in taken

    fresh.sh("sed -i 's/unit: s$/unit: null/' conf/preset/mine.yaml")
    refused = fresh.sh("make check-data", code=2)
    assert "set source.unit, for example to s: 1727789400 is 2024-10-01 13:30:00 UTC" in refused
    fresh.sh("sed -i 's/unit: null$/unit: s/' conf/preset/mine.yaml")
    assert "check_data: verdict=pass" in fresh.sh("make check-data && dvc repro -f -s check_data")
