"""The mix of free forecasts trusts whoever did best so far, and knows no outcome of its own day."""

from datetime import timedelta
from math import exp

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from stages.calibration.methods import calibrate
from stages.calibration.mix import LOSS_PER_WIDTH, calibrated_free, free_mix, relative_losses, weights_by_day
from stages.errors import DataContractError
from stages.tables.forecasts import LEVELS, QUANTILES, Calibrated, FreeWeights
from tests.scoring.simulated import CALIBRATION, FIRST_DAY, with_truth

KEY = ["symbol", "snapshot_utc", "horizon_min"]
NAMES = ("ewma_fhs", "har")
NOBODY = "timegpt"


def answers(n_days: int = 12, symbols: tuple[str, ...] = ("A", "B"), seed: int = 1, **widths: float) -> pl.DataFrame:
    """Candidates on the same outcomes, each the truth with its width times a number."""
    frames = [
        with_truth(n_days, symbols=symbols, r2=0.3, spread=width, seed=seed, models=(f"free:{name}",))
        for name, width in widths.items()
    ]
    return pl.concat(frames).with_columns(key=pl.lit(None, pl.String))


def weights(frame: pl.DataFrame, name: str, asked: str = NOBODY, eta: float = 5.0) -> list[float]:
    return free_mix(frame, asked, eta)[1].filter(model=f"free:{name}").sort("session")["weight"].to_list()


def test_one_candidate_is_the_mix_itself():
    frame = answers(har=1.3)
    mixed, told = free_mix(frame, NOBODY, 5.0)

    assert mixed.sort(KEY).select(QUANTILES).equals(frame.sort(KEY).select(QUANTILES))
    assert set(mixed["model"]) == {"free:free_mix"}
    assert set(mixed["source"]) == {"local:free_mix"}
    assert told["weight"].to_list() == [1.0] * 12


def test_equal_candidates_keep_their_prior_and_it_counts_those_present():
    frame = answers(persistence=1.0, har=1.0)
    assert weights(frame, "har") == pytest.approx([0.8] * 12)
    assert weights(frame, "persistence") == pytest.approx([0.2] * 12)


@pytest.mark.parametrize("other", ["command", "seasonal", "of_mine"])
def test_any_other_candidate_begins_with_a_weight_like_that_of_persistence(other):
    """0.1 of 0.1 + 0.1 + 0.4."""
    frame = answers(persistence=1.0, har=1.0, **{other: 1.0})
    assert weights(frame, other) == pytest.approx([1 / 6] * 12)
    assert weights(frame, "har") == pytest.approx([2 / 3] * 12)
    assert weights(frame, "har", asked=other) == pytest.approx([0.8] * 12)


def test_no_key_of_a_free_answer_reaches_those_who_name_the_asked_model():
    frame = answers(persistence=1.0, command=1.2).with_columns(
        key=pl.when(pl.col("model") == "free:command").then(pl.lit("0" * 32))
    )
    calibration, _ = calibrated_free(frame, frame, CALIBRATION, NOBODY, 5.0)
    assert calibration.whole.rows["key"].null_count() == calibration.whole.rows.height


def test_a_candidate_that_is_worse_every_day_loses_weight_every_day():
    """Its intervals are of the other's width, around a middle that is always 50 bp off."""
    good = answers(ewma_fhs=1.0)
    bad = good.with_columns(pl.col(QUANTILES) + 50, model=pl.lit("free:har"))
    falling = weights(pl.concat([good, bad]), "har")

    assert (np.diff(falling) < 0).all()
    assert falling[0] == 0.5
    assert falling[-1] < 0.01


def test_weights_by_hand():
    """Losses 1 and 2 on the first day, 3 and 1 on the second, at a speed of 0.5."""
    found = weights_by_day(np.array([[1.0, 2.0], [3.0, 1.0], [9.0, 9.0]]), np.array([0.8, 0.2]), 0.5)
    second, third = (
        0.8 * exp(-0.5) / (0.8 * exp(-0.5) + 0.2 * exp(-1)),
        0.8 * exp(-2) / (0.8 * exp(-2) + 0.2 * exp(-1.5)),
    )
    assert found[:, 0].tolist() == pytest.approx([0.8, second, third])
    assert found.sum(axis=1).tolist() == pytest.approx([1, 1, 1])


