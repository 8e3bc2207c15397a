"""An interval that learns from its misses holds its promise in the long run, whatever the market does."""

from fractions import Fraction
from math import ceil

import numpy as np
import polars as pl
import pytest

from stages.calibration.online import _rank
from tests.calibration.test_methods import daily, last_row, levels
from tests.scoring.simulated import by_every_method, with_truth


def test_a_rank_is_that_of_the_exact_fraction_and_one_of_the_outcomes():
    n, percent = np.arange(1, 400), np.arange(1, 100)
    exact = [[min(max(ceil(Fraction(100 - int(p), 100) * (int(k) + 1)), 1), int(k)) for k in n] for p in percent]
    assert _rank(n, percent[:, None] / 100).tolist() == exact


def test_one_miss_by_hand():
    # Outcomes 1..9 lie 0..8 bp outside [-1, 1] and -1..7 bp outside [-2, 2]. On the tenth day the 5th and the 9th are
    # added and 100 is missed by both, so alpha moves to 0.5 + 0.2 (0.5 - 1) = 0.4 and to 0.1 + 0.2 (0.1 - 1) < 0.01.
    # On the eleventh the ranks are ceil(11 * 0.6) = 7, a score of 6, and 10 (of 10), the miss of 98 itself.
    row = last_row(daily([1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 0]), "aci", aci_gamma=0.2)

    assert levels(row) == [-100, -7, 0, 7, 100]


def test_an_outcome_exactly_at_the_end_of_its_interval_is_no_miss_by_hand():
    # The tenth day's interval is [-5, 5], and its outcome 5: alpha moves to 0.5 + 0.2 * 0.5 = 0.6 and, within [-9, 9],
    # to 0.1 + 0.2 * 0.1 = 0.12. Of ten scores the ranks are ceil(11 * 0.4) = 5, a score of 4, and ceil(11 * 0.88) = 10.
    assert levels(last_row(daily([1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 0]), "aci", aci_gamma=0.2)) == [-9, -5, 0, 5, 9]


def test_until_its_first_outcome_it_is_cqr():
    frame = daily([1, 2, 3, 4, 5, 6, 7, 8, 9, 0])

    assert levels(last_row(frame, "aci")) == levels(last_row(frame, "cqr"))


def test_over_a_long_run_misses_come_to_their_nominal_share_although_the_market_turns_wild():
    # Source of the bound: Gibbs and Candes, proposition 4.1, (max(alpha, 1 - alpha) + gamma) / (gamma T).
    days, gamma = 1500, 0.02
    frame = with_truth(days, clocks=("10:30",), models=("asked",))
    wild = pl.col("session").rank("dense") > days // 3
    turned = frame.with_columns(y_bp=pl.when(wild).then(4.0).otherwise(1.0) * pl.col("y_bp"))

    rows = by_every_method(turned, methods=("aci",), method="aci", aci_gamma=gamma).filter("calibrated")

    missed = 1 - rows["y_bp"].is_between(rows["q25"], rows["q75"]).mean()
    assert abs(missed - 0.5) <= (0.5 + gamma) / (gamma * rows.height)


def test_a_symbol_learns_from_its_own_misses_only():
    frame = with_truth(80, symbols=("A", "B"), models=("asked",))
    wild_b = frame.with_columns(
        y_bp=pl.when((pl.col("symbol") == "B") & (pl.col("session").rank("dense") > 45)).then(1e5).otherwise("y_bp")
    )

    before, after = (by_every_method(one, methods=("aci",), method="aci") for one in (frame, wild_b))

    own_group = pl.col("symbol").eq("A") & pl.col("group_used").str.starts_with("A")
    assert before.filter(own_group).equals(after.filter(own_group))
    assert not before.filter(symbol="B").equals(after.filter(symbol="B"))


@pytest.mark.parametrize("gamma", [0.01, 0.2])
def test_the_last_outcome_it_learnt_from_is_named(gamma):
    rows = by_every_method(with_truth(60), methods=("aci",), method="aci", aci_gamma=gamma).filter("calibrated")

    # It learns from all four snapshots of the day before, the last of which is known at 14:55.
    settled = rows.filter(pl.col("session").rank("dense") > 2)
    assert np.unique(settled["last_outcome_used_utc"].dt.strftime("%H:%M").to_numpy()).tolist() == ["14:55"]
