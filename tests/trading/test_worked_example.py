"""The example of docs/TRADING_RULES.md, traded."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from stages.trading.simulate import simulate
from tests.trading.loop import simulate_by_loop
from tests.trading.made_markets import FULL, bars, calendar, forecast, strategy, table

DAY = date(2024, 3, 13)
PAGE = Path(__file__).parents[2] / "docs" / "TRADING_RULES.md"


@pytest.mark.parametrize("trade", [simulate, simulate_by_loop], ids=["engine", "loop"])
def test_the_page_says_what_the_rules_do(trade):
    prices = np.full((FULL, 4), 100.0)
    prices[60] = (100.02, 100.04, 100.0, 100.0)
    prices[70] = (100.05, 100.2, 100.0, 100.1)
    forecasts = table([forecast("A", DAY, "10:30", (5.0, 20.0, 36.0))])
    result = trade({"A": bars(DAY, prices)}, forecasts, calendar({DAY: FULL}), strategy("A"))
    row, signal = result.trades.row(0, named=True), result.signals.row(0, named=True)

    told = " ".join(PAGE.read_text().split("## An example by hand")[1].split("##")[0].split())
    assert f"= {signal['cost_bp']} bp" in told
    assert f"EV = {signal['ev_bp']:.3f} bp" in told
    assert f"opens at {row['entry_px']}: stop {row['stop_px']:.3f}, target {row['take_px']:.3f}" in told
    assert f"gross {row['gross_bp']}," in told
    assert f"= {row['cost_bp']}, net {row['net_bp']} bp" in told
    assert row["exit_reason"] == "target"