def test_weights_stay_weights_after_years_of_losses():
    found = weights_by_day(np.tile([1.0, 1.5, 1.0], (5000, 1)), np.array([0.4, 0.4, 0.2]), 5.0)
    assert found[-1].tolist() == pytest.approx([2 / 3, 0, 1 / 3])


def test_the_loss_of_a_normal_forecast_of_a_normal_outcome_is_one():
    """Its expected pinball loss at a level is the density at the quantile."""
    z = norm.ppf(np.array(LEVELS) / 100)
    assert norm.pdf(z).mean() / (z[-1] - z[0]) == pytest.approx(LOSS_PER_WIDTH, abs=1e-4)

    y = np.random.default_rng(1).standard_normal(40_000)
    losses = relative_losses(np.tile(z, (len(y), 1, 1)), y)
    assert losses.mean() == pytest.approx(1, abs=0.02)


def test_the_loss_by_hand():
    """Quantiles -2, -1, 0, 1, 2 and twice as wide ones, an outcome of 3: the mean width is 6."""
    narrow = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    first, second = relative_losses(np.array([[narrow, 2 * narrow]]), np.array([3.0]))[0]
    assert first == pytest.approx((0.05 * 5 + 0.25 * 4 + 0.5 * 3 + 0.75 * 2 + 0.95 * 1) / 5 / (0.0755 * 6))
    assert second == pytest.approx((0.05 * 7 + 0.25 * 5 + 0.5 * 3 + 0.75 * 1 + 0.05 * 1) / 5 / (0.0755 * 6))


def test_quantiles_are_averaged_level_by_level_with_the_weights_of_the_day():
    frame = answers(har=1.0, ewma_fhs=2.0)
    mixed, told = free_mix(frame, NOBODY, 5.0)
    day, symbol = FIRST_DAY + timedelta(days=7), "B"
    share = dict(told.filter(session=day).select("model", "weight").iter_rows())
    by_model = {
        model: frame.filter(model=model, session=day, symbol=symbol).sort(KEY).select(QUANTILES).to_numpy()
        for model in share
    }
    expected = sum(weight * by_model[model] for model, weight in share.items())
    found = mixed.filter(session=day, symbol=symbol).sort(KEY).select(QUANTILES).to_numpy()

    assert 0 < share["free:ewma_fhs"] < 0.5
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("day", [0, 5, 11])
def test_outcomes_of_a_day_move_no_weight_up_to_that_day_and_the_next_one(day):
    frame = answers(har=1.0, ewma_fhs=1.2)
    today = pl.col("session") == FIRST_DAY + timedelta(days=day)
    moved = frame.with_columns(y_bp=pl.when(today).then(3 * pl.col("y_bp") + 40).otherwise("y_bp"))
    before, after = weights(frame, "har"), weights(moved, "har")

    assert before[: day + 1] == after[: day + 1]
    assert all(a != b for a, b in zip(before[day + 1 :], after[day + 1 :], strict=True))


def test_a_record_that_ends_earlier_has_the_same_weights_to_the_bit():
    frame = answers(40, har=1.0, ewma_fhs=1.2)
    short = frame.filter(pl.col("session") < FIRST_DAY + timedelta(days=23))
    assert weights(short, "har") == weights(frame, "har")[:23]


def test_a_day_says_when_the_last_outcome_it_used_was_known():
    frame = answers(4, har=1.0)
    told = free_mix(frame, NOBODY, 5.0)[1].sort("session")
    latest = frame.group_by("session").agg(pl.col("target_ts").max()).sort("session")["target_ts"].to_list()
    assert told["last_outcome_used_utc"].to_list() == [None, *latest[:-1]]
    assert FreeWeights.of(told).height == 4


