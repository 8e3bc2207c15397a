"""The compiled part of the engine: first touches, exits and the walk through a session.

Everything here repeats `backtesting/loop.py`, the specification in plain Python; tests demand the same trades and the
same bits. All compiled code stands in this one file, since numba's cache notices edits of a function's own file and not
of the files it calls into. P&L is rounded once a trade to whole millionths of a bp: sums are exact in any order.

*Shapes*: c counts a symbol's snapshots; tables of exits are (2, snapshots), side 0 long and 1 short; bars count on the
tape. *Units*: `*_units` are 1e-6 bp of entry notional, `turnover_units` 1e-6 of entry notional; times in minutes.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stages.backtesting.market import Snapshots, Tape

Array = NDArray[Any]

UNITS = 1_000_000
UNITS_OF_TURNOVER = 10_000  # entry plus exit notional is 2 plus the signed gross return, and a bp is 1e-4
NEVER = -(1 << 40)  # a minute before every bar

# The members of rules.reasons.Reason that the compiled code names; a test compares them.
ENTER, IN_POSITION, AFTER_TIME_STOP, DAILY_CAP, COOLDOWN, K_SIGMA = 0, 3, 4, 5, 6, 9
STOP, GAP, TARGET, TIME_STOP, MAX_HOLD, SESSION_END = 0, 1, 2, 3, 4, 5
EXITS = ("stop", "gap", "target", "time_stop", "max_hold", "session_end")


class Openings(NamedTuple):
    """Where a position taken at each snapshot would begin, and where it must end. *Shapes*: (snapshots,)."""

    planned: Array  # minute of the bar one wants to enter at
    entry: Array  # first real bar from then on, -1 if it comes too late
    limit: Array  # first real bar at or after the time stop; at least `end` if there is none
    end: Array  # one past the session's last real bar


class Desk(NamedTuple):
    """One symbol at work: its bars, its snapshots, and where positions would begin and must end."""

    tape: Tape
    snaps: Snapshots
    openings: Openings
    sigma: Array  # floored at one tick


class Touches(NamedTuple):
    """First bar that touches each barrier, or `limit`. *Shapes*: (2, snapshots, levels); levels ascend."""

    stop: Array
    take: Array


class Plan(NamedTuple):
    """How positions are left and what they pay: levels by number and value, `hold_min` 0 for no such limit."""

    stop_level: int
    take_level: int
    s_stop: float
    s_take: float
    hold_min: int
    fees_bps: float
    half_spread_px: float
    cost_mult: float


class Exits(NamedTuple):
    """How a position taken at each snapshot ends, per side. *Shapes*: (2, snapshots)."""

    minute: Array
    reason: Array
    price: Array
    gross_units: Array
    cost_units: Array
    turnover_units: Array
    held_min: Array


class Static(NamedTuple):
    """What each snapshot's forecast says before the book is looked at. *Shapes*: (snapshots,).

    `gate`, `early` and `late` hold a reason or `ENTER`: tests before the book, between the book and `k_sigma`, after.
    """

    gate: Array
    early: Array
    strength: Array
    late: Array
    side: Array  # 0 long, 1 short; read only where nothing is refused


class Ledger(NamedTuple):
    """What many variants earned. *Shapes*: `net_units` (sessions, variants), the rest (variants,)."""

    net_units: Array
    gross_units: Array
    cost_units: Array
    turnover_units: Array
    trades: Array
    wins: Array
    held_min: Array


class BookRules(NamedTuple):
    """The rules that look at the book, and the strength that a signal needs."""

    k_sigma: float
    daily_cap: int
    cooldown_bars: int


@njit(cache=True)
def fill_touches(desk: Desk, wanted: Array, stops: Array, takes: Array, touches: Touches) -> None:
    """Find every level of `stops` and `takes`, both ascending, in one pass over a wanted position's bars.

    The pass ends as soon as all stops or all takes are touched: no exit can come later.
    """
    tape, openings = desk.tape, desk.openings
    for s in range(2):
        side = 1.0 - 2.0 * s
        for c in range(len(openings.entry)):
            if not wanted[s, c]:
                continue
            first, limit, sigma = openings.entry[c], openings.limit[c], desk.sigma[c]
            entry, touched_stops, touched_takes = tape.open[first], 0, 0
            touches.stop[s, c, :] = limit
            touches.take[s, c, :] = limit
            for bar in range(first, limit):
                worst, best = (tape.low[bar], tape.high[bar]) if s == 0 else (tape.high[bar], tape.low[bar])
                while touched_stops < len(stops):
                    if side * (worst - entry * (1.0 - side * stops[touched_stops] * sigma)) > 0.0:
                        break
                    touches.stop[s, c, touched_stops] = bar
                    touched_stops += 1
                while touched_takes < len(takes):
                    if side * (best - entry * (1.0 + side * takes[touched_takes] * sigma)) < 0.0:
                        break
                    touches.take[s, c, touched_takes] = bar
                    touched_takes += 1
                if touched_stops == len(stops) or touched_takes == len(takes):
                    break


@njit(cache=True)
def fill_exits(desk: Desk, wanted: Array, touches: Touches, plan: Plan, exits: Exits) -> None:
    """Settle every wanted position: the first of stop, target and timed exit; stop wins a bar that touches both."""
    tape, openings = desk.tape, desk.openings
    for s in range(2):
        side = 1.0 - 2.0 * s
        for c in range(len(openings.entry)):
            if not wanted[s, c]:
                continue
            first, end, sigma = openings.entry[c], openings.end[c], desk.sigma[c]
            entry = tape.open[first]
            timed, reason = openings.limit[c], TIME_STOP
            if plan.hold_min > 0:
                held = first + np.searchsorted(tape.minute[first:timed], tape.minute[first] + plan.hold_min)
                if held < timed:
                    timed, reason = held, MAX_HOLD
            stop, take = touches.stop[s, c, plan.stop_level], touches.take[s, c, plan.take_level]
            at_open = False
            if min(stop, take) < timed:
                if stop <= take:
                    bar, reason = stop, STOP
                    price = entry * (1.0 - side * plan.s_stop * sigma)
                    if side * (tape.open[bar] - price) < 0.0:
                        price, reason, at_open = tape.open[bar], GAP, True
                else:
                    bar, reason = take, TARGET
                    price = entry * (1.0 + side * plan.s_take * sigma)
            elif timed < end:
                bar, price, at_open = timed, tape.open[timed], True
            else:
                bar, price, reason = end - 1, tape.close[end - 1], SESSION_END
            gross_bp = 1e4 * side * (price - entry) / entry
            cost_bp = plan.cost_mult * (plan.fees_bps * (entry + price) + 2e4 * plan.half_spread_px) / entry
            exits.minute[s, c] = tape.minute[bar]
            exits.reason[s, c] = reason
            exits.price[s, c] = price
            exits.gross_units[s, c] = np.int64(np.rint(gross_bp * UNITS))
            exits.cost_units[s, c] = np.int64(np.rint(cost_bp * UNITS))
            exits.turnover_units[s, c] = 2 * UNITS + int(side) * exits.gross_units[s, c] // UNITS_OF_TURNOVER
            exits.held_min[s, c] = tape.minute[bar] - tape.minute[first] + (0 if at_open else 1)


@njit(cache=True)
def decide(desk: Desk, static: Static, exits: Exits, rules: BookRules) -> Array:
    """The decision at every snapshot: a `Reason`, `ENTER` where a position was opened. Each session starts afresh."""
    decision = np.empty(len(desk.snaps.minute), np.int8)
    entries, exit_minute = 0, NEVER
    for c in range(len(decision)):
        if c > 0 and desk.snaps.session[c] != desk.snaps.session[c - 1]:
            entries, exit_minute = 0, NEVER
        decision[c] = _test(desk, static, c, (entries, exit_minute), rules)
        if decision[c] == ENTER:
            entries += 1
            exit_minute = exits.minute[static.side[c], c]
    return decision


@njit(cache=True)
def _test(desk: Desk, static: Static, c: int, book: tuple[int, int], rules: BookRules) -> int:
    """The first test that snapshot c fails, given today's `book` = (entries, minute of the last exit)."""
    entries, exit_minute = book
    planned = desk.openings.planned[c]
    reason = ENTER
    if static.gate[c] != ENTER:
        reason = static.gate[c]
    elif exit_minute >= desk.snaps.minute[c]:
        reason = IN_POSITION
    elif planned >= desk.snaps.time_stop[c]:
        reason = AFTER_TIME_STOP
    elif entries >= rules.daily_cap:
        reason = DAILY_CAP
    elif planned - exit_minute <= rules.cooldown_bars:
        reason = COOLDOWN
    elif static.early[c] != ENTER:
        reason = static.early[c]
    elif static.strength[c] < rules.k_sigma:
        reason = K_SIGMA
    else:
        reason = static.late[c]
    return reason


