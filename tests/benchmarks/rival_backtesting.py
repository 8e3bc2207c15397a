"""The same rules in backtesting.py: one symbol and one combo at a time, bar by bar in Python.

It is handed the side of every signal ready made, like vectorbt, and the open of the next bar, since it wants stop and
target with the order. A target that the open jumps over fills at that open here, and at the target by our rules.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy, backtesting

from tests.benchmarks.rivals import NEVER, Symbol

backtesting._tqdm = lambda bars, **_: bars  # no progress bar
NO_PLAN = np.zeros(0)


class Rules(Strategy):
    """What the rules do at the close of every bar; `plan` holds, by bar, the look that would enter at the next."""

    plan, looks, tape, sides, barriers, terms = (NO_PLAN,) * 6

    def init(self):
        """An empty book."""
        self.session, self.entries, self.limit = -1, 0, 0

    def next(self):
        """Leave before the time stop's bar, or enter where a look says so."""
        bar = len(self.data) - 1
        if self.position:
            if bar + 1 >= self.limit:
                self.position.close()
            return
        n = self.plan[bar]
        if n < 0 or self.sides[n] == 0:
            return
        look, (cap, cooldown) = self.looks[n], self.terms
        if look["session"] != self.session:
            self.session, self.entries = look["session"], 0
            last_exit = NEVER
        else:
            last_exit = self.tape["minute"][self.closed_trades[-1].exit_bar] if self.closed_trades else NEVER
        if self.entries >= cap or look["planned"] - last_exit <= cooldown:
            return
        side, entry = int(self.sides[n]), self.tape["open"][bar + 1]
        stop, take = (
            entry * (1.0 + way * side * s * look["sigma"]) for way, s in zip((-1, 1), self.barriers, strict=True)
        )
        now = self.data.Close[-1]
        if not min(stop, take) < now < max(stop, take):
            return  # it refuses a stop or a target on the wrong side of the last close
        self.entries += 1
        self.limit = look["limit"]
        (self.buy if side > 0 else self.sell)(size=1, sl=stop, tp=take)


def run(symbols: Sequence[Symbol], barriers: tuple[float, float], terms: tuple[int, int]) -> list[pd.DataFrame]:
    """The trades of one combo, a frame a symbol."""
    found = []
    for one in symbols:
        frame = pd.DataFrame({name.capitalize(): one.tape[name] for name in ("open", "high", "low", "close")})
        plan = np.full(len(frame), -1)
        enters = one.looks["entry"] > 0
        plan[one.looks["entry"][enters] - 1] = np.flatnonzero(enters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test = Backtest(frame, Rules, cash=1e7, finalize_trades=True)
            stats = test.run(
                plan=plan, looks=one.looks, tape=one.tape, sides=one.sides[0], barriers=barriers, terms=terms
            )
        found.append(stats["_trades"])
    return found
