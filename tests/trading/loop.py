"""The rules as a plain loop over minutes: the specification of the engine, to be read beside docs/TRADING_RULES.md.

Nothing here is shared with the engine but tables and params: formulas, clocks and sums are written out a second time on
plain floats. Tests demand the same decisions, the same fills and the same P&L, bit for bit, from both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import groupby
from math import erf, exp, expm1, pi, sqrt
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from stages.params.rules import RulesParams
from stages.tables.trades import Signals, Trades
from stages.trading.simulate import Result
from stages.trading.strategy import Strategy

Row = dict[str, Any]
MINUTE = timedelta(minutes=1)
EXCHANGE_ZONE = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Terms:
    """The numbers that one symbol trades on, whatever the day."""

    rules: RulesParams
    may_trade: bool
    horizon: timedelta
    hold: timedelta | None
    fees_bps: float
    half_spread: float
    tick: float
    mult: float


@dataclass(frozen=True)
class View:
    """What one forecast says: side +1, -1 or 0, expected value and round-trip cost in bp, median move in sigmas."""

    side: int
    sigma: float | None
    strength: float
    ev_bp: float | None
    cost_bp: float


def simulate_by_loop(
    bars: Mapping[str, pl.DataFrame], forecasts: pl.DataFrame, calendar: pl.DataFrame, strategy: Strategy
) -> Result:
    """What `simulate` gives, one minute after the other."""
    made: list[Row] = []
    said: list[Row] = []
    sessions = {row["session"]: row for row in calendar.iter_rows(named=True)}
    for symbol in sorted(set(forecasts["symbol"])):
        terms, minutes = terms_of(strategy, symbol), minutes_of(bars[symbol])
        used = forecasts.filter(
            symbol=symbol,
            model=strategy.model,
            method=strategy.method,
            history_days=strategy.rules.history_days,
            horizon_min=strategy.horizon_min(symbol),
        )
        rows = used.sort("snapshot_utc").iter_rows(named=True)
        for session, today in groupby(rows, key=lambda forecast: forecast["session"]):
            trades, signals = trade_session(minutes, list(today), sessions[session], terms)
            made += trades
            said += signals
    return Result(_table(Trades, made), _table(Signals, said))


def trade_session(
    minutes: Mapping[datetime, Row], used: list[Row], session: Row, terms: Terms | None
) -> tuple[list[Row], list[Row]]:
    """One symbol on one session: its trades, and each of its forecasts with the decision."""
    trades: list[Row] = []
    signals: list[Row] = []
    waited_until: datetime | None = None  # the last minute of an order that found no bar
    for forecast in used:
        if terms is None:
            signals.append(forecast | {"decision": "symbol_gate", "ev_bp": None, "cost_bp": None})
            continue
        time_stop = time_stop_of(session, terms.rules)
        view = view_of(forecast, terms)
        decision = first_refusal(forecast, view, (trades, waited_until), time_stop, terms)
        wait = order_minutes(forecast, time_stop, terms)
        entry_ts = next((ts for ts in wait if real_bar(minutes, ts)), None)
        if decision is None and entry_ts is None:
            decision, waited_until = "no_bar", max(wait, default=waited_until)
        elif decision is None and entry_ts is not None:
            decision = "long" if view.side > 0 else "short"
            trades.append(position(minutes, (forecast, view), entry_ts, (time_stop, session["close_utc"]), terms))
        signals.append(forecast | {"decision": decision, "ev_bp": view.ev_bp, "cost_bp": view.cost_bp})
    return trades, signals


def view_of(forecast: Row, terms: Terms) -> View:
    """The forecast's side, strength and expected value, before the book is looked at."""
    last, rules = forecast["last"], terms.rules
    cost_bp = 2.0 * (terms.fees_bps + 1e4 * terms.half_spread / last) * terms.mult
    q25, q50, q75 = (1e4 * expm1(forecast[level] / 1e4) for level in ("q25", "q50", "q75"))
    if q25 > cost_bp:
        side = 1
    elif q75 < -cost_bp:
        side = -1
    else:
        side = 0
    if forecast["sigma_5m"] is None:
        return View(side, None, 0.0, None, cost_bp)
    sigma = max(forecast["sigma_5m"], terms.tick / last)
    strength = abs(q50) / (1e4 * sigma)
    if side == 0:
        return View(side, sigma, strength, None, cost_bp)
    mu = side * ((q25 + q50 + q75) / 3.0)
    sd = (q75 - q25) / 1.34898
    stop, take = rules.s_stop * (1e4 * sigma), rules.s_take * (1e4 * sigma)
    kept = mu + mean_above_zero(-stop - mu, sd) - mean_above_zero(mu - take, sd)
    return View(side, sigma, strength, kept - cost_bp - rules.risk_aversion * sd, cost_bp)


def first_refusal(
    forecast: Row, view: View, book: tuple[list[Row], datetime | None], time_stop: datetime, terms: Terms
) -> str | None:
    """The first test that fails, or None; `book` is today's in this symbol so far: trades, and until when an order
    waited in vain.
    """
    snapshot, rules = forecast["snapshot_utc"], terms.rules
    trades, waited_until = book
    planned = snapshot + rules.entry_delay_bars * MINUTE
    last_exit = trades[-1]["exit_ts"] if trades else None
    tests = (
        ("symbol_gate", not terms.may_trade),
        ("not_calibrated", not forecast["calibrated"]),
        ("in_position", any(busy is not None and busy >= snapshot for busy in (last_exit, waited_until))),
        ("after_time_stop", planned >= time_stop),
        ("daily_cap", len(trades) >= rules.daily_trade_cap),
        ("cooldown", last_exit is not None and planned - last_exit <= rules.cooldown_bars * MINUTE),
        ("no_sigma", view.sigma is None),
        ("quantile_rule", view.side == 0),
        ("k_sigma", view.strength < rules.k_sigma),
        ("ev", view.ev_bp is not None and view.ev_bp <= 0.0),
    )
    return next((name for name, fails in tests if fails), None)


