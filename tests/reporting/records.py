"""A run by hand: small tables under the pipeline's contracts, from which a whole record is put together."""

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from stages.params.gates import GatesParams
from stages.reporting.page import render_page, render_report
from stages.reporting.record import SHOWN_BY_SNAPSHOT, Record
from stages.scoring.by_symbol import cell_table, stated_scores
from stages.scoring.discoveries import Stated
from stages.scoring.free import RunningFree, free_scores
from stages.scoring.gates import forecast_gates as judge_forecasts
from stages.scoring.metrics import score
from stages.scoring.tournament import coverage_by_time, hits_by_clock
from stages.tables.forecasts import FREE_MIX, Scored
from stages.tables.market import Bars
from stages.tables.trades import PORTFOLIO, Daily, Signals, Trades
from tests.worth.studies import judged

ROOT = Path(__file__).parents[2]
SYMBOLS = ("STRONG", "WEAK", "NULL")
SNAPSHOTS = ("09:45", "10:30", "13:30", "14:45")
HORIZONS = (5, 10, 15, 20)
OPEN_UTC = 14.5
SESSIONS = tuple(
    day for day in (date(2024, 11, 4) + timedelta(days=step) for step in range(84)) if day.weekday() < 5
)  # winter: the exchange opens at 14:30 UTC


def config() -> dict:
    """The committed params, as the report shows them: without `api`."""
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    del document["api"]
    return document


def instant(session: date, minute: int) -> datetime:
    """UTC, minutes after the open."""
    return datetime(session.year, session.month, session.day, 14, 30, tzinfo=UTC) + timedelta(minutes=minute)


def minute_of(clock: str) -> int:
    hours, minutes = map(int, clock.split(":"))
    return hours * 60 + minutes - 570


@cache
def bars(symbol: str, sessions: tuple[date, ...] = SESSIONS) -> pl.DataFrame:
    """A walk of one basis point a minute."""
    noise = np.random.default_rng(len(symbol))
    moves = noise.normal(0, 3e-4, (len(sessions), 390))
    close = np.round(200 * np.exp(np.cumsum(moves, axis=1)), 2).ravel()
    opens = pl.DataFrame({"session": sessions, "open_utc": [instant(session, 0) for session in sessions]})
    minutes = opens.join(pl.DataFrame({"m": range(390)}), how="cross", maintain_order="left_right")
    ts = pl.col("open_utc") + pl.duration(minutes="m")
    return Bars.of(
        minutes.select(
            "session", "m", ts=ts, known_at=ts + timedelta(minutes=1), open=close, high=close + 0.02, low=close - 0.02,
            close=close, volume=pl.lit(1000.0), is_filled=pl.lit(value=False), is_outlier=pl.lit(value=False),
            gap_len=pl.lit(0),
        )
    )  # fmt: skip


def fan(prefix: str, middle: float, width: float) -> dict[str, float]:
    """The five quantiles of a normal forecast."""
    scores = {"q05": -1.645, "q25": -0.674, "q50": 0.0, "q75": 0.674, "q95": 1.645}
    return {f"{prefix}{name}": middle + width * score for name, score in scores.items()}


@cache
def forecasts(sessions: tuple[date, ...] = SESSIONS) -> pl.DataFrame:
    """Fans that widen with the root of the horizon, of the asked model and of the benchmark."""
    noise = np.random.default_rng(1)
    lines = []
    for symbol in SYMBOLS:
        for session in sessions:
            for clock in SNAPSHOTS:
                for horizon in HORIZONS:
                    width = 10 * (horizon / 5) ** 0.5
                    for model, middle in (("seasonal", 2.0), ("persistence", 0.0)):
                        for method, factor in (("identity", 1.0), ("widen", 1.1), ("cqr", 1.2)):
                            lines.append(
                                {
                                    "symbol": symbol, "session": session, "snapshot_et": clock, "model": model,
                                    "snapshot_utc": instant(session, minute_of(clock)),
                                    "target_ts": instant(session, minute_of(clock) + horizon),
                                    "horizon_min": horizon, "history_days": 40, "method": method,
                                    "last": 200.0, "sigma_5m": 0.001,
                                    **fan("", middle, factor * width), **fan("raw_", middle, width),
                                    "y_bp": float(np.round(noise.normal(2, width), 6)), "void": False,
                                    "group_used": "symbol", "n_cal": 100,
                                    "last_outcome_used_utc": None, "calibrated": True,
                                    "key": "0" * 32 if model == "seasonal" else None,
                                    "source": f"local:{model}", "crossed": False,
                                }
                            )  # fmt: skip
    return Scored.of(pl.DataFrame(lines, schema_overrides={"last_outcome_used_utc": pl.Datetime("us", "UTC")}))


