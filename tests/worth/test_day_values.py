"""Day values: the losses by hand, a unit that rewards no one for being too sure, and days that do not hang on order."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from stages.errors import DataContractError
from stages.tables.forecasts import LEVELS, QUANTILES, Scored
from stages.worth import day_values as day_values_module
from stages.worth.day_values import Compared, _disagreement, compare, day_values, days_of, symbol_days
from tests.scoring.simulated import NORMAL, as_answered, with_truth
from tests.worth.worlds import Pair, Side

SHAPE = "shape_calibrated"


def rows(frame: pl.DataFrame, model: str) -> pl.DataFrame:
    return frame.filter(pl.col("model") == model)


def pair(n_days: int = 6, **world: object) -> tuple[pl.DataFrame, pl.DataFrame]:
    scored = as_answered(with_truth(n_days, **world)).with_columns(calibrated=pl.lit(True))
    return rows(scored, "asked"), rows(scored, "persistence")


def one_question(y: float, paid: list[float], free: list[float]) -> Compared:
    asked, benchmark = pair(1, clocks=("09:45",))
    outcome = pl.lit(y).alias("y_bp")
    return compare(
        *(
            frame.with_columns(outcome, *(pl.lit(q).alias(name) for name, q in zip(QUANTILES, said, strict=True)))
            for frame, said in ((asked, paid), (benchmark, free))
        )
    )


def test_one_question_by_hand():
    # y = 4. Paid -6 -2 1 4 10: pinball .05*10 .25*6 .5*3 .75*0 .05*6 -> (.5+1.5+1.5+0+.3)/5 = .76
    # Free -8 -3 0 3 8: .05*12 .25*7 .5*4 .75*1 .05*4 -> (.6+1.75+2+.75+.2)/5 = 1.06. Widths 16 and 16.
    row = one_question(4.0, [-6.0, -2.0, 1.0, 4.0, 10.0], [-8.0, -3.0, 0.0, 3.0, 8.0]).questions.row(0, named=True)
    assert row[SHAPE] == pytest.approx((1.06 - 0.76) / (0.0755 * 16))
    assert row["direction_calibrated"] == pytest.approx((4 - 3) / (0.2425 * 16))
    # y = -1, below both medians: the paid one is 2 away and the free one 1. Paid .05*5 .25*1 .5*2 .25*5 .05*11 ->
    # 3.3/5 = .66, free .05*7 .25*2 .5*1 .25*4 .05*9 -> 2.8/5 = .56.
    row = one_question(-1.0, [-6.0, -2.0, 1.0, 4.0, 10.0], [-8.0, -3.0, 0.0, 3.0, 8.0]).questions.row(0, named=True)
    assert row[SHAPE] == pytest.approx((0.56 - 0.66) / (0.0755 * 16))
    assert row["direction_calibrated"] == pytest.approx((1 - 2) / (0.2425 * 16))


def test_the_version_as_answered_is_judged_by_its_own_quantiles():
    asked, free = pair(3, r2=0.2)
    widened = asked.with_columns(q05=pl.col("q05") * 3, q95=pl.col("q95") * 3)
    before, after = compare(asked, free).questions, compare(widened, free).questions
    assert before["shape_raw"].equals(after["shape_raw"])
    assert before["direction_calibrated"].equals(before["direction_raw"])
    assert not before[SHAPE].equals(after[SHAPE])


def test_the_truth_against_itself_and_a_losing_side_has_a_positive_value_for_the_other():
    asked, free = pair(40, r2=0.3)
    assert compare(free, free).questions[SHAPE].abs().max() == 0.0
    better, worse = (compare(*sides).questions[SHAPE] for sides in ((asked, free), (free, asked)))
    assert better.mean() > 0.05
    assert worse.to_numpy() == pytest.approx(-better.to_numpy())


def test_void_rows_and_rows_that_a_side_could_not_calibrate_leave_both_sides_and_are_counted():
    asked, free = pair(5)
    void = pl.int_range(pl.len()) < 3
    voided = [
        one.with_columns(void=void, y_bp=pl.when(~void).then("y_bp")).sort("snapshot_utc") for one in (asked, free)
    ]
    late = voided[1].with_columns(calibrated=pl.int_range(pl.len()) >= 5)
    found = compare(voided[0], late)
    assert (found.void, found.uncalibrated, found.questions.height) == (3, 2, 15)


def test_a_question_without_any_width_is_left_out_and_counted():
    found = one_question(4.0, [1.0] * 5, [0.0] * 5)
    assert found.no_scale == 1
    assert day_values(found.questions, SHAPE, ["A"], 10).table.height == 0
    assert one_question(4.0, [1.0] * 5, [-1.0, 0.0, 0.0, 0.0, 1.0]).no_scale == 0


def test_two_outcomes_of_one_question_break_the_contract():
    asked, free = pair(2)
    with pytest.raises(DataContractError, match=r"A 2024-01-01 .* 10 min: .* different outcomes in 8 questions"):
        compare(asked.reverse(), free.reverse().with_columns(y_bp=pl.col("y_bp") + 1.0))


def test_a_question_that_one_side_was_not_asked_counts_for_neither_side():
    asked, free = pair(5)
    assert compare(asked.head(7), free).questions.height == 7


def frame_of(days: dict[str, dict[str, list[float]]]) -> pl.DataFrame:
    """Questions from day -> symbol -> values."""
    found = [
        {"session": date.fromisoformat(day), "symbol": symbol, "horizon_min": 10, "x": value}
        for day, symbols in days.items()
        for symbol, values in symbols.items()
        for value in values
    ]
    return pl.DataFrame(found, schema_overrides={"horizon_min": pl.Int32})


def test_symbols_weigh_alike_whatever_their_number_of_questions():
    frame = frame_of({"2024-01-02": {"A": [0.1, 0.3], "B": [0.6]}, "2024-01-03": {"B": [0.5, 0.5]}})
    found = day_values(frame, "x", ["A", "B"], 10)
    assert found.table["x"].to_list() == [pytest.approx(0.4), 0.5]
    assert found.table["n_questions"].to_list() == [3, 2]
    assert found.set_aside == 0


def test_a_day_with_fewer_than_half_of_the_symbols_is_set_aside():
    frame = frame_of({"2024-01-02": {"A": [0.1]}, "2024-01-03": {"A": [0.1], "C": [0.3]}})
    found = day_values(frame, "x", ["A", "B", "C", "D"], 10)
    assert found.table["session"].to_list() == [date(2024, 1, 3)]
    assert found.set_aside == 1


def test_only_the_asked_horizon_and_symbols_count():
    frame = frame_of({"2024-01-02": {"A": [0.1], "B": [0.9]}})
    other = frame.with_columns(horizon_min=pl.lit(20, pl.Int32), x=pl.lit(5.0))
    assert day_values(pl.concat([frame, other]), "x", ["A"], 10).table["x"].to_list() == [0.1]


def test_neither_the_order_of_rows_nor_the_names_of_symbols_change_a_bit():
    asked, free = pair(8, symbols=("A", "B", "C"), r2=0.2)
    first = day_values(compare(asked, free).questions, SHAPE, ["A", "B", "C"], 10).table
    shuffled = (asked.sample(fraction=1.0, shuffle=True, seed=3), free.sample(fraction=1.0, shuffle=True, seed=4))
    renamed = [one.with_columns(pl.col("symbol").replace({"A": "C", "B": "A", "C": "B"})) for one in shuffled]
    for sides in (shuffled, renamed):
        again = day_values(compare(*sides).questions, SHAPE, ["C", "A", "B"], 10).table
        assert again.equals(first)


def test_days_of_a_longer_record_begin_with_those_of_a_shorter_one():
    asked, free = pair(30, symbols=("A", "B"), r2=0.1)
    upto = pl.col("session") < asked["session"].unique().sort()[11]
    whole = day_values(compare(asked, free).questions, SHAPE, ["A", "B"], 10).table
    part = day_values(compare(asked.filter(upto), free.filter(upto)).questions, SHAPE, ["A", "B"], 10).table
    assert part.equals(whole.head(11))


@pytest.mark.parametrize("wrong", ["", "_free"])
def test_losses_that_are_computed_wrongly_are_noticed_on_either_side(wrong, monkeypatch):
    right = day_values_module._loss

    def thrice(kind, y, side):
        return right(kind, y, side) * (3.0 if side.endswith("_free") == bool(wrong) else 1.0)

    monkeypatch.setattr(day_values_module, "_loss", thrice)
    with pytest.raises(
        DataContractError, match=r"^A 2024-01-01 .* shape_calibrated is larger than the forecasts' disagreement allows"
    ):
        compare(*pair(20, r2=0.2))


def test_a_day_value_has_nine_decimals():
    frame = frame_of({"2024-01-02": {"A": [1 / 3]}})
    assert day_values(frame, "x", ["A"], 10).table["x"].to_list() == [0.333333333]


def random_scored(seed: int, model: str, y: np.ndarray) -> pl.DataFrame:
    """Any quantiles in order, far from and near the outcome."""
    rng = np.random.default_rng(seed)
    n = len(y)
    said = np.sort(rng.normal(rng.normal(0, 20, (n, 1)), rng.lognormal(1, 1.5, (n, 1)), (n, 5)), axis=1)
    asked = rows(as_answered(with_truth(n, clocks=("09:45",))), "asked")
    return asked.with_columns(
        *(pl.Series(f"{side}{name}", said[:, k].round(6)) for k, name in enumerate(QUANTILES) for side in ("", "raw_")),
        model=pl.lit(model),
        y_bp=pl.Series(y.round(6)),
        calibrated=pl.lit(True),
    )


def test_no_value_is_beyond_what_the_forecasts_disagreement_allows():
    y = np.random.default_rng(5).standard_t(2, 500) * 20
    asked, free = (Scored.check(random_scored(seed, model, y)) for seed, model in ((1, "asked"), (2, "free:har")))
    found = compare(asked, free).questions[SHAPE].to_numpy()  # raises where the bound is broken

    apart = sum(
        most * np.abs((asked[name] - free[name]).to_numpy())
        for name, most in zip(QUANTILES, (0.95, 0.75, 0.5, 0.75, 0.95), strict=True)
    )
    widths = sum((one["q95"] - one["q05"]).to_numpy() for one in (asked, free))
    bound = apart / 5 / (0.0755 * widths / 2)
    assert (np.abs(found) <= bound * (1 + 1e-9)).all()
    assert (np.abs(found) > 0.5 * bound).any(), "the bound is of the right size"


def test_the_most_that_an_outcome_can_bring_by_hand():
    """Every level 1 bp apart: by the shape 0.95, 0.75, 0.5, 0.75 and 0.95 of it on average, by the median all of it."""
    apart = pl.DataFrame(dict.fromkeys(QUANTILES, 1.0) | {f"{name}_free": 2.0 for name in QUANTILES})
    most = {kind: apart.select(_disagreement(kind, "{}_free", "{}")).item() for kind in ("shape", "direction")}
    assert most == {"shape": pytest.approx(0.78), "direction": 1.0}


def test_the_truth_that_is_narrowed_comes_out_worse_though_a_ratio_of_losses_would_praise_it():
    y = np.random.default_rng(1).standard_normal(10_000)
    asked, free = (gaussian("asked", y, 0.8), gaussian("free:har", y, 1.0))
    assert compare(asked, free).questions[SHAPE].mean() < -0.008

    paid_loss, free_loss = (mean_pinball(one) for one in (asked, free))
    assert (2 * (free_loss - paid_loss) / (free_loss + paid_loss)).mean() > 0.03


def test_the_values_are_those_of_the_planted_worlds():
    rng = np.random.default_rng(6)
    expected = Pair(paid=Side(width=0.8), free=Side()).questions(rng, 300)
    y = np.random.default_rng(6).standard_normal((2, 300))[1]  # what the world drew as the outcome
    found = compare(gaussian("asked", y, 0.8), gaussian("free:har", y, 1.0)).questions.sort("snapshot_utc")
    assert found[SHAPE].to_numpy() == pytest.approx(expected, abs=1e-5)


def gaussian(model: str, y: np.ndarray, width: float) -> pl.DataFrame:
    """The quantiles of a normal distribution around zero, for outcomes of deviation 1; in units of 20 bp."""
    frame = random_scored(1, model, 20.0 * y)
    return frame.with_columns(pl.lit(20.0 * width * z).alias(name) for name, z in zip(QUANTILES, NORMAL, strict=True))


def mean_pinball(frame: pl.DataFrame) -> np.ndarray:
    y = frame["y_bp"].to_numpy()
    losses = [
        np.maximum(level / 100 * (y - frame[name].to_numpy()), (level / 100 - 1) * (y - frame[name].to_numpy()))
        for level, name in zip(LEVELS, QUANTILES, strict=True)
    ]
    return np.mean(losses, axis=0)


def test_symbols_compared_one_by_one_have_the_days_of_all_together_to_the_bit():
    asked, free = pair(20, symbols=("A", "B", "C"), r2=0.2)
    alone = [compare(*(side.filter(symbol=symbol) for side in (asked, free))).questions for symbol in ("A", "B", "C")]
    rows = pl.concat(symbol_days(one, SHAPE, 10) for one in reversed(alone))
    assert days_of(rows, ["A", "B", "C"]).table.equals(
        day_values(compare(asked, free).questions, SHAPE, ["A", "B", "C"], 10).table
    )
