"""Compiled kernels of the grid engine: first touches, exits, decisions and the ledger.

They repeat `tests/trading/loop.py`, the specification in plain Python; tests require the same trades and the same bits.
A rule that depends on the day's earlier trades is a field of `Day`, set in `_entered`, and a test in `_refusal_today`;
the decisions of one strategy and the ledger of a grid both use these two. (A test of the signal's side comes after
`early`, in `_first_refusal` and `_add_session`: before `early` a forecast may have no side.)
All compiled code is in this one file, because numba's cache notices edits of a function's own file but not of files it
calls. P&L is rounded once a trade to millionths of a bp, so sums are exact in any order.

*Shapes*: record arrays with the fields of `trading/market.py`. `context` = (BAR (bars,), SNAPSHOT (snapshots,)) of one
symbol; `wanted` and EXIT (2, snapshots), side 0 long and 1 short; `touches` = (first bar that touches each stop (2,
snapshots, stops), the same for targets), levels ascending.
"""

from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit

from stages.params.rules import RulesParams
from stages.trading.machine_code import compiled

Array = Any  # compiled code is typed by numba, from the arrays it meets
Arrays = tuple[Any, ...]

UNITS = 1_000_000
UNITS_OF_TURNOVER = 10_000  # entry plus exit notional is 2 plus the signed gross return, and a bp is 1e-4
NEVER = -(1 << 40)  # a minute before every bar

# The members of `rules.Reason` that the compiled code names; a test compares them. They are repeated here because
# numba's cache notices edits of this file alone: it would keep the old value of an imported number.
ENTER, IN_POSITION, AFTER_TIME_STOP, DAILY_CAP, COOLDOWN, K_SIGMA, NO_BAR = 0, 3, 4, 5, 6, 9, 11
STOP, GAP, TARGET, TIME_STOP, MAX_HOLD, SESSION_END = 0, 1, 2, 3, 4, 5
EXITS = ("stop", "gap", "target", "time_stop", "max_hold", "session_end")


class DayRules(NamedTuple):
    """The numbers of section `rules` that bind a symbol's trades of one day to each other."""

    entry_delay_bars: int
    daily_trade_cap: int
    cooldown_bars: int

    @classmethod
    def of(cls, rules: RulesParams) -> Self:
        """The values that params state."""
        return cls(*(getattr(rules, name) for name in cls._fields))


@compiled
def fill_touches(context: Arrays, wanted: Array, stops: Array, takes: Array, touches: Arrays) -> None:
    """Find the first bar that touches each of `stops` and `takes` (both ascending), or `limit`, for wanted positions.

    One pass over a position's bars finds all levels. It ends when all stops or all targets are touched, since no exit
    can come later.
    """
    bar_array, snapshots = context
    stop_touch, take_touch = touches
    for s in range(2):
        side = 1.0 - 2.0 * s
        for c in range(len(snapshots)):
            if not wanted[s, c]:
                continue
            first, limit, sigma = snapshots.entry[c], snapshots.limit[c], snapshots.sigma[c]
            entry, touched_stops, touched_takes = bar_array.open[first], 0, 0
            stop_touch[s, c, :] = limit
            take_touch[s, c, :] = limit
            for bar in range(first, limit):
                worst, best = (
                    (bar_array.low[bar], bar_array.high[bar]) if s == 0 else (bar_array.high[bar], bar_array.low[bar])
                )
                while touched_stops < len(stops):
                    if side * (worst - entry * (1.0 - side * stops[touched_stops] * sigma)) > 0.0:
                        break
                    stop_touch[s, c, touched_stops] = bar
                    touched_stops += 1
                while touched_takes < len(takes):
                    if side * (best - entry * (1.0 + side * takes[touched_takes] * sigma)) < 0.0:
                        break
                    take_touch[s, c, touched_takes] = bar
                    touched_takes += 1
                if touched_stops == len(stops) or touched_takes == len(takes):
                    break