def trades(sessions: tuple[date, ...] = SESSIONS) -> pl.DataFrame:
    """One long trade a session in STRONG at 10:30, every third one a loss."""
    lines = [
        {
            "symbol": "STRONG", "entry_ts": instant(session, 60), "session": session,
            "snapshot_utc": instant(session, 60), "side": 1, "entry_px": 200.0, "stop_px": 199.8, "take_px": 200.2,
            "exit_ts": instant(session, 80), "exit_px": 199.8 if place % 3 == 0 else 200.2,
            "exit_reason": "stop" if place % 3 == 0 else "take",
            "gross_bp": -10.0 if place % 3 == 0 else 10.0, "cost_bp": 2.0,
            "net_bp": -12.0 if place % 3 == 0 else 8.0,
        }
        for place, session in enumerate(sessions)
    ]  # fmt: skip
    return Trades.of(pl.DataFrame(lines))


def daily(trades: pl.DataFrame, sessions: tuple[date, ...] = SESSIONS) -> pl.DataFrame:
    """What these trades earned a day; a third of it for the book of three."""
    by_day = dict(zip(trades["session"], trades["net_bp"], strict=True))
    lines = [
        {
            "symbol": symbol, "session": session, "trades": int(share > 0), "exposure_min": 20 if share else 0,
            "gross_bp": share * (by_day.get(session, 0.0) + 2.0), "cost_bp": share * 2.0,
            "net_bp": share * by_day.get(session, 0.0), "turnover": 2.0 * share,
        }
        for session in sessions
        for symbol, share in (("STRONG", 1.0), ("WEAK", 0.0), ("NULL", 0.0), (PORTFOLIO, 1 / 3))
    ]  # fmt: skip
    return Daily.of(pl.DataFrame(lines))


def day_document(session: date, verdict: str = "pass") -> dict:
    return {"session": str(session), "verdict": verdict, "n_expected": 390, "n_raw": 388, "n_missing": 2, "n_filled": 2,
            "longest_gap": 1, "completeness": 0.995, "flags": {"PX3": 1}, "dropped": False, "reason": None}  # fmt: skip


def quality() -> dict:
    symbols = {
        symbol: {"sessions_expected": 60, "sessions_present": 60, "sessions_usable": 60, "sessions_dropped": 0,
                 "completeness": 0.999, "checks": {"PX3": 1, "TS1": 0},
                 "days": [day_document(SESSIONS[0], "warn"), day_document(SESSIONS[1])]}
        for symbol in SYMBOLS
    }  # fmt: skip
    return {"verdict": "warn", "calendar": {"start": str(SESSIONS[0]), "end": str(SESSIONS[-1]), "sessions": 60},
            "symbols": symbols, "hard_failures": []}  # fmt: skip


def features() -> dict:
    """One of the required feature's 24,000 due minutes in each of three symbols is unknown, and 60 of another's."""
    counts = {
        "ret_1m": {"nulls": 61, "due": 24_000, "nulls_due": 1},
        "minute": {"nulls": 0, "due": 24_000, "nulls_due": 0},
        "sigma_5m": {"nulls": 660, "due": 20_000, "nulls_due": 60},
    }
    one = {"rows": 24_000, "rows_incomplete": 61, "features": counts}
    return {"required": ["ret_1m"], "max_null_share": 0.05, "symbols": dict.fromkeys(SYMBOLS, one)}


@cache
def scores() -> dict:
    """The fixture's forecasts, scored; few draws, since nothing here looks at the bounds' values."""
    return score([forecasts()], gates_params(), config()["calibration"]["method"])


@cache
def metrics() -> dict:
    method = config()["calibration"]["method"]
    scored = free_scores(forecasts(), free_forecasts(), gates_params(), Stated(40, method, {}))
    together = RunningFree()
    together.add(scored)
    free = together.document(gates_params())
    return stated_scores(scores(), method) | {"free": free, "trained": {"until": None, "before": None, "after": None}}


@cache
def free_forecasts() -> pl.DataFrame:
    """Persistence and a mix that knows half of what the asked model does."""
    known = forecasts().filter(model="persistence", method=config()["calibration"]["method"])
    mix = known.with_columns((pl.col("^q..$") + 1.0).name.keep(), model=pl.lit(FREE_MIX))
    return pl.concat([known.with_columns(model=pl.lit("free:persistence")), mix])


