"""Real bars, as two vendors deliver them, leave the past as it is: all hours, end labels, gaps, a change of the clocks.

The bars lie beside the repository; without them these tests are skipped.
"""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from stages.audit.audit import Passed, audit
from stages.audit.replay import run
from stages.audit.world import World
from stages.configuration.compose import compose
from stages.params.study import Study
from stages.runs.replayed_study import Record, dialect_of, replay_of
from stages.sessions.calendar import trading_calendar
from stages.tables.forecasts import Quantiles
from stages.tables.market import Events
from tests.architecture.dependencies import ROOT

BARS = Path("../shared/data/stocks/1m")

pytestmark = [
    pytest.mark.journey,  # months of real bars, replayed three and four times
    pytest.mark.skipif(not BARS.exists(), reason="no real bars beside the repository"),
]


def audited(symbol: str, files: list[Path], at: list[str], *overrides: str) -> list[Passed]:
    """What passed at these instants."""
    study = Study.parse(compose(ROOT / "conf", ["preset=aapl_2024", *overrides]))
    calendar = trading_calendar(study.universe.first_session, study.universe.last_session)
    world = World({symbol: pl.concat(map(pl.read_parquet, files))}, Events.create_empty(), dialect_of(study))
    replay = replay_of(study, Record(calendar, calendar, {"cells": []}, Quantiles.create_empty()))
    return list(audit(replay, world, run(replay, world), map(datetime.fromisoformat, at)))


def test_three_months_of_aapl_with_all_hours():
    at = ["2024-02-01T15:00Z", "2024-03-11T13:31Z"]
    passed = audited("AAPL", sorted((BARS / "AAPL/2024").glob("*.parquet")), at)

    assert len(passed) == 2
    assert len(passed[-1].keys) > 300


def test_spy_with_end_labels_over_the_change_of_clocks_of_2011_03_13():
    at = ["2011-03-11T16:00Z", "2011-03-11T20:59Z", "2011-03-14T14:20Z"]
    passed = audited(
        "SPY",
        [BARS / "SPY/2011/SPY_2011-03.parquet"],
        at,
        "universe.symbols=[SPY]", "universe.whitelist=[SPY]", "universe.first_session='2011-03-01'",
        "universe.last_session='2011-03-31'", "source.aliases={}", "source.bar_label=end", "split.holdout_sessions=3",
        "+costs.half_spread_ticks.SPY=1.0", "+costs.tick_size.SPY=0.01",
    )  # fmt: skip

    assert len(passed) == 3
    assert passed[0].keys < passed[-1].keys
