"""A pipeline with a leak, or with its clock off by a minute, cannot pass its own controls."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from stages.calibration.past import with_outcomes
from tests.scoring.in_parts import controls
from tests.scoring.simulated import GATES, as_answered, with_truth

N_DAYS = 20
SYMBOLS = ("A", "B")
MINUTE = timedelta(minutes=1)


def questions(frame: pl.DataFrame, ends_before_snapshot: timedelta = MINUTE) -> Iterator[tuple[str, datetime]]:
    """What a control sees of each question."""
    for key, snapshot in frame.filter(pl.col("key").is_not_null()).select("key", "snapshot_utc").iter_rows():
        yield key, snapshot - ends_before_snapshot


def random_walk(symbol: str, days: list[object]) -> pl.DataFrame:
    """Ninety minutes a day around 10:30, each close a step away from the one before."""
    rng = np.random.default_rng(len(days) + ord(symbol))
    starts = [datetime(d.year, d.month, d.day, 9, 30, tzinfo=UTC) + k * MINUTE for d in days for k in range(90)]
    closes = np.round(100 * np.exp(np.cumsum(rng.standard_normal(len(starts)) * 5e-4)), 2)
    return pl.DataFrame({"ts": starts, "close": closes}).with_columns(
        pl.col("ts").cast(pl.Datetime("us", "UTC")),
        known_at=(pl.col("ts") + pl.duration(minutes=1)).cast(pl.Datetime("us", "UTC")),
        is_filled=pl.lit(False),
    )


@pytest.fixture(scope="module")
def market() -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """Forecasts beside the outcomes of a random walk, and its bars."""
    frame = with_truth(N_DAYS, symbols=SYMBOLS, clocks=("10:30",)).drop("y_bp", "target_ts", "void")
    days = sorted(frame["session"].unique())
    bars = {symbol: random_walk(symbol, days) for symbol in SYMBOLS}
    closes = pl.concat(
        bar.select(pl.lit(symbol).alias("symbol"), pl.col("known_at").alias("snapshot_utc"), "close")
        for symbol, bar in bars.items()
    )
    frame = frame.join(closes, on=["symbol", "snapshot_utc"]).with_columns(last=pl.col("close")).drop("close")
    return with_outcomes(frame, bars, dict.fromkeys(SYMBOLS, tuple(days))), bars


def verdicts(proofs: dict[str, object]) -> dict[str, str]:
    return {name: proof if name == "verdict" else proof["verdict"] for name, proof in proofs.items()}


def test_a_sound_pipeline_passes_all_three(market):
    frame, bars = market

    proofs = controls([as_answered(frame)], questions(frame), bars, GATES)

    assert verdicts(proofs) == dict.fromkeys(("echo", "oracle", "shifted_oracle", "verdict"), "PASS")
    assert (proofs["echo"]["rmae_min"], proofs["echo"]["rmae_max"]) == (1.0, 1.0)
    assert (proofs["oracle"]["rmae_max"], proofs["oracle"]["n"]) == (0.0, N_DAYS * len(SYMBOLS))
    assert 0.1 < proofs["shifted_oracle"]["rmae_min"] < 0.5  # one of ten minutes is missing: about sqrt(1/10)


def test_symbols_that_come_one_after_the_other_prove_the_same(market):
    frame, bars = market
    rows = as_answered(frame)

    apart = controls(rows.partition_by("symbol"), list(questions(frame)), bars, GATES)

    assert apart == controls([rows], questions(frame), bars, GATES)
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=1)
    assert apart == controls([shuffled], questions(frame), bars, GATES)


@pytest.mark.parametrize(
    ("horizon_min", "told", "verdict"),
    [(60, "rmae > 0.05", "FAIL"), (240, "rmae > 0.05, beyond an hour times sqrt(60 / minutes)", "PASS")],
)
def test_of_four_hours_a_minute_is_half_as_much_as_of_one(horizon_min, told, verdict):
    """The price walks to 100 bp; one minute before the target it is 4 bp short: 0.04, between 0.05 and half of it."""
    frame = with_truth(1, clocks=("10:30",), horizon_min=horizon_min).drop("y_bp", "target_ts", "void")
    snapshot = frame["snapshot_utc"][0]
    ends = [snapshot, snapshot + (horizon_min - 1) * MINUTE, snapshot + horizon_min * MINUTE]
    closes = [100.0, *(100 * np.exp(bp / 1e4) for bp in (96.0, 100.0))]
    bars = pl.DataFrame({"known_at": ends, "close": closes, "is_filled": False}).with_columns(
        pl.col("known_at").cast(pl.Datetime("us", "UTC")), ts=pl.col("known_at").cast(pl.Datetime("us", "UTC")) - MINUTE
    )
    scored = as_answered(with_outcomes(frame, {"A": bars}, {"A": tuple(frame["session"].unique())}))

    found = controls([scored], questions(frame), {"A": bars}, GATES)["shifted_oracle"]

    assert (found["rmae_max"], found["rule"], found["verdict"]) == (pytest.approx(0.04), told, verdict)


@pytest.mark.parametrize("minutes", [-9, 0, 2], ids=["the answer itself", "one bar too many", "one bar too few"])
def test_a_history_that_ends_on_another_bar_than_the_last_known_one_fails_the_echo(market, minutes):
    frame, bars = market

    proofs = controls([as_answered(frame)], questions(frame, minutes * MINUTE), bars, GATES)

    assert verdicts(proofs)["echo"] == verdicts(proofs)["verdict"] == "FAIL"
    assert verdicts(proofs)["oracle"] == "PASS"


@pytest.mark.parametrize("minutes", [-1, 1])
def test_outcomes_read_one_minute_beside_the_target_fail_the_oracle(market, minutes):
    frame, bars = market
    moved = {
        symbol: bar.with_columns(
            known_at=(pl.col("known_at") + pl.duration(minutes=minutes)).cast(pl.Datetime("us", "UTC"))
        )
        for symbol, bar in bars.items()
    }
    days = tuple(frame["session"].unique())
    misread = with_outcomes(frame.drop("y_bp", "target_ts", "void"), moved, dict.fromkeys(SYMBOLS, days))

    found = verdicts(controls([as_answered(misread)], questions(frame), bars, GATES))

    assert found["oracle"] == found["verdict"] == "FAIL"
    assert found["echo"] == "PASS"


def test_a_market_in_which_a_minute_makes_no_difference_fails_the_shifted_oracle(market):
    frame, bars = market
    # Nothing moves between five and fourteen minutes after the snapshot: the target is known long before its time.
    frozen = {
        symbol: bar.with_columns(
            close=pl.when(pl.col("ts").dt.minute().is_between(34, 44), pl.col("ts").dt.hour() == 10)
            .then(
                pl.col("close").filter(pl.col("ts").dt.minute() == 34, pl.col("ts").dt.hour() == 10).first().over("day")
            )
            .otherwise(pl.col("close"))
        )
        for symbol, bar in ((symbol, bar.with_columns(day=pl.col("ts").dt.date())) for symbol, bar in bars.items())
    }
    days = tuple(frame["session"].unique())
    still = with_outcomes(frame.drop("y_bp", "target_ts", "void"), frozen, dict.fromkeys(SYMBOLS, days))

    found = verdicts(controls([as_answered(still)], questions(frame), frozen, GATES))

    assert found == {"echo": "PASS", "oracle": "PASS", "shifted_oracle": "FAIL", "verdict": "FAIL"}


def told(frame: pl.DataFrame, bars: dict[str, pl.DataFrame], minutes: int, share: float) -> dict[str, pl.DataFrame]:
    """Bars whose close, so many minutes after each snapshot, tells this share of the outcome."""
    tellers = frame.filter(model="asked").select(
        "symbol",
        (pl.col("snapshot_utc") + pl.duration(minutes=minutes)).alias("ts"),
        (pl.col("last") * (share * pl.col("y_bp") / 1e4).exp()).alias("close"),
    )
    return {name: bar.update(tellers.filter(symbol=name).drop("symbol"), on="ts") for name, bar in bars.items()}


@pytest.mark.parametrize(("share", "rmae", "verdict"), [(0.0, 1, "PASS"), (0.1, 0.9, "FAIL"), (-0.1, 1.1, "FAIL")])
def test_an_echo_better_or_worse_than_persistence_fails(market, share, rmae, verdict):
    frame, bars = market
    proofs = controls([as_answered(frame)], questions(frame), told(frame, bars, -1, share), GATES)
    assert proofs["echo"]["rmae_max"] == pytest.approx(rmae, abs=1e-6)
    assert verdicts(proofs) == {"echo": verdict, "oracle": "PASS", "shifted_oracle": "PASS", "verdict": verdict}


def test_a_control_tells_its_best_and_its_worst_cell(market):
    frame, bars = market
    both = {symbol: told(frame, bars, -1, share)[symbol] for symbol, share in (("A", 0.1), ("B", -0.1))}
    echo = controls([as_answered(frame)], questions(frame), both, GATES)["echo"]
    assert (echo["rmae_min"], echo["rmae_max"], echo["verdict"]) == (0.900000006, 1.099999993, "FAIL"), "nine decimals"


def test_an_oracle_that_covers_all_and_errs_or_errs_by_nothing_and_misses_one_fails(market):
    """Of 40 outcomes, one lies a billionth of a basis point beside what the oracle says: no error, but no cover."""
    frame, bars = market
    first = (pl.col("symbol") == "A") & (pl.col("session") == pl.col("session").min())
    beside = as_answered(frame).with_columns(y_bp=pl.when(first).then(pl.col("y_bp") + 1e-9).otherwise("y_bp"))
    for rows, verdict in ((beside, "FAIL"), (as_answered(frame), "PASS")):
        proof = controls([rows], questions(frame), bars, GATES)["oracle"]
        assert (proof["rmae_max"], proof["verdict"]) == (0.0, verdict)


@pytest.mark.parametrize(("limit", "verdict"), [(0.5, "FAIL"), (0.499999, "PASS")])
def test_a_shifted_oracle_must_be_worse_than_its_limit(market, limit, verdict):
    """All outcomes are 10 bp; a minute before the target half of the move is there."""
    frame, bars = market
    tens = frame.with_columns(y_bp=10.0, last=100.0)
    rows = as_answered(tens)
    half = told(tens, told(tens, told(tens, bars, 9, 1.0), 8, 0.5), -1, 0.0)
    found = controls([rows], questions(frame), half, GATES.model_copy(update={"shifted_oracle_rmae_gt": limit}))
    assert (found["shifted_oracle"]["rmae_max"], found["shifted_oracle"]["verdict"]) == (0.5, verdict)
    assert (found["oracle"]["verdict"], found["verdict"]) == ("PASS", verdict)


def test_a_forecast_whose_question_is_not_there_fails_the_echo(market):
    frame, bars = market

    found = verdicts(controls([as_answered(frame)], list(questions(frame))[1:], bars, GATES))

    assert found["echo"] == "FAIL"


def test_a_forecast_better_than_the_best_possible_one_is_a_leak(market):
    frame, bars = market
    keys = ["symbol", "snapshot_utc", "horizon_min"]
    honest = frame.filter(model="asked").select(
        *keys, planted_bp=0.0, on_tick_bp=0.0, oracle_mae_bp=1.0, persistence_mae_bp=1.0
    )
    leaked = frame.with_columns(q50=pl.col("y_bp") + 0.1)

    sound, leaking = (
        controls([as_answered(told)], questions(frame), bars, GATES, lambda _: honest) for told in (frame, leaked)
    )

    assert (sound["oracle_bound"]["verdict"], sound["verdict"]) == ("PASS", "PASS")
    assert verdicts(leaking) == verdicts(sound) | {"oracle_bound": "FAIL", "verdict": "FAIL"}


def test_without_any_outcome_the_controls_prove_nothing(market):
    frame, bars = market

    found = verdicts(controls([as_answered(frame).clear()], questions(frame), bars, GATES))

    assert set(found.values()) == {"INCONCLUSIVE"}