@cache
def cells() -> pl.DataFrame:
    """What a page reads of `cells.parquet`."""
    stated = pl.col("method") == config()["calibration"]["method"]
    return cell_table(scores()).filter(stated, pl.col("metric").is_in(SHOWN_BY_SNAPSHOT))


def gates_params() -> GatesParams:
    return GatesParams.model_validate(config()["gates"] | {"bootstrap_reps": 50})


def judgement(verdict: str, value: float | None = 0.9, words: str = "A hand-made judgement.") -> dict:
    return {"verdict": verdict, "value": value, "threshold": 0.95, "bound": value, "n": 240, "n_days": 60,
            "words": words, "required": True}  # fmt: skip


def gates(trading: str = "PASS") -> dict:
    """Skill and controls hold; the three gates of the book say `trading`."""
    value = None if trading == "SEALED" else 0.9
    judged = {name: judgement("PASS") for name in ("controls", "forecast")}
    judged |= {name: judgement(trading, value) for name in ("oos_sharpe", "hit_rate", "pnl_at_1p5x")}
    cells = {
        cell["symbol"]: cell
        for cell in forecast_gates()["cells"]
        if (cell["horizon_min"], cell["method"]) == (10, "cqr")
    }
    return {"verdict": trading, "holds": trading == "PASS", "policy": "ci", "inconclusive": "fail", "gates": judged,
            "cells": cells}  # fmt: skip


@cache
def forecast_gates() -> dict:
    stated = Stated(40, config()["calibration"]["method"], dict.fromkeys(config()["universe"]["whitelist"], 10))
    return judge_forecasts(scores(), controls(), gates_params(), stated)


def controls() -> dict:
    proof = {"verdict": "PASS", "rule": "by hand", "rmae_min": 0.0, "rmae_max": 1.0, "n": 720}
    return {"echo": proof, "oracle": proof, "shifted_oracle": proof, "verdict": "PASS"}


def key_figures(net_bp: float, trades: int = 60) -> dict:
    """Columns of the key figures; the Sharpe ratio is the net result over ten, to be recognised on a page."""
    return {"sessions": 60, "trades": trades, "gross_bp": net_bp + 40.0, "cost_bp": 40.0, "net_bp": net_bp,
            "mean_trade_bp": 1.3, "sharpe": net_bp / 10, "sharpe_se": 2.05, "max_drawdown_bp": 4.0, "hit_rate": 0.66,
            "turnover": 0.66, "exposure": 0.05}  # fmt: skip


def portfolio(spans: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"span": span, "symbol": symbol, **key_figures(26.7)} for span in spans for symbol in (*SYMBOLS, PORTFOLIO)]
    )


def cost_curve(spans: tuple[str, ...]) -> pl.DataFrame:
    """Gross 66.7 and costs 40 bp: the same trades break even at 1.67 times the costs."""
    return pl.DataFrame(
        [
            {"span": span, "trades_are": trades_are, "cost_multiple": multiple}
            | key_figures(66.7 - 40.0 * multiple)
            | {"gross_bp": 66.7, "cost_bp": 40.0 * multiple}
            for span in spans
            for multiple in (1.0, 1.5, 2.0)
            for trades_are in ("held", "redecided")
        ]
    )


def delay(spans: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"span": span, "entry_delay_bars": bars, **key_figures(26.7 - bars)} for span in spans for bars in (0, 1)]
    )


def signals() -> pl.DataFrame:
    """Every forecast of STRONG at 10:30 was traded, the others showed nothing."""
    entered = (pl.col("symbol") == "STRONG") & (pl.col("snapshot_et") == "10:30")
    asked = forecasts().filter(model="seasonal", method="cqr", horizon_min=10)
    decision = pl.when(entered).then(pl.lit("long")).otherwise(pl.lit("quantile_rule"))
    return Signals.of(asked.with_columns(decision=decision, ev_bp=pl.lit(1.0), cost_bp=pl.lit(2.0)))


def ranking() -> pl.DataFrame:
    """The default grid; the strongest horizon is 10 minutes."""
    combos = itertools.product((5, 10, 15, 20), (0.5, 0.75, 1.0), (1.0, 1.5, 2.0))
    lines = [
        {"combo": f"{place:012x}", "history_days": 40, "horizon_min": horizon, "k_sigma": k, "s_stop": stop,
         "s_take": 1.0, "max_hold_min": None, "method": "cqr", "cost_mult": 1.0,
         **key_figures(30.0 - 4 * abs(horizon - 10) - 5 * k + stop), "plateau_sharpe": 1.5, "dsr": 0.9 - place / 100,
         "same_trades_as": None, "proposable": True, "pbo": 0.1, "spa_p": 0.04, "trials": 36, "effective_trials": 5.2}
        for place, (horizon, k, stop) in enumerate(combos)
    ]  # fmt: skip
    return pl.DataFrame(lines, schema_overrides={"max_hold_min": pl.String}).sort("sharpe", descending=True)