@njit(inline="always")
def _first_since(bar_array: Array, bars: tuple[int, int], minute: int) -> Any:
    """The first of the bars at or after a minute, or the end of them. Reading np.searchsorted loads scipy.linalg."""
    low, high = bars
    while low < high:
        middle = (low + high) // 2
        if bar_array.minute[middle] < minute:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def fill_exits(context: Arrays, wanted: Array, touches: Arrays, plan: tuple[Any, ...], exits: Array) -> None:
    """Settle every wanted position: the first of stop, target and timed exit; stop wins a bar that touches both.

    `plan` = ((number, value) of the stop, the same of the target, minutes to hold or 0, (fees_bps, half_spread_px,
    multiple of costs)).
    """
    bar_array, snapshots = context
    stop_touch, take_touch = touches
    (stop_level, s_stop), (take_level, s_take), hold_min, (fees_bps, half_spread, cost_mult) = plan
    for s in range(2):
        side = 1.0 - 2.0 * s
        for c in range(len(snapshots)):
            if not wanted[s, c]:
                continue
            first, end, sigma = snapshots.entry[c], snapshots.end[c], snapshots.sigma[c]
            entry = bar_array.open[first]
            timed, reason = snapshots.limit[c], TIME_STOP
            if hold_min > 0:
                held = _first_since(bar_array, (first, timed), bar_array.minute[first] + hold_min)
                if held < timed:
                    timed, reason = held, MAX_HOLD
            stop, take = stop_touch[s, c, stop_level], take_touch[s, c, take_level]
            at_open = False
            if min(stop, take) < timed:
                if stop <= take:
                    bar, reason = stop, STOP
                    price = entry * (1.0 - side * s_stop * sigma)
                    if side * (bar_array.open[bar] - price) < 0.0:
                        price, reason, at_open = bar_array.open[bar], GAP, True
                else:
                    bar, reason = take, TARGET
                    price = entry * (1.0 + side * s_take * sigma)
            elif timed < end:
                bar, price, at_open = timed, bar_array.open[timed], True
            else:
                bar, price, reason = end - 1, bar_array.close[end - 1], SESSION_END
            gross_bp = 1e4 * side * (price - entry) / entry
            cost_bp = cost_mult * (fees_bps * (entry + price) + 2e4 * half_spread) / entry
            done = exits[s, c]
            done.minute = bar_array.minute[bar]
            done.reason = reason
            done.price = price
            done.gross_units = np.int64(np.rint(gross_bp * UNITS))
            done.cost_units = np.int64(np.rint(cost_bp * UNITS))
            done.turnover_units = 2 * UNITS + int(side) * done.gross_units // UNITS_OF_TURNOVER
            done.held_min = bar_array.minute[bar] - bar_array.minute[first] + (0 if at_open else 1)


class Day(NamedTuple):
    """What a symbol has traded so far on one day."""

    entries: int
    exit_minute: int  # of the last position
    waited: int  # the last minute in which an order waited without a fill


UNTRADED = Day(0, NEVER, NEVER)


@njit(inline="always")
def _entered(day: Day, done: Any) -> Day:
    """The day after a position with the exit `done`."""
    return Day(day.entries + 1, done.minute, day.waited)


@njit(inline="always")
def _refusal_today(day: Day, minute: int, day_rules: DayRules) -> int:
    """The first test of the day's earlier trades that a snapshot at this minute fails, or `ENTER`."""
    if max(day.exit_minute, day.waited) >= minute:
        reason = IN_POSITION
    elif day.entries >= day_rules.daily_trade_cap:
        reason = DAILY_CAP
    elif minute + day_rules.entry_delay_bars - day.exit_minute <= day_rules.cooldown_bars:
        reason = COOLDOWN
    else:
        reason = ENTER
    return reason


