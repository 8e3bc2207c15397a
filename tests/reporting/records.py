"""A run by hand: small tables under the pipeline's contracts, from which a whole record is put together."""

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from stages.reporting.record import Record
from stages.tables.bars import Bars
from stages.tables.calibrated import Calibrated
from stages.tables.trades import PORTFOLIO, Daily, Trades

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
    return datetime(session.year, session.month, session.day, 14, 30, tzinfo=timezone.utc) + timedelta(minutes=minute)


def minute_of(clock: str) -> int:
    hours, minutes = map(int, clock.split(":"))
    return hours * 60 + minutes - 570


def bars(symbol: str, sessions: tuple[date, ...]) -> pl.DataFrame:
    """A walk of one basis point a minute."""
    noise = np.random.default_rng(len(symbol))
    frames = []
    for session in sessions:
        close = np.round(200 * np.exp(np.cumsum(noise.normal(0, 3e-4, 390))), 2)
        frames.append(
            pl.DataFrame(
                {
                    "ts": [instant(session, m) for m in range(390)],
                    "known_at": [instant(session, m + 1) for m in range(390)],
                    "session": [session] * 390,
                    "m": range(390),
                    "open": close, "high": close + 0.02, "low": close - 0.02, "close": close,
                    "volume": [1000.0] * 390,
                    "is_filled": [False] * 390,
                    "is_outlier": [False] * 390,
                    "gap_len": [0] * 390,
                }
            )
        )  # fmt: skip
    return Bars.of(pl.concat(frames))


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
                            quantiles = [middle + factor * width * z for z in (-1.645, -0.674, 0.0, 0.674, 1.645)]
                            lines.append(
                                {
                                    "symbol": symbol, "session": session, "snapshot_et": clock, "model": model,
                                    "snapshot_utc": instant(session, minute_of(clock)),
                                    "target_ts": instant(session, minute_of(clock) + horizon),
                                    "horizon_min": horizon, "history_days": 40, "method": method,
                                    "last": 200.0, "sigma_5m": 0.001,
                                    **dict(zip(("q05", "q25", "q50", "q75", "q95"), quantiles, strict=True)),
                                    **{f"raw_{n}": middle + width * z for n, z in (("q05", -1.645), ("q25", -0.674), ("q50", 0.0), ("q75", 0.674), ("q95", 1.645))},
                                    "y_bp": float(np.round(noise.normal(2, width), 6)), "void": False,
                                    "group_used": "symbol", "n_cal": 100,
                                    "last_outcome_used_utc": None, "calibrated": True,
                                    "key": "0" * 32 if model == "seasonal" else None,
                                    "source": f"local:{model}", "crossed": False,
                                }
                            )  # fmt: skip
    return Calibrated.of(pl.DataFrame(lines, schema_overrides={"last_outcome_used_utc": pl.Datetime("us", "UTC")}))


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
    by_day = {session: net for session, net in zip(trades["session"], trades["net_bp"], strict=True)}
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


def record(**changes: object) -> Record:
    traded = trades()
    whole = {
        "config": config(), "hashes": {"backtest/bt_trades.csv": "0" * 32}, "manifest": {"files": []},
        "quality": quality(), "answers": {"by_source": {"local:seasonal": 480}}, "span": {}, "metrics": {}, "forecast_gates": {},
        "reliability": pl.DataFrame(), "coverage": pl.DataFrame(),
        "bars": {symbol: bars(symbol, (SESSIONS[0], SESSIONS[1])) for symbol in SYMBOLS},
        "forecasts": forecasts(), "ranking": pl.DataFrame(), "proposal": {}, "trades": traded, "daily": daily(traded),
        "signals": pl.DataFrame(), "gates": {}, "oos": {}, "portfolio": pl.DataFrame(), "cost_curve": pl.DataFrame(),
    }  # fmt: skip
    return Record(**(whole | changes))
