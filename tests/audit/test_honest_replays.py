"""Without a leak the audit passes, whatever the dialect and whoever answers, and it has really looked."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from stages.audit.audit import audit, known_by
from stages.audit.replay import run
from stages.audit.world import FUTURES, World
from stages.commands import audit as command
from stages.errors import DataContractError
from stages.runs.replayed_study import among, dialect_of, replay_of
from stages.tables.forecasts import QUANTILES, Quantiles
from stages.tables.market import PRICES
from tests.audit.small_study import CALENDAR, Audited, announced, delivered, moments, record_of, study_of, unchanged
from tests.quality.deliveries import dialect

LAST = CALENDAR["close_utc"][-1]


def table(known, stage, column):
    """Of two such tables, that of the asked forecasts comes first."""
    found, *_ = (one.rows for one in known if one.stage == stage and column in one.rows.columns)
    return found


def test_the_pipeline_passes_and_every_question_of_the_past_was_asked_again():
    passed = unchanged().passes(count=4)
    keys = frozenset(table(unchanged().base, "build_requests", "rows_sent")["key"].drop_nulls())

    assert {one.future for one in passed} == set(FUTURES)
    assert len(passed) == 4
    assert passed[-1].keys <= keys
    assert len(passed[-1].keys) > 20


@pytest.mark.journey  # a study of its own, replayed
def test_a_share_near_the_highest_price_passes_too():
    """Half as much again is more than `quality.max_price`, and the gate would refuse the invented future."""
    dear = {
        symbol: bars.with_columns((pl.col(*PRICES) * (900_000 / bars["close"].max())).round())
        for symbol, bars in delivered().items()
    }
    audited = Audited(replay_of(study_of(quality={"tick_size": 1.0}), record_of()), dear)
    assert len(audited.passes(count=4)) == 4


def test_the_small_study_corrects_forecasts_trades_and_knows_of_events():
    """Otherwise its audit would prove nothing about these stages."""
    base = unchanged().base

    assert table(base, "calibrate", "offset_q05").group_by("method").len().height == 3
    assert table(base, "calibrate", "q05").filter(method="cqr")["calibrated"].sum() > 10
    assert table(base, "backtest", "decision")["decision"].is_in(["long", "short"]).sum() > 5
    assert set(table(base, "build_features", "event_today")["event_today"]) == {0.0, 1.0}


@pytest.mark.parametrize("future", FUTURES)
def test_another_future_is_seen_by_every_stage_from_its_instant_on(future):
    """The replays differ from the world as it is; only their pasts are the same."""
    audited = unchanged()
    base = audited.base
    instant = moments(base, 9, seed=3)[4]
    replayed = run(audited.replay, FUTURES[future](audited.world, instant, 0))
    moved = [
        not ours.rows.equals(theirs.rows)
        for ours, theirs in zip(known_by(base, LAST, future), known_by(replayed, LAST, future), strict=True)
    ]
    assert moved[2:] == [True] * len(moved[2:])
    assert moved[0]


def test_a_future_without_any_question_of_the_longer_history_that_is_traded_has_no_trade():
    """Where the record is cut, the shorter history is asked already, and the longer one is not yet."""
    study = study_of(requests={"history_days": [2, 5]}, rules={"history_days": 5})
    audited = Audited(replay_of(study, record_of()))
    instant = CALENDAR["open_utc"][4] + timedelta(minutes=200)
    asked = table(run(audited.replay, FUTURES["cut"](audited.world, instant, 0)), "build_requests", "rows_sent")
    assert set(asked.drop_nulls("key")["history_days"]) == {2}


@pytest.mark.journey  # a study of its own, replayed
def test_a_vendor_with_other_names_local_stamps_and_end_labels_passes_too():
    aliases, dialect = (
        {"t": "ts", "c": "close"},
        {"zone": "America/New_York", "bar_label": "end", "bar_label_trusted": False},
    )
    study = study_of(source={"aliases": aliases, **dialect})
    at = (pl.col("ts") + pl.duration(minutes=1)).dt.convert_time_zone(dialect["zone"]).dt.replace_time_zone(None)
    bars = {
        symbol: frame.with_columns(at.cast(pl.Datetime("ms"))).rename({"ts": "t", "close": "c"})
        for symbol, frame in delivered().items()
    }
    audited = Audited(replay_of(study, record_of()), bars, dialect_of(study))

    assert [one.future for one in audited.passes(count=2)] == ["scrambled", "cut"]
    assert audited.base[0].rows.equals(unchanged().base[0].rows), "the same bars, told differently"


@pytest.mark.journey  # a study of its own, replayed
@pytest.mark.parametrize("early_min", [0, 60])
def test_a_symbol_that_is_listed_later_has_no_bar_where_the_record_is_cut_before(early_min):
    """With the rows of the hour before its first open, or none."""
    listed = CALENDAR["open_utc"][8]
    rows = delivered()["STRONG"].filter(pl.col("ts") >= listed)
    early = rows.head(early_min).with_columns(pl.col("ts") - timedelta(minutes=early_min))
    audited = Audited(bars=delivered() | {"STRONG": pl.concat([early, rows])})
    at = [listed - timedelta(hours=20), listed - timedelta(minutes=5), listed + timedelta(minutes=90)]
    passed = [*audit(audited.replay, audited.world, audited.base, [one for one in at for _ in FUTURES])]

    assert [one.future for one in passed] == [*FUTURES] * 3


@pytest.mark.journey  # a study of its own, replayed
@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_a_vendor_with_whole_stamps_and_columns_that_name_the_symbol_passes_too(zone):
    """Nanoseconds since 1970, in UTC or of the wall clock; volumes as whole numbers."""
    at = pl.col("ts") if zone is None else pl.col("ts").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    bars = {
        symbol: frame.with_columns(at.dt.timestamp("ns"), pl.col("volume").cast(pl.UInt64)).rename(
            {"close": f"{symbol}|close"}
        )
        for symbol, frame in delivered().items()
    }
    study = study_of(source={"aliases": {"{symbol}|close": "close"}, "unit": "ns", "zone": zone})
    audited = Audited(replay_of(study, record_of()), bars, dialect_of(study))

    assert [one.future for one in audited.passes(count=2)] == ["scrambled", "cut"]
    assert audited.base[0].rows.equals(unchanged().base[0].rows), "the same bars, told differently"


def test_bought_answers_are_taken_by_their_key_without_a_request():
    bought = {"name": "timegpt", "model": "timegpt-x", "base_url": "https://nobody.invalid", "input_size": 1000,
              "model_horizon": 20}  # fmt: skip
    study = study_of(forecaster=bought)
    first = Audited(replay_of(study, record_of()))
    answered = Quantiles.of(table(first.base, "forecast", "q05").with_columns(pl.col(QUANTILES) + 1))
    audited = Audited(replay_of(study, record_of(answered)))

    assert Quantiles.of(table(audited.base, "forecast", "q05")).equals(answered)
    assert [one.future for one in audited.passes(count=2)] == ["scrambled", "cut"]


def test_the_same_seed_gives_the_same_instants_oldest_first_and_no_more_than_there_are():
    base = unchanged().base
    drawn = moments(base, 40, seed=5)

    assert drawn == sorted(set(drawn)) == moments(base, 40, seed=5) != moments(base, 40, seed=6)
    assert len(moments(base, 10**6, seed=5)) <= CALENDAR["n_bars"].sum()


@pytest.mark.parametrize("label", ["start", "end"])
def test_a_delivered_row_is_known_at_the_end_of_its_minute(label):
    world = replace(unchanged().world, dialect=dialect(bar_label=label))
    first = delivered()["STRONG"]["ts"][0]

    assert (world.known_at("STRONG")[0] - first).total_seconds() == {"start": 60, "end": 0}[label]


@pytest.mark.parametrize("future", FUTURES)
def test_a_future_changes_no_row_that_was_known_and_all_that_were_not(future):
    world, instant = unchanged().world, CALENDAR["open_utc"][7]
    other = FUTURES[future](world, instant, seed=4)
    for symbol, frame in world.bars.items():
        known = (world.known_at(symbol) <= instant).sum()
        assert other.bars[symbol][:known].equals(frame[:known])
        later = other.bars[symbol][known:].join(frame, on="ts")
        assert later.is_empty() == (future == "cut")
        assert not (later["close"] == later["close_right"]).any()
        assert future == "cut" or known + later.height < frame.height, "some minutes lack a bar, others than before"
        assert (later["high"] >= later["low"]).all()
    assert other.events.equals(announced().filter(pl.col("announced_at") <= instant))


@pytest.mark.journey  # a study of its own, replayed
def test_all_at_once_holds_the_symbols_that_ask_nothing_and_where_others_decide_it_says_so(monkeypatch):
    """They decide about bars too. Of two symbols that lose a fifth in one minute, each alone asks other questions."""
    crash = pl.when(pl.col("ts") >= CALENDAR["open_utc"][7] + timedelta(minutes=10)).then(0.8).otherwise(1.0)
    bars = {name: rows.with_columns(pl.col(PRICES) * crash) for name, rows in delivered().items()}
    study = study_of(universe={"context_symbol": None}, features={"names": ["ret_1m", "sigma_5m"]})
    schedule = table(run(replay_of(study, record_of()), World(bars, announced(), dialect_of(study))),
                     "build_requests", "rows_sent")  # fmt: skip
    monkeypatch.setattr(command, "_world", lambda one: World(
        {symbol: bars[symbol] for symbol in one.universe.symbols}, announced(), dialect_of(one)))  # fmt: skip
    asked = command.Asked(instants=2, seed=1, at_once=1)

    assert command.groups_of(["NULL"], ("NULL", "STRONG"), 1) == [("NULL", "STRONG")]
    assert command.groups_of(["NULL", "STRONG"], ("STRONG", "NULL"), 1) == [("NULL",), ("STRONG",)]
    assert len(command._audited(study, record_of(), schedule, asked)[1]) >= 2
    with pytest.raises(DataContractError, match=r"audit all at once: AT_ONCE=1000\.$"):
        command._audited(among(study, ("STRONG",)), record_of(), schedule.filter(symbol="STRONG"), asked)