@compiled
def decide(snapshots: Array, verdicts: Array, exits: Array, k_sigma: float, day_rules: DayRules) -> Array:
    """The decision at every snapshot: a `Reason`, or `ENTER` where a position was opened. Each session starts anew."""
    decision = np.empty(len(snapshots), np.int64)
    day = UNTRADED
    for c in range(len(snapshots)):
        if c > 0 and snapshots.session[c] != snapshots.session[c - 1]:
            day = UNTRADED
        decision[c] = _first_refusal(snapshots[c], verdicts[c], day, k_sigma, day_rules)
        if decision[c] == ENTER:
            day = _entered(day, exits[verdicts.side[c], c])
        elif decision[c] == NO_BAR and verdicts.waits[c] >= snapshots.planned[c]:
            day = Day(day.entries, day.exit_minute, verdicts.waits[c])
    return decision


@njit(inline="always")
def _first_refusal(snapshot: Any, verdict: Any, day: Day, k_sigma: float, day_rules: DayRules) -> Any:
    """The first test that a snapshot fails, or `ENTER`."""
    today = _refusal_today(day, snapshot.minute, day_rules)
    if verdict.gate != ENTER:
        reason = verdict.gate
    elif today == IN_POSITION:
        reason = IN_POSITION
    elif snapshot.planned >= snapshot.time_stop:
        reason = AFTER_TIME_STOP
    elif today != ENTER:
        reason = today
    elif verdict.early != ENTER:
        reason = verdict.early
    elif verdict.strength < k_sigma:
        reason = K_SIGMA
    else:
        reason = verdict.late
    return reason


@compiled
def add_to_ledger(
    candidates: Array, cuts: Arrays, exits: Array, family: tuple[DayRules, Array, Array], ledger: Arrays
) -> None:
    """Trade a family of variants and add its earnings to their rows of `ledger` = (net units by session, TOTAL).

    `cuts` = (what the stop saves, and what the target costs, each candidate on average); `family` = (rules of
    the day, ascending values of `k_sigma`, the row of each). A session's trades change only where
    `k_sigma` passes the strength of one of its signals. So a session is walked once for every set of passing signals,
    and variants with the same set share the result.
    """
    saved_bp, lost_bp = cuts
    count, strengths = len(candidates), family[1]
    pays = np.empty(count, np.bool_)
    for c in range(count):
        candidate = candidates[c]
        ev_bp = candidate.mu_bp + saved_bp[c] - lost_bp[c] - candidate.cost_bp - candidate.spread_charge_bp
        pays[c] = ev_bp > 0.0
    first = 0
    for c in range(1, count + 1):
        if c == count or candidates.session[c] != candidates.session[first]:
            k = 0
            while k < len(strengths):
                k = _add_session((candidates, pays, exits), (first, c), k, family, ledger)
            first = c


@njit(inline="always")  # a call would cost more than the work
def _add_session(
    signals: Arrays, rows_of_session: tuple[int, int], k: int, family: tuple[Any, ...], ledger: Arrays
) -> Any:
    """Walk one session at the k-th strength and add it to all variants with the same signals; the next k."""
    candidates, pays, exits = signals
    day_rules, strengths, rows = family
    net_units, totals = ledger
    first, end = rows_of_session
    day, same_up_to = UNTRADED, np.inf
    gross, cost, turnover, wins, held = 0, 0, 0, 0, 0
    for c in range(first, end):
        candidate = candidates[c]
        if pays[c] and candidate.strength >= strengths[k]:
            same_up_to = min(same_up_to, candidate.strength)
            if _refusal_today(day, candidate.minute, day_rules) != ENTER:
                continue
            if candidate.fills:
                done = exits[candidate.side, candidate.snapshot]
                day = _entered(day, done)
                gross += done.gross_units
                cost += done.cost_units
                turnover += done.turnover_units
                held += done.held_min
                wins += done.gross_units > done.cost_units
            else:
                day = Day(day.entries, day.exit_minute, candidate.waits)
    while k < len(strengths) and strengths[k] <= same_up_to:
        if day.entries > 0:
            net_units[rows[k], candidates[first].session] += gross - cost
            total = totals[rows[k]]
            total.gross_units += gross
            total.cost_units += cost
            total.turnover_units += turnover
            total.trades += day.entries
            total.wins += wins
            total.held_min += held
        k += 1
    return k
