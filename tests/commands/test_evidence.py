"""What `make plan` says of evidence: from free forecasts alone, made where no run left them, touching no file."""

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from stages.commands import evidence
from stages.commands.evidence import evidence_lines, free_forecasts_ran
from stages.params.study import Study
from stages.questions.market import Market
from stages.questions.schedule import plan_questions
from stages.tables.forecasts import Quantiles
from stages.worth import free_days, price_of_evidence
from stages.worth.free_days import Deviations
from tests.architecture.dependencies import ROOT
from tests.features.made_bars import made_calendar
from tests.questions.markets import random_market

CALENDAR = made_calendar(16, n_bars=110)
SYMBOLS = ("NULL", "STRONG")
SMALL: dict[str, dict[str, Any]] = {
    "universe": {"symbols": SYMBOLS, "whitelist": ["STRONG"], "context_symbol": "NULL"},
    "requests": {"history_days": [2], "horizons_min": [10], "snapshots_et": ["10:00", "10:30"]},
    "forecaster": {"lookback_sessions": 6, "min_rows": 1, "fhs_paths": 100},
    "rules": {"history_days": 2},
    "worth": {"candidates": ["persistence", "ewma_fhs"], "planned_sessions": 40, "warmup_sessions": 3},
}
GRID = {"history_days": [2], "horizon_min": [10]}
CLOCKS = ("09:45", "10:00", "10:30", "13:30", "14:45")


@pytest.fixture(scope="module")
def market() -> Market:
    return random_market(CALENDAR, *SYMBOLS)


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which nothing ran yet; of few paths, since what is said of them is asked here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(price_of_evidence, "PATHS", 100)
    return tmp_path