def order_minutes(forecast: Row, time_stop: datetime, terms: Terms) -> list[datetime]:
    """Those whose bar may fill the order: from the planned one on, before patience, time stop and horizon run out."""
    snapshot: datetime = forecast["snapshot_utc"]
    planned = snapshot + terms.rules.entry_delay_bars * MINUTE
    wait = [planned + n * MINUTE for n in range(terms.rules.max_entry_delay_bars + 1)]
    return [ts for ts in wait if ts < min(time_stop, snapshot + terms.horizon)]


def position(
    minutes: Mapping[datetime, Row],
    signal: tuple[Row, View],
    entry_ts: datetime,
    until: tuple[datetime, datetime],
    terms: Terms,
) -> Row:
    """The round trip that begins at the open of `entry_ts`; `until` = (time stop, close)."""
    (forecast, view), side = signal, signal[1].side
    entry, sigma = minutes[entry_ts]["open"], view.sigma or 0.0
    stop_px = entry * (1.0 - side * terms.rules.s_stop * sigma)
    take_px = entry * (1.0 + side * terms.rules.s_take * sigma)
    exit_ts, exit_px, reason = leave(minutes, entry_ts, (side, stop_px, take_px), until, terms.hold)
    gross_bp = 1e4 * side * (exit_px - entry) / entry
    cost_bp = terms.mult * (terms.fees_bps * (entry + exit_px) + 2e4 * terms.half_spread) / entry
    gross_units, cost_units = round(gross_bp * 1_000_000), round(cost_bp * 1_000_000)
    return {name: forecast[name] for name in ("symbol", "session", "snapshot_utc")} | {
        "entry_ts": entry_ts,
        "side": side,
        "entry_px": entry,
        "stop_px": stop_px,
        "take_px": take_px,
        "exit_ts": exit_ts,
        "exit_px": exit_px,
        "exit_reason": reason,
        "gross_bp": gross_units / 1_000_000,
        "cost_bp": cost_units / 1_000_000,
        "net_bp": (gross_units - cost_units) / 1_000_000,
    }


def leave(
    minutes: Mapping[datetime, Row],
    entry_ts: datetime,
    barriers: tuple[int, float, float],
    until: tuple[datetime, datetime],
    hold: timedelta | None,
) -> tuple[datetime, float, str]:
    """When, at what price and why the position ends. Bars that are not real are as if they did not exist."""
    side, stop_px, take_px = barriers
    time_stop, close = until
    ts = last_real = entry_ts
    while ts < close:
        if bar := real_bar(minutes, ts):
            last_real = ts
            worst, best = (bar["low"], bar["high"]) if side > 0 else (bar["high"], bar["low"])
            if ts >= time_stop:
                return ts, bar["open"], "time_stop"
            if hold is not None and ts >= entry_ts + hold:
                return ts, bar["open"], "max_hold"
            if side * (bar["open"] - stop_px) < 0.0:
                return ts, bar["open"], "gap"
            if side * (worst - stop_px) <= 0.0:
                return ts, stop_px, "stop"
            if side * (best - take_px) >= 0.0:
                return ts, take_px, "target"
        ts += MINUTE
    return last_real, minutes[last_real]["close"], "session_end"


def time_stop_of(session: Row, rules: RulesParams) -> datetime:
    """The stated New York time, or some minutes before the close if that comes first."""
    stated = datetime.combine(session["session"], time.fromisoformat(rules.time_stop_et), EXCHANGE_ZONE)
    before_close: datetime = session["close_utc"] - rules.time_stop_before_close_min * MINUTE
    return min(stated, before_close)


def terms_of(strategy: Strategy, symbol: str) -> Terms | None:
    """The symbol's numbers, or None where params state no costs for it."""
    costs, hold = strategy.costs, strategy.hold_min(symbol)
    if symbol not in costs.tick_size or symbol not in costs.half_spread_ticks:
        return None
    return Terms(
        rules=strategy.rules,
        may_trade=strategy.may_trade(symbol),
        horizon=strategy.horizon_min(symbol) * MINUTE,
        hold=None if hold is None else hold * MINUTE,
        fees_bps=costs.fees_bps,
        half_spread=costs.half_spread_ticks[symbol] * costs.tick_size[symbol],
        tick=costs.tick_size[symbol],
        mult=costs.cost_mult,
    )


def mean_above_zero(mean: float, sd: float) -> float:
    """E[max(N(mean, sd), 0)]."""
    if sd <= 0.0:
        return max(mean, 0.0)
    z = mean / sd
    return mean * 0.5 * (1.0 + erf(z / sqrt(2.0))) + sd * exp(-0.5 * z * z) / sqrt(2.0 * pi)


def real_bar(minutes: Mapping[datetime, Row], ts: datetime) -> Row | None:
    """The bar of this minute if somebody traded in it: delivered, and with all its prices."""
    bar = minutes.get(ts)
    if bar is None or bar["is_filled"] or any(bar[name] is None for name in ("open", "high", "low", "close")):
        return None
    return bar


def minutes_of(bars: pl.DataFrame) -> dict[datetime, Row]:
    """The bars of one symbol by their start."""
    return {row["ts"]: row for row in bars.iter_rows(named=True)}


def _table(table: type[Trades] | type[Signals], rows: list[Row]) -> pl.DataFrame:
    return table.of(pl.DataFrame(rows, infer_schema_length=None)) if rows else table.create_empty()