def test_void_rows_and_forecasts_without_any_width_count_for_nothing():
    frame = answers(har=1.0, ewma_fhs=1.5)
    at = pl.col("session") == FIRST_DAY + timedelta(days=3), pl.col("snapshot_et") == "10:30"
    gone = free_mix(frame.filter(~(at[0] & at[1])), NOBODY, 5.0)[1]
    void = frame.with_columns(y_bp=pl.when(*at).then(None).otherwise("y_bp"))
    flat = frame.with_columns(pl.when(*at).then(pl.col("q50")).otherwise(name).alias(name) for name in QUANTILES)

    for other in (void, flat):
        assert (
            free_mix(other, NOBODY, 5.0)[1]
            .select("session", "model", "weight")
            .equals(gone.select("session", "model", "weight"))
        )


def test_a_day_without_any_outcome_leaves_the_weights_as_they_are():
    today = pl.col("session") == FIRST_DAY + timedelta(days=3)
    found = weights(
        answers(har=1.0, ewma_fhs=1.5).with_columns(y_bp=pl.when(today).then(None).otherwise("y_bp")), "har"
    )
    assert found[4] == found[3] != found[5]


def test_the_asked_forecaster_is_no_part_of_the_mix_and_stays_a_row_of_its_own():
    frame = answers(har=1.0, ewma_fhs=1.5)
    mixed, told = free_mix(frame, "har", 5.0)
    calibration, _ = calibrated_free(frame, frame, CALIBRATION, "har", 5.0)

    assert set(told["model"]) == {"free:ewma_fhs"}
    assert mixed.select(QUANTILES).equals(frame.filter(model="free:ewma_fhs").select(QUANTILES))
    assert set(calibration.whole.rows["model"]) == {"free:har", "free:ewma_fhs", "free:free_mix"}


def test_the_order_of_rows_changes_nothing():
    frame = answers(har=1.0, ewma_fhs=1.5)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=3)
    whole, other = (calibrated_free(one, frame, CALIBRATION, NOBODY, 5.0) for one in (frame, shuffled))
    assert other[0].whole.rows.equals(whole[0].whole.rows)
    assert other[1].equals(whole[1])


def test_the_warm_up_moves_the_first_weights_and_is_in_no_calibrated_row():
    frame = answers(har=1.0, ewma_fhs=1.5)
    asked = frame.filter(pl.col("session") >= FIRST_DAY + timedelta(days=5))
    calibration, told = calibrated_free(frame, asked, CALIBRATION, NOBODY, 5.0)
    cold = free_mix(asked, NOBODY, 5.0)[1]

    assert Calibrated.of(calibration.whole.rows)["session"].min() == FIRST_DAY + timedelta(days=5)
    first = pl.col("session") == FIRST_DAY + timedelta(days=5)
    assert set(cold.filter(first)["weight"]) == {0.5}
    assert 0.5 not in set(told.filter(first)["weight"])


def test_free_forecasts_are_corrected_by_the_stated_method_as_the_asked_ones_are():
    frame = answers(40, har=1.0, ewma_fhs=1.5)
    calibration, _ = calibrated_free(frame, frame, CALIBRATION, NOBODY, 5.0)
    alone = calibrate(frame.filter(model="free:har"), CALIBRATION).whole.rows.filter(method=CALIBRATION.method)
    found = Calibrated.of(calibration.whole.rows)

    assert set(found["method"]) == {CALIBRATION.method}
    assert found.filter(model="free:har").equals(Calibrated.of(alone))
    assert found["calibrated"].sum() > 100


def test_each_horizon_has_weights_of_its_own():
    near, far = (
        answers(har=1.0, ewma_fhs=1.5),
        answers(har=1.5, ewma_fhs=1.0).with_columns(horizon_min=pl.lit(20, pl.Int32)),
    )
    both = free_mix(pl.concat([near, far]), NOBODY, 5.0)[1]
    for minutes, frame in ((10, near), (20, far)):
        alone = free_mix(frame, NOBODY, 5.0)[1]
        assert both.filter(horizon_min=minutes).equals(alone)


def test_candidates_that_answered_other_questions_are_refused():
    frame = answers(har=1.0, ewma_fhs=1.5)
    with pytest.raises(DataContractError, match="did not answer the same questions"):
        free_mix(frame.slice(1), NOBODY, 5.0)
    one_less_each = pl.concat(part[1:] if n else part[:-1] for n, part in enumerate(frame.partition_by("model")))
    with pytest.raises(DataContractError, match="did not answer the same questions"):
        free_mix(one_less_each, NOBODY, 5.0)