def document(**changes: dict[str, Any]) -> dict[str, Any]:
    """The committed params, made small, with changes by section."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["sweep"]["grid"] |= GRID
    for sections in (SMALL, changes):
        for name, values in copy.deepcopy(sections).items():
            params[name] |= values
    return params


def said(params: dict[str, Any], market: Market) -> list[str]:
    study = Study.parse(params)
    schedule, questions = plan_questions(
        market, study.universe.symbols, study.requests, study.forecaster.model_spec, study.quality
    )
    return list(evidence_lines(study, market, schedule, questions, ran=free_forecasts_ran(params)))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def found(**changes: Any) -> Deviations:
    same = {"days": 12, "usual": ("persistence", "free_mix"), "by_snapshot": {}, "by_symbol": {}}
    return Deviations(**same | {"pairs": dict.fromkeys(("usual", "close", "far"), 0.04)} | changes)


@pytest.fixture(scope="module")
def free(market: Market) -> pl.DataFrame:
    """What is made of the small params."""
    study = Study.parse(document())
    schedule, _ = plan_questions(
        market, study.universe.symbols, study.requests, study.forecaster.model_spec, study.quality
    )
    return evidence._made_now(study, market, schedule)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, free: pl.DataFrame) -> dict[str, Deviations]:
    """Deviations that are given, whatever free forecasts there are."""
    given = {"": found()}
    monkeypatch.setattr(evidence, "_made_now", lambda *_: free)
    monkeypatch.setattr(evidence, "deviations", lambda *_: given[""])
    return given


def test_where_nothing_ran_free_forecasts_are_made_and_no_file_is_written(market, workspace):
    """Of 16 sessions, 14 have two before them; too few are left to warm up, so that all 14 count."""
    head, *_, source = [line for line in said(document(), market) if not line.startswith("Most evidence")]
    assert head.startswith(
        "Before you buy (NULL, STRONG, 2 snapshots, 2 calls a session, at most 50 sessions = 100 calls"  # ten calibrate
    )
    assert re.match(r"This holds with worth\.planned_sd: 0\.0\d+, proposed by 14 sessions of free forecasts", source)
    assert source.endswith("(params state 0.05).")
    assert files(workspace) == {}


def test_free_forecasts_without_a_lock_are_of_no_run(market, workspace):
    alone = said(document(), market)
    evidence.QUANTILES.parent.mkdir(parents=True)
    evidence.QUANTILES.write_bytes(b"free forecasts of a run that is not on record")
    assert said(document(), market) == alone


def test_a_run_with_other_params_is_neither_read_nor_changed(market, workspace):
    alone = said(document(), market)
    lock = {"schema": "2.0", "stages": {"forecast_free": {"params": {"params.yaml": {"worth.warmup_sessions": 99}}}}}
    (workspace / "dvc.lock").write_text(yaml.safe_dump(lock))
    evidence.QUANTILES.parent.mkdir(parents=True)
    evidence.QUANTILES.write_bytes(b"free forecasts of another study")
    before = files(workspace)

    assert said(document(), market) == alone
    assert files(workspace) == before


def test_a_run_with_these_params_is_read(market, workspace, monkeypatch):
    """Its forecasts are read from the file: with those of one candidate alone, nothing can be compared."""
    lock = {"schema": "2.0", "stages": {"forecast_free": {"params": {"params.yaml": {"worth.warmup_sessions": 3}}}}}
    (workspace / "dvc.lock").write_text(yaml.safe_dump(lock))
    evidence.QUANTILES.parent.mkdir(parents=True)
    Quantiles.create_empty().write_parquet(evidence.QUANTILES)
    assert said(document(), market)[0].startswith("No two free forecasts differ")


@pytest.mark.parametrize("warmup", [0, 3])
def test_the_plan_is_the_same_after_a_run_that_answered_all_sessions_as_before_any_run(market, monkeypatch, warmup):
    """Of fourteen sessions the first six count, however many a run has answered since, sealed ones included."""
    for module in (evidence, free_days):
        monkeypatch.setattr(module, "SESSIONS", 6)
    study = Study.parse(document(worth={"warmup_sessions": warmup}))
    schedule, questions = plan_questions(
        market, study.universe.symbols, study.requests, study.forecaster.model_spec, study.quality
    )
    alone = list(evidence_lines(study, market, schedule, questions, ran=False))
    assert any("proposed by 6 sessions of free forecasts" in line for line in alone)
    every = evidence._answers(study, market, schedule, schedule["session"].unique().to_list())
    evidence.QUANTILES.parent.mkdir(parents=True)
    every.write_parquet(evidence.QUANTILES)
    assert list(evidence_lines(study, market, schedule, questions, ran=True)) == alone


def test_a_session_counts_as_bought_before_evidence_only_if_it_is_asked(market, known):
    """Trained until the tenth asked session of the fourteen, of which four are skipped: six are bought for nothing."""
    days = CALENDAR["session"].sort().to_list()
    unasked = {"skip_sessions": [str(day) for day in days[4:8]]}
    lines = said(document(requests=unasked, forecaster={"trained_until": str(days[11])}), market)
    # Forty outcomes take ten sessions of four, the last of which is the last of the record.
    assert "The first 10 sessions (20 calls) bring no evidence yet; they are counted." in lines
    calm = {"min_outcomes": 8, "methods": ["cqr"], "method": "cqr"}
    lines = said(document(requests=unasked, forecaster={"trained_until": str(days[11])}, calibration=calm), market)
    assert "The first 6 sessions (12 calls) bring no evidence yet; they are counted." in lines


@pytest.mark.parametrize("last", [None, 4, 9, 14])
def test_the_plan_is_the_same_wherever_the_asked_span_ends(market, known, last):
    """Of history 2 the first two sessions are left, of the judged 8 six more; the fourth of the asked ones, a step of
    `make study`, asks no judged history yet."""
    days = CALENDAR["session"].sort().to_list()
    end = {"last_session": None if last is None else str(days[1 + last])}
    lines = said(document(requests=end | {"history_days": [2, 8]}, rules={"history_days": 8}), market)
    assert "2 snapshots, 4 calls a session" in lines[0]
    assert "The first 16 sessions (52 calls) bring no evidence yet; they are counted." in lines


@pytest.mark.parametrize("last", [None, 4])
def test_what_the_record_holds_behind_the_asked_span_is_planned_as_it_is(market, known, last):
    """One of two symbols comes on the ninth of fourteen asked sessions: 8 * 2 + 6 * 4 outcomes are the 40 needed."""
    days = CALENDAR["session"].sort().to_list()
    late = replace(market, usable={**market.usable, "NULL": market.usable["NULL"][8:]})
    end = None if last is None else str(days[1 + last])
    lines = said(document(requests={"last_session": end}), late)
    assert "The first 14 sessions (28 calls) bring no evidence yet; they are counted." in lines


def test_snapshots_beyond_the_cap_are_not_told(market, known):
    """One of two snapshots: two outcomes a session calibrate after twenty sessions, six behind the fourteen."""
    lines = said(document(requests={"max_snapshots_per_day": 1}), market)
    assert "(NULL, STRONG, 1 snapshot, 1 call a session, at most 60 sessions = 60 calls;" in lines[0]
    assert "The first 20 sessions (20 calls) bring no evidence yet; they are counted." in lines


@pytest.mark.parametrize("candidates", [["persistence"], ["har"], ["persistence", "command"], ["command"]])
def test_without_two_free_forecasts_it_says_so_and_no_more(market, candidates):
    """A program is never run by a plan, so it counts for none."""
    program = {"command": ["no-such-program"], "files": ["no-such-file"], "files_sha256": "0" * 64}
    lines = said(document(worth={"candidates": candidates}, forecaster=program), market)
    assert lines == [
        "No two free forecasts differ on two days or more (worth.candidates), so the price of evidence is unknown."
    ]


def test_money_is_reported_where_a_price_is_stated(market, known):
    """A session takes two calls at 0.5; so does each of the sessions until it is known."""

    def prices(**worth: Any) -> list[tuple[int, str]]:
        lines = [line for line in said(document(worth=worth), market) if " calls, at a price of " in line]
        told = [line.split(" calls, at a price of ") for line in lines]
        return [(int(before.split()[-1]), after.split(";")[0]) for before, after in told]

    assert prices() == []
    by_call = prices(price_per_call=0.5)
    assert len(by_call) >= 3
    assert by_call == [(calls, f"{0.5 * calls:,.2f}") for calls, _ in by_call]


def test_packed_requests_are_said_to_be_fewer_than_the_calls_that_are_counted(market, known):
    packed = [said(document(api={"pack": pack}), market) for pack in ("none", "snapshots")]
    assert packed[1][1:] == packed[0]
    assert packed[1][0].endswith("api.pack: snapshots sends fewer.")


def test_where_money_decides_the_plan_says_that_it_is_of_shape(market, known):
    first, second, *_ = said(document(worth={"decide_by": "money", "notional": 1e4}), market)
    assert first.endswith("this is the plan for decide_by: shape.")
    assert second.startswith("Before you buy (")


@pytest.mark.parametrize(("judged", "before", "calls"), [(2, 10, 34), (5, 13, 46), (10, 18, 56)])
def test_sessions_that_do_not_ask_the_judged_history_are_counted_among_those_without_evidence(
    market, known, judged, before, calls
):
    """Forty outcomes take ten sessions of four; a longer history is asked later, on few of the fourteen sessions."""
    params = document(requests={"history_days": [2, max(judged, 5)]}, rules={"history_days": judged})
    lines = said(params, market)
    assert any(line.startswith(f"The first {before} sessions ({calls} calls)") for line in lines)
    assert "2 snapshots, 4 calls a session" in lines[0]


def test_tokens_have_a_price_too(market, known, monkeypatch):
    """A session of 2 calls and 3,000,000 tokens makes 1.5 million a call."""
    real = evidence.calls_by_session
    monkeypatch.setattr(evidence, "calls_by_session", lambda asked: real(asked).with_columns(tokens=3_000_000))
    line = next(line for line in said(document(worth={"price_per_million_tokens": 2.0}), market) if "price" in line)
    calls = int(line.split(" calls, ")[0].split()[-1])
    assert f"at a price of {3.0 * calls:,.2f};" in line


def test_sessions_that_ask_less_cost_less(market, known, monkeypatch):
    """Three sessions of a short history take 2 calls and 1 million tokens each; later ones, of both, 4 calls and 8."""
    real = evidence.calls_by_session
    tokens = pl.when(pl.col("calls") == 2).then(1_000_000).otherwise(8_000_000)
    monkeypatch.setattr(evidence, "calls_by_session", lambda asked: real(asked).with_columns(tokens=tokens))
    of_both = {"requests": {"history_days": [2, 5]}, "rules": {"history_days": 5}}
    lines = said(document(worth={"price_per_million_tokens": 1.0}, **of_both), market)
    assert any(line.startswith("The first 13 sessions (46 calls)") for line in lines)  # 3 * 1 + 10 * 8 = 83
    priced = [line for line in lines if "price" in line]
    for line in priced:
        calls = int(line.split(" calls, ")[0].split()[-1])
        assert f"at a price of {83 + 2.0 * (calls - 46):,.2f};" in line
    assert priced


def test_snapshots_and_symbols_are_named_by_how_little_days_differ_with_them(market, known):
    known[""] = found(
        by_snapshot=dict(zip(CLOCKS, (0.05, 0.02, 0.03, 0.09, 0.04), strict=True)),
        by_symbol={"STRONG": 0.01, "NULL": 0.01},
    )
    snapshots, symbols = said(document(), market)[-2:]
    assert snapshots == (
        "Most evidence per snapshot, by how much days vary with it alone: 10:00 (2.0 %), 10:30 (3.0 %), 14:45 (4.0 "
        "%), 09:45 (5.0 %), … 13:30 (9.0 %)."
    )
    assert symbols == "Most evidence per symbol, by how much days vary with it alone: NULL (1.0 %), STRONG (1.0 %)."


def test_a_single_symbol_is_not_ranked(market, known):
    known[""] = found(by_symbol={"STRONG": 0.01})
    assert not [line for line in said(document(), market) if line.startswith("Most evidence")]
