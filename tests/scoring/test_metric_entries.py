"""Cells that are judged together say what each says alone, draw by draw."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import ttest_1samp
from utilsforecast import losses as of_library

from stages.scoring.inference import block_lengths, bounds, day_weights
from stages.scoring.losses import VERSIONS, elementary_losses
from stages.scoring.metric_entries import _count, block_days, rounded
from stages.scoring.metrics import score
from stages.tables.forecasts import LEVELS, QUANTILES
from tests.scoring.simulated import GATES, as_answered, by_every_method, with_truth

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """Three symbols, one of which was asked on fewer days, by two methods with days of their own."""
    frame = by_every_method(with_truth(70, symbols=("A", "B", "C"), r2=0.2, spread=0.8), methods=("identity", "cqr"))
    return frame.filter((pl.col("symbol") != "B") | (pl.col("session").rank("dense") > 20))


def days_of(rows: pl.DataFrame) -> dict[object, np.ndarray]:
    """By day: sums of |y - q50|, |y|, twice the mean pinball loss and outcomes in [q25, q75]; their number; squares."""
    daily: dict[object, np.ndarray] = {}
    for row in rows.sort("snapshot_utc").iter_rows(named=True):
        y, error = row["y_bp"], row["y_bp"] - np.array([row[name] for name in QUANTILES])
        share = np.array(LEVELS) / 100
        pinball = np.maximum(share * error, (share - 1) * error).mean()
        inside = row["q25"] < y <= row["q75"]
        found = np.array([abs(error[2]), abs(y), 2 * pinball, inside, 1.0, error[2] ** 2, y**2])
        daily[row["session"]] = daily.get(row["session"], 0) + found
    return daily


@pytest.mark.parametrize("symbol", ["A", "B"])
@pytest.mark.parametrize("method", ["identity", "cqr"])
def test_bounds_of_a_cell_are_those_of_a_loop_over_its_draws(rows, symbol, method):
    cells = score([rows], GATES, "cqr")["cells"]
    cell = next(one for one in cells if (one["symbol"], one["method"]) == (symbol, method))
    mine = rows.filter(~pl.col("void"), "calibrated", symbol=symbol, method=method, model="asked")
    sums = np.array(list(days_of(mine).values()))
    block = 1
    if len(sums) >= GATES.block_bootstrap_days:
        judged = ((0, 1), (5, 6), (3, 4))
        series = [sums[:, a] - sums[:, a].sum() / sums[:, b].sum() * sums[:, b] for a, b in judged]
        block = int(np.median([block_lengths(one) for one in series]))

    draws = [weights @ sums for weights in day_weights(len(sums), block, GATES.bootstrap_reps, GATES.bootstrap_seed)]

    assert cell["n_days"] == len(sums)
    for name, above, below in (("rmae", 0, 1), ("crps_bp", 2, 4), ("coverage_50", 3, 4)):
        drawn = [one[above] / one[below] for one in draws]
        figure = cell["metrics"][name]["calibrated"]
        assert figure["value"] == pytest.approx(sums[:, above].sum() / sums[:, below].sum(), abs=6e-7)
        assert figure["ci"] == pytest.approx(np.quantile(drawn, [0.05, 0.95]), abs=6e-7)
        assert figure["se"] == pytest.approx(np.std(drawn, ddof=1), abs=6e-7)


def test_a_cell_is_judged_alike_whichever_others_are_judged_with_it(rows):
    together = score([rows], GATES, "cqr")["cells"]
    apart = [score([part], GATES, "cqr")["cells"] for part in rows.partition_by("symbol", maintain_order=True)]
    assert together == sorted((cell for cells in apart for cell in cells), key=lambda cell: cell["symbol"])


def test_every_loss_has_the_formula_of_utilsforecast():
    # Source of the expected values: utilsforecast, each forecast a series of its own.
    frame = as_answered(with_truth(40, r2=0.1, spread=0.5))
    found = elementary_losses(frame)
    ends = {"lo-50": "q25", "hi-50": "q75", "lo-90": "q05", "hi-90": "q95"}
    series = frame.select(
        pl.int_range(pl.len()).alias("unique_id"), pl.col("y_bp").alias("y"), pl.lit(0.0).alias("zero"), *QUANTILES,
        *(pl.col(name).alias(f"m-{end}") for end, name in ends.items()),
    )  # fmt: skip
    expected = {
        "abs": of_library.mae(series, ["q50"])["q50"],
        "sq": of_library.mse(series, ["q50"])["q50"],
        **{f"pinball_{name[1:]}": of_library.quantile_loss(series, {"m": name}, level / 100)["m"]
           for level, name in zip(LEVELS, QUANTILES, strict=True)},
        **{f"interval_{level}": of_library.winkler_score(series, ["m"], level)["m"] for level in (50, 90)},
    }  # fmt: skip
    for of_version in range(len(VERSIONS)):
        for name, values in expected.items():
            assert found[name][of_version] == pytest.approx(values.to_numpy(), abs=1e-9)
        assert np.array_equal(found["abs_y"][of_version], of_library.mae(series, ["zero"])["zero"])


def test_block_lengths_of_many_series_are_those_of_each():
    series = np.stack([np.cumsum(RNG.normal(size=80)), RNG.normal(size=80), np.full(80, 0.1)])
    assert block_lengths(series).tolist() == [block_lengths(one) for one in series]
    assert block_lengths(series.reshape(3, 1, 80)).shape == (3, 1)


@pytest.mark.parametrize(("days", "length"), [(19, None), (20, 1), (59, 1), (60, 11)])
def test_a_cell_draws_its_days_singly_while_few_then_in_blocks_of_the_middle_length(days, length):
    """Of sixty days a trend needs blocks of 11, runs of ten blocks of 20, and days that alternate blocks of 10."""
    day = np.arange(days)
    series = np.stack([day, day // 10 % 2, day % 2]).astype(float)
    assert block_days(series[None], GATES) == [length]


@pytest.mark.parametrize("draws", [1, 2, 200])
def test_bounds_have_the_bits_of_numpys_quantiles(draws):
    drawn, shares = RNG.normal(size=(3, 2, draws)), [0.0, 0.01, 0.05, 0.5, 0.95, 1.0]
    assert bounds(drawn, shares).tobytes() == np.quantile(drawn, shares, axis=-1).tobytes()


def test_a_day_counts_once_in_the_test_against_persistence_however_many_outcomes_it_holds(rows):
    few = pl.col("session").rank("dense") % 3 == 0
    uneven = rows.filter(~few | (pl.col("snapshot_et") == pl.col("snapshot_et").min()))
    cell = next(one for one in score([uneven], GATES, "cqr")["cells"] if (one["symbol"], one["method"]) == ("A", "cqr"))
    mine = uneven.filter(~pl.col("void"), "calibrated", symbol="A", method="cqr", model="asked")
    days = np.array([(one[0] - one[1]) / one[4] for one in days_of(mine).values()])

    expected = ttest_1samp(days, 0.0)
    assert cell["dm"]["calibrated"]["statistic"] == pytest.approx(expected.statistic, abs=1e-6)
    assert cell["dm"]["calibrated"]["p_two_sided"] == pytest.approx(expected.pvalue, abs=1e-6)


def test_a_figure_has_six_decimals_and_no_zero_has_a_sign():
    told = [str(rounded(value)) for value in (-1e-9, -1 / 3, float("nan"), float("inf"))]
    assert told == ["0.0", "-0.333333", "None", "None"]


def test_a_count_is_whole_or_has_six_decimals():
    assert [str(_count(many)) for many in (2.0, 2.5, 7 / 3)] == ["2", "2.5", "2.333333"]