@njit(cache=True)
def add_to_ledger(
    work: Any, cap_and_cooldown: tuple[int, int], strengths: Array, columns: Array, ledger: Ledger
) -> None:
    """Trade a symbol once for each of `strengths` (ascending values of k_sigma) and add it to the ledger's `columns`.

    `work` = (desk, static, exits). A session's trades change only where `k_sigma` passes the strength of one of its
    signals, so a session is walked once per distinct set of signals that pass, and the result is shared.
    """
    session, first = work[0].snaps.session, 0
    for c in range(1, len(session) + 1):
        if c == len(session) or session[c] != session[first]:
            k = 0
            while k < len(strengths):
                rules = BookRules(strengths[k], cap_and_cooldown[0], cap_and_cooldown[1])
                k = _add_session(work, rules, (first, c, k), (strengths, columns), ledger)
            first = c


@njit(cache=True)
def _add_session(
    work: Any, rules: BookRules, at: tuple[int, int, int], grid: tuple[Array, Array], ledger: Ledger
) -> int:
    """Walk one session, add its sums for all strengths that let the same signals pass, and say which is the next."""
    desk, static, exits = work
    first, end, k = at
    strengths, columns = grid
    entries, exit_minute, same_up_to = 0, NEVER, np.inf
    gross, cost, turnover, wins, held = 0, 0, 0, 0, 0
    for c in range(first, end):
        passes = static.gate[c] == ENTER and static.early[c] == ENTER and static.late[c] == ENTER
        if passes and static.strength[c] >= rules.k_sigma:
            same_up_to = min(same_up_to, static.strength[c])
            if _test(desk, static, c, (entries, exit_minute), rules) == ENTER:
                s = static.side[c]
                entries += 1
                exit_minute = exits.minute[s, c]
                gross += exits.gross_units[s, c]
                cost += exits.cost_units[s, c]
                turnover += exits.turnover_units[s, c]
                held += exits.held_min[s, c]
                wins += exits.gross_units[s, c] > exits.cost_units[s, c]
    while k < len(strengths) and strengths[k] <= same_up_to:
        if entries > 0:
            column = columns[k]
            ledger.net_units[desk.snaps.session[first], column] += gross - cost
            ledger.gross_units[column] += gross
            ledger.cost_units[column] += cost
            ledger.turnover_units[column] += turnover
            ledger.trades[column] += entries
            ledger.wins[column] += wins
            ledger.held_min[column] += held
        k += 1
    return k
