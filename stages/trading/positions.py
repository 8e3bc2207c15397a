"""Every position that a symbol's snapshots could open, before the day's trades decide which are opened."""

from dataclasses import dataclass

import numpy as np

from stages.params.rules import RulesParams
from stages.trading.market import EXIT, SNAPSHOT, VERDICT, Bools, Feed, Ints, Records, SymbolMarket, records
from stages.trading.rules import Reason, SymbolCosts, Views, early_tests, views


@dataclass(frozen=True)
class SymbolContext:
    """One symbol's bars, its snapshots with the bars between which positions would live, and its costs."""

    bar_array: Records
    snapshots: Records
    costs: SymbolCosts

    @property
    def arrays(self) -> tuple[Records, Records]:
        """Its arrays for compiled code."""
        return self.bar_array, self.snapshots

    def views(self, feed: Feed, costs: SymbolCosts, rules: RulesParams) -> Views:
        """What the forecasts of one kind say at each snapshot, given these costs."""
        return views(feed.quartiles, self.snapshots["last"], self.snapshots["sigma"], costs, rules)

    def enters_in_time(self, horizon_min: int) -> Bools:
        """Barriers exist, and an entry bar comes before the end of the forecast's horizon."""
        snapshots = self.snapshots
        before_horizon = snapshots["entry_minute"] < snapshots["minute"] + horizon_min
        return np.array((snapshots["entry"] >= 0) & before_horizon & ~np.isnan(snapshots["sigma"]))

    def waits_until(self, horizon_min: int) -> Ints:
        """The last minute whose bar may fill the order; if none may, a minute before the planned one."""
        return np.array(np.minimum(self.snapshots["latest"], self.snapshots["minute"] + horizon_min - 1))


def context_of(market: SymbolMarket, rules: RulesParams, costs: SymbolCosts) -> SymbolContext:
    """Entry is at the first real bar from the planned minute on, if it comes in time and before the time stop."""
    snaps, minutes = market.snaps, market.minutes
    planned = snaps.minute + rules.entry_delay_bars
    latest = np.minimum(planned + rules.max_entry_delay_bars, snaps.time_stop - 1)
    entry = np.searchsorted(minutes, planned)
    entry_minute = minutes.take(entry, mode="clip")
    in_time = (entry < len(minutes)) & (entry_minute <= latest)
    snapshots = records(
        SNAPSHOT,
        minute=snaps.minute,
        session=snaps.session,
        time_stop=snaps.time_stop,
        planned=planned,
        entry=np.where(in_time, entry, -1),
        entry_minute=entry_minute,
        latest=latest,
        limit=snaps.limit,
        end=snaps.end,
        last=snaps.last,
        sigma=np.maximum(snaps.sigma, costs.tick_px / snaps.last),
    )
    return SymbolContext(market.bar_array, snapshots, costs)


def verdicts_of(
    context: SymbolContext, feed: Feed, view: Views, order: tuple[Ints, Ints], gate_is_open: bool
) -> Records:
    """All tests that need only the forecast; `order` = (the last of them, until when each order waits)."""
    gate = np.where(feed.calibrated, Reason.ENTER, Reason.NOT_CALIBRATED)
    return records(
        VERDICT,
        gate=gate if gate_is_open else np.full_like(gate, Reason.SYMBOL_GATE),
        early=early_tests(view, context.snapshots["sigma"]),
        late=order[0],
        side=view.side < 0,
        strength=view.strength,
        waits=order[1],
    )


def may_order(context: SymbolContext, feed: Feed, view: Views, horizon_min: int) -> Bools:
    """Which snapshots of a tradable symbol pass `verdicts_of` and may send an order: what a grid has in common."""
    passed = early_tests(view, context.snapshots["sigma"]) == Reason.ENTER
    in_time = context.waits_until(horizon_min) >= context.snapshots["planned"]
    return np.array(in_time & feed.calibrated & passed)


def empty_touches(snapshots: int, stops: int, takes: int) -> tuple[Ints, Ints]:
    """Arrays for the first touches of a symbol."""
    return np.empty((2, snapshots, stops), np.int64), np.empty((2, snapshots, takes), np.int64)


def empty_exits(snapshots: int) -> Records:
    """An array for the exits of a symbol."""
    return np.zeros((2, snapshots), EXIT)
