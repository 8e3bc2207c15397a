"""Each kind of leak, planted in one stage of the replay, is found and named: stage, column, symbol, first instant."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from stages.audit.audit import first_mismatch
from stages.audit.replay import Frames
from stages.errors import DataContractError
from stages.params.quality import QualityParams
from stages.quality.cross_symbol import check_symbols
from stages.runs.replayed_study import replay_of
from stages.tables.forecasts import Scored
from tests.audit.small_study import CALENDAR, Audited, delivered, honest, leaking, record_of, study_of, unchanged
from tests.features.made_bars import section
from tests.quality.deliveries import dialect
from tests.sources.traps import canary

HONEST = honest()
AT = re.compile(
    r"what was known at 2024-1[01]-\d\dT\d\d:\d\dZ changed when the market was (scrambled|cut) after 2024-1"
)


def caught(count: int = 8, seed: int = 1, audited: Audited | None = None, **leaky: Callable) -> str:
    """What the audit says of the honest replay with a stage exchanged."""
    audited = audited or Audited(leaking(HONEST, unchanged().world, **leaky))
    with pytest.raises(DataContractError, match=r"^the past moved: ") as found:
        audited.passes(count, seed)
    assert found.value.exit_code == 2
    return str(found.value)


def building(column: str, leak: pl.Expr) -> Callable:
    """Features with one column replaced by a leaky version of itself."""

    def build(bars: Frames, usable: object, events: pl.DataFrame) -> Frames:
        sound = HONEST.build(bars, usable, events)
        return {symbol: frame.with_columns(leak.alias(column)) for symbol, frame in sound.items()}

    return build


R = pl.col("ret_1m")
FEATURE_LEAKS = {
    "a centred window": ("sigma_5m", pl.col("sigma_5m").rolling_mean(5, center=True).over("session")),
    "the next minute": ("ret_1m", R.shift(-1).over("session")),
    "a scaler fitted on the whole sample": ("ret_1m", (R - R.mean()) / R.std()),
    "a rank over the whole sample": ("volume_norm", pl.col("volume_norm").rank() / pl.len()),
    "the day's own range": ("ret_1m", R / R.abs().max().over("session")),
    "a gap filled from behind": ("volume_norm", pl.col("volume_norm").backward_fill()),
}


@pytest.mark.parametrize("kind", FEATURE_LEAKS)
def test_a_feature_that_looks_ahead_is_caught(kind):
    column, leak = FEATURE_LEAKS[kind]
    message = caught(build=building(column, leak))

    assert message.startswith(f"the past moved: stage build_features, column {column}, ")
    assert AT.search(message)


@pytest.mark.journey  # a study of its own, replayed
def test_a_delivered_column_that_a_feature_uses_is_caught_and_an_unused_one_is_not():
    caged = Audited(HONEST, {symbol: canary(frame) for symbol, frame in delivered().items()})
    assert len(caged.passes(count=2)) == 2

    def sing(bars, usable, events):
        heard = {symbol: canary(frame).select("ts", "canary") for symbol, frame in bars.items()}
        honest = HONEST.build(bars, usable, events)
        return {s: f.join(heard[s], on="ts", how="left", maintain_order="left") for s, f in honest.items()}

    with pytest.raises(DataContractError, match="stage build_features, column canary"):
        replace(caged, replay=leaking(HONEST, caged.world, build=sing)).passes(count=4)


def test_an_outlier_judged_by_the_whole_record_is_caught_in_the_gate():
    move = (pl.col("close") / pl.col("close").shift(1)).log().abs()

    def check(delivered):
        marked = move > 3 * move.std()
        return {
            symbol: replace(one, bars=one.bars.with_columns(is_outlier=marked.fill_null(value=False)))
            for symbol, one in HONEST.check(delivered).items()
        }

    assert "stage check_data, column is_outlier" in caught(check=check)


def test_an_event_that_is_known_before_its_announcement_is_caught():
    def build(bars, usable, events):
        return HONEST.build(bars, usable, events.with_columns(announced_at=pl.lit(events["announced_at"].min())))

    assert "stage build_features, column event_today" in caught(count=16, build=build)


def test_a_context_that_is_not_lagged_but_led_is_caught():
    def build(bars, usable, events):
        sound = HONEST.build(bars, usable, events)
        ahead = sound["NULL"].select("ts", context_ret_1m=R.shift(-1))
        return {
            symbol: frame.drop("context_ret_1m").join(ahead, on="ts", how="left", maintain_order="left")
            for symbol, frame in sound.items()
        }

    assert "stage build_features, column context_ret_1m" in caught(build=build)


def test_a_snapshot_dropped_by_the_verdict_on_its_own_day_is_caught():
    def plan(market):
        schedule, questions = HONEST.plan(market)
        sound = pl.DataFrame(
            [(symbol, day) for symbol, days in market.usable.items() for day in days],
            schema={"symbol": pl.String, "session": pl.Date},
            orient="row",
        )
        kept = schedule.join(sound, on=["symbol", "session"], how="semi")
        return kept, [question for question in questions if question.key in set(kept["key"])]

    message = caught(count=12, plan=plan)
    assert "stage build_requests, column (the row itself)" in message
    assert "cut after" in message


def test_start_labels_that_are_read_as_ends_are_caught():
    """09:30 is read as the bar from 09:29 on: each bar counts as known a minute before it is over."""
    trusting = QualityParams.model_validate(section("quality") | {"label_min_sessions": 1000})
    as_ends = dialect(bar_label="end")

    assert "stage check_data, column " in caught(check=lambda bars: check_symbols(bars, as_ends, CALENDAR, trusting))


def test_end_labels_that_are_read_as_starts_are_caught_although_nothing_is_known_too_early():
    """09:31 is read as the bar from 09:31 on: each bar counts as known a minute late, and orders get its old price."""
    trusting = QualityParams.model_validate(section("quality") | {"label_min_sessions": 1000})
    starts = dialect(bar_label="start")
    bars = {s: frame.with_columns(pl.col("ts") + pl.duration(minutes=1)) for s, frame in delivered().items()}
    gate = leaking(HONEST, unchanged().world, check=lambda given: check_symbols(given, starts, CALENDAR, trusting))
    audited = Audited(gate, bars, dialect(bar_label="end"))

    message = caught(audited=audited)
    assert "stage check_data, column ts" in message
    assert "orders filled at old prices" in message


@pytest.mark.parametrize(("told", "meant"), [("start", "end"), ("end", "start")])
def test_a_label_that_the_params_have_wrong_is_caught_by_the_gate_itself(told, meant):
    late = 1 if meant == "end" else 0
    bars = {s: frame.with_columns(pl.col("ts") + pl.duration(minutes=late)) for s, frame in delivered().items()}
    with pytest.raises(DataContractError, match=f"check TS5: the stamps name the {meant} of each minute"):
        Audited(replay_of(study_of(source={"bar_label": told}), record_of()), bars).passes()


def test_an_answer_that_saw_the_outcome_is_caught():
    def answer(schedule, questions, market):
        sound = HONEST.answer(schedule, questions, market)
        ahead = pl.concat(
            frame.select(
                pl.lit(symbol).alias("symbol"), snapshot_utc=pl.col("known_at"), later=pl.col("close").shift(-20)
            )
            for symbol, frame in market.bars.items()
        )
        seen = (pl.col("later") / pl.col("last")).log() * 1e4
        return sound.join(ahead, on=["symbol", "snapshot_utc"], how="left").with_columns(q50=seen).drop("later")

    assert "stage forecast, column q50" in caught(answer=answer)


def corrected_by(shift: pl.Expr) -> Callable:
    """Every median moved by something of the outcomes."""

    def correct(quantiles, bars, usable):
        calibrated, offsets = HONEST.correct(quantiles, bars, usable)
        names = ["q05", "q25", "q50", "q75", "q95"]
        return Scored.of(calibrated.with_columns(pl.col(names) + shift.fill_null(0))), offsets

    return correct


@pytest.mark.parametrize(
    ("kind", "shift"),
    [
        ("its own outcome", pl.col("y_bp")),
        ("outcomes of the day, realised or not", pl.col("y_bp").mean().over("symbol", "session")),
        ("outcomes of the whole record", pl.col("y_bp").mean()),
        ("tomorrow's errors", (pl.col("y_bp") - pl.col("q50")).shift(-50).over("symbol")),
    ],
)
def test_a_correction_by_outcomes_that_were_not_realised_is_caught(kind, shift):
    message = caught(count=12, correct=corrected_by(shift))
    assert "stage calibrate, column q05" in message, kind


def test_a_selection_on_the_whole_record_is_caught():
    """Which side a symbol trades is chosen by how the record ends, sealed span included."""

    def decide(bars, calibrated):
        best = calibrated.filter(pl.col("session") >= date(2024, 11, 8))["y_bp"].mean() or 0.0
        return HONEST.decide(bars, calibrated).with_columns(pl.col("ev_bp") + best)

    assert "stage backtest, column ev_bp" in caught(decide=decide)


def test_a_stage_that_wrote_another_value_than_its_replay_finds_is_named():
    """What a stage does beside the replayed functions moves no replay, so only its output can tell."""
    base = unchanged().base
    written = [replace(one, rows=one.rows.drop("known_at").reverse()) for one in base]  # a file tells no such instant
    assert first_mismatch(base, written) is None

    offsets = next(one for one in written if "offset_q05" in one.rows.columns)
    last = pl.int_range(pl.len()) == pl.len() - 1
    leaking = pl.when(last).then(pl.col("offset_q05").fill_null(0.0) + 1.0).otherwise("offset_q05")
    written[written.index(offsets)] = replace(offsets, rows=offsets.rows.with_columns(leaking.alias("offset_q05")))
    assert (first_mismatch(base, written) or "").startswith("stage calibrate, column offset_q05, NULL at 2024-1")


@pytest.mark.parametrize("stage", ["check_data", "build_requests", "forecast_free", "calibrate", "backtest"])
def test_a_stage_that_left_out_a_row_is_named(stage):
    """Whoever drops what went wrong afterwards writes no other value, but fewer of them."""
    base = unchanged().base
    for left_out in (one for one in base if one.stage == stage):
        fewer = replace(left_out, rows=left_out.rows.head(-1))
        symbol = left_out.rows["symbol"][-1]
        said = first_mismatch(base, [fewer if one is left_out else one for one in base]) or ""
        assert said.startswith(f"stage {stage}, column (the row itself), {symbol} at 2024-1")


def test_the_first_stage_that_leaks_is_named_and_its_earliest_instant():
    """A feature leak reaches schedule, answers and trades; what is told is where it began."""
    leaky = building("sigma_5m", pl.col("sigma_5m") + R.mean())
    message = caught(audited=Audited(replace(HONEST, build=leaky)))
    first = f"{CALENDAR['open_utc'][0]:%Y-%m-%dT14:}"

    assert "stage build_features, column sigma_5m" in message
    assert f"known at {first[:10]}" in message
