"""The same rules in backtesting.py: one symbol and one combo at a time, bar by bar in Python.

It is handed the side of every signal ready made, like vectorbt. It checks a stop and a target against the last close
while ours start from the fill, so before each bar that a position may be opened in stands one more, flat at its open:
the order fills there, and the barriers are set from the fill before the bar itself is walked.

A target that the open jumps over fills at that open here, and at the target by our rules.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy, backtesting

from tests.benchmarks.rivals import NEVER, Symbol

backtesting._tqdm = lambda bars, **_: bars  # no progress bar
NOTHING = np.zeros(0)


@dataclass(frozen=True)
class Prepared:
    """What lies ready outside the clock. `minutes` of every row; `plan`, by row, the look that would enter next."""

    bars: pd.DataFrame
    minutes: np.ndarray
    plan: np.ndarray
    limits: np.ndarray


class Rules(Strategy):
    """What the rules do at the close of every row; `limits` holds, by look, the row whose open is the time stop."""

    plan, limits, minutes, looks, sides, barriers, terms = (NOTHING,) * 7

    def init(self):
        """An empty book."""
        self.session, self.entries, self.look = -1, 0, -1

    def next(self):
        """Set the barriers of a fill, leave before the time stop's row, or enter where a look says so."""
        row = len(self.data) - 1
        if self.position:
            (trade,) = self.trades
            if trade.sl is None:
                trade.sl, trade.tp = self.levels(trade.entry_price)
            if row + 1 >= self.limits[self.look]:
                self.position.close()
            return
        n = self.plan[row]
        if n < 0 or self.sides[n] == 0:
            return
        look, (cap, cooldown), last_exit = self.looks[n], self.terms, NEVER
        if look["session"] != self.session:
            self.session, self.entries = look["session"], 0
        elif self.closed_trades:
            last_exit = self.minutes[self.closed_trades[-1].exit_bar]
        if self.entries >= cap or look["planned"] - last_exit <= cooldown:
            return
        self.entries += 1
        self.look = n
        (self.buy if self.sides[n] > 0 else self.sell)(size=1)

    def levels(self, entry: float) -> tuple[float, float]:
        """Stop and target of a position filled at this price."""
        side, sigma, (stop, take) = int(self.sides[self.look]), self.looks[self.look]["sigma"], self.barriers
        return entry * (1.0 - side * stop * sigma), entry * (1.0 + side * take * sigma)


def prepare(one: Symbol) -> Prepared:
    """A flat row before each bar that a look may enter in, and the looks' bars as rows."""
    looks = np.flatnonzero(one.looks["entry"] > 0)
    entries = np.unique(one.looks["entry"][looks])
    opens = dict.fromkeys(("open", "high", "low", "close"), one.bar_array["open"][entries])
    prices = {name.capitalize(): np.insert(one.bar_array[name], entries, at) for name, at in opens.items()}
    minutes = np.insert(one.bar_array["minute"], entries, one.bar_array["minute"][entries])

    def first_row(bars: np.ndarray) -> np.ndarray:
        return bars + np.searchsorted(entries, bars)

    plan = np.full(len(minutes), -1)
    plan[first_row(one.looks["entry"][looks]) - 1] = looks
    return Prepared(pd.DataFrame(prices), minutes, plan, first_row(one.looks["limit"]))


def run(symbol: Symbol, ready: Prepared, barriers: tuple[float, float], terms: tuple[int, int]) -> pd.DataFrame:
    """The trades of one combo on one symbol."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = Backtest(ready.bars, Rules, cash=1e7, finalize_trades=True)
        stats = test.run(
            plan=ready.plan,
            limits=ready.limits,
            minutes=ready.minutes,
            looks=symbol.looks,
            sides=symbol.sides[0],
            barriers=barriers,
            terms=terms,
        )
    return stats["_trades"]