def walk() -> pl.DataFrame:
    """Three folds of the last thirty sessions: nothing was proposed in the first, the second lost, the third earned."""
    days, names = [str(session) for session in SESSIONS], ("1", "2", "3")
    lines = [
        {"fold": fold, "train_first": days[0], "train_last": days[start - 2], "train_sessions": start - 1,
         "first_session": days[start], "last_session": days[start + 9], "combo": combo, "train_sharpe": None,
         **key_figures(net_bp, trades), "sessions": 10, "sharpe": None, "sharpe_se": None}
        for fold, start, combo, net_bp, trades in zip(
            names, (30, 40, 50), (None, "00000000000a", "00000000000b"), (0.0, -1.5, 7.0), (0, 4, 5), strict=True
        )
    ]  # fmt: skip
    whole = {"fold": "all", "first_session": days[30], "last_session": days[59], **key_figures(5.5, 9), "sessions": 30}
    return pl.DataFrame([*lines, whole], infer_schema_length=None)


def oos(status: str = "SEALED") -> dict:
    shut = {"strategy_id": "0123456789ab", "open_for": None, "trading": ["STRONG"], "status": "SEALED",
            "sessions": None, "kpis": None, "break_even": None, "forecasts": None, "months": {}, "held": {"all": 20},
            "words": "It was not opened."}  # fmt: skip
    if status == "SEALED":
        return shut
    return shut | {"status": "OPEN", "open_for": "0123456789ab", "kpis": key_figures(77.7), "break_even": 1.7,
                   "forecasts": [traded_forecasts()], "words": None}  # fmt: skip


def traded_forecasts() -> dict:
    """The forecasts of an opened part of the holdout."""
    measured = {"rmae": (0.81, [0.76, 0.853]), "coverage_50": (0.49, [0.45, 0.53]), "crps_skill": (0.12, None)}
    figures = {name: {"value": value, "ci": ci, "se": 0.01} for name, (value, ci) in measured.items()}
    return {"horizon_min": 10, "n": 236, "n_days": 20, **figures}


def by_symbol(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {symbol: table.filter(symbol=symbol) for symbol in sorted(SYMBOLS)}


def record(**changes: object) -> Record:
    """A sealed run whose search span looks good, of which each section is drawn once; or that run with changes."""
    return replace(sealed_record(), **changes) if changes else sealed_record()


@cache
def sealed_record() -> Record:
    traded, spans = trades(), ("search",)
    verdict, evidence = judged()
    return Record(
        config=config(), hashes={"backtest/bt_trades.csv": "0" * 32}, manifest={"files": []},
        quality=quality(), features=features(), answers={"by_source": {"local:seasonal": 480}},
        metrics=metrics() | {"controls": controls()}, forecast_gates=forecast_gates(),
        cells=cells(),
        coverage=coverage_by_time(hits_by_clock(forecasts())),
        bars={symbol: bars(symbol) for symbol in SYMBOLS}, forecasts=by_symbol(forecasts()),
        signals=signals(), ranking=ranking(), trades=traded, daily=daily(traded),
        proposal={"combo": ranking()["combo"][0], "params": {}, "why": "the best plateau"}, walk_forward=walk(),
        gates=gates("SEALED"), oos=oos(), oos_daily=daily(traded).clear(),
        portfolio=portfolio(spans), cost_curve=cost_curve(spans), delay=delay(spans),
        worth=verdict, worth_days=evidence,
    )  # fmt: skip


@cache
def opened_record() -> Record:
    """The same run with its holdout opened, and passing."""
    spans, held = ("search", "holdout"), SESSIONS[-20:]
    return record(
        gates=gates("PASS"), oos=oos("OPEN"), oos_daily=daily(trades(held), held), portfolio=portfolio(spans),
        cost_curve=cost_curve(spans), delay=delay(spans),
    )  # fmt: skip


@cache
def sealed_page() -> str:
    """The page of the sealed run, rendered once: its figures take a second."""
    return render_page(sealed_record())


@cache
def sealed_report() -> str:
    return render_report(sealed_record())
