"""Every position that a symbol's snapshots could open, before the book decides which of them are opened."""

import numpy as np
from numpy.typing import NDArray

from stages.backtesting.kernels import Desk, Exits, Openings, Static, Touches
from stages.backtesting.market import Feed, Snapshots, Tape
from stages.rules.costs import SymbolCosts
from stages.rules.params import RulesParams
from stages.rules.reasons import Reason
from stages.rules.signals import Views

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LATER_THAN_ANY = np.iinfo(np.int64).max


def desk_of(tape: Tape, snaps: Snapshots, rules: RulesParams, costs: SymbolCosts) -> Desk:
    """Entry at the first real bar from the planned minute on, if it comes in time and before the time stop."""
    planned = snaps.minute + rules.entry_delay_bars
    latest = np.minimum(planned + rules.max_entry_delay_bars, snaps.time_stop - 1)
    entry = np.searchsorted(tape.minute, planned)
    in_time = np.append(tape.minute, LATER_THAN_ANY)[entry] <= latest
    openings = Openings(
        planned=planned,
        entry=np.where(in_time, entry, -1),
        limit=np.searchsorted(tape.minute, snaps.time_stop),
        end=np.searchsorted(tape.minute, snaps.close),
    )
    return Desk(tape, snaps, openings, np.maximum(snaps.sigma, costs.tick_px / snaps.last))


def enters_in_time(desk: Desk, horizon_min: int) -> Bools:
    """There is a bar to enter at, and the forecast's horizon has not passed by then."""
    minute = np.append(desk.tape.minute, LATER_THAN_ANY)[desk.openings.entry]
    return minute < desk.snaps.minute + horizon_min


def static_of(desk: Desk, feed: Feed, view: Views, gate_is_open: bool) -> Static:
    """The tests that look at the forecast alone; `late` stands at `ENTER` until barriers are known."""
    gate = np.where(feed.calibrated, Reason.ENTER, Reason.NOT_CALIBRATED)
    early = np.where(view.side == 0, Reason.QUANTILE_RULE, Reason.ENTER)
    return Static(
        gate=(gate if gate_is_open else np.full_like(gate, Reason.SYMBOL_GATE)).astype(np.int8),
        early=np.where(np.isnan(desk.sigma), Reason.NO_SIGMA, early).astype(np.int8),
        strength=view.strength,
        late=np.zeros(len(desk.sigma), np.int8),
        side=(view.side < 0).astype(np.int8),
    )


def late_of(ev_bp: Floats, in_time: Bools) -> NDArray[np.int8]:
    """The last tests: something to expect, and a bar to enter at."""
    return np.where(ev_bp > 0.0, np.where(in_time, Reason.ENTER, Reason.NO_BAR), Reason.EV).astype(np.int8)


def empty_touches(snapshots: int, stops: int, takes: int) -> Touches:
    """Room for the first touches of a symbol."""
    return Touches(np.empty((2, snapshots, stops), np.int64), np.empty((2, snapshots, takes), np.int64))


def empty_exits(snapshots: int) -> Exits:
    """Room for the exits of a symbol."""
    minute, reason, gross, cost, turnover, held = (np.zeros((2, snapshots), np.int64) for _ in range(6))
    return Exits(minute, reason, np.zeros((2, snapshots)), gross, cost, turnover, held)
