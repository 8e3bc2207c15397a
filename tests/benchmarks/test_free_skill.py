"""On real bars the free forecasts are as good as they were when they were chosen.

The skills expected here were measured by another program, with draws of its own. The bars lie beside the repository;
without them these tests are skipped.
"""

import polars as pl
import pytest

from stages.tables.forecasts import FREE, FREE_MIX
from tests.benchmarks.bench_free import BARS, MARKETS, Asked, skills

pytestmark = [
    pytest.mark.scale,  # four forecasters, of which one draws 8,000 paths, answer some 450 snapshots
    pytest.mark.skipif(not BARS.exists(), reason="no real bars beside the repository"),
]
# In percent over persistence at 5, 10, 15 and 20 minutes. The skills of har were written down by losses in bp; those of
# the mix without a warm-up and of the candidate that was best afterwards by losses in widths, as the mix counts them.
# In bp that candidate cannot fit: at 20 minutes on AAPL the best would be worse than har.
HAR = {"AAPL": [1.7, 2.0, 2.3, 2.2], "SPY": [3.4, 4.1, 3.7, 2.6]}
MIX = {"AAPL": [1.89, 1.84, 2.20, 2.05], "SPY": [3.66, 3.81, 3.49, 2.60]}
CANDIDATES = [f"{FREE}{name}" for name in ("persistence", "seasonal", "ewma_fhs", "har")]
BEST = {"AAPL": [1.99, 2.04, 2.31, 2.05], "SPY": [4.04, 3.96, 3.54, 2.62]}
POINTS = 0.4  # ewma_fhs draws paths of its own


@pytest.mark.parametrize("symbol", MARKETS)
def test_har_and_the_mix_beat_persistence_by_as_much_as_they_did(symbol):
    asked = Asked.of(symbol)
    cold = asked.free().filter(~pl.col("warm_up"))
    found = skills(cold, asked.study.worth.eta)

    assert cold["session"].n_unique() == {"AAPL": 55, "SPY": 33}[symbol]
    assert found["bp"][f"{FREE}har"] == pytest.approx(HAR[symbol], abs=POINTS)
    assert found["widths"][FREE_MIX] == pytest.approx(MIX[symbol], abs=POINTS)
    best = [max(values) for values in zip(*(found["widths"][name] for name in CANDIDATES), strict=True)]
    assert best == pytest.approx(BEST[symbol], abs=POINTS)
    assert found["widths"][f"{FREE}har"][1:] == pytest.approx(BEST[symbol][1:], abs=0.05)  # it draws nothing
