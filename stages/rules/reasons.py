"""The sequence of tests that a signal must pass; the first that fails is the reason on record.

The numbers are the order of the tests. They are compiled into the engine: `backtesting/kernels.py` repeats them.
"""

from enum import IntEnum

LONG, SHORT = "long", "short"


class Reason(IntEnum):
    """Why a signal was not traded; `ENTER` when nothing spoke against it."""

    ENTER = 0
    SYMBOL_GATE = 1  # not on the whitelist, or its cell did not pass the forecast gates
    NOT_CALIBRATED = 2  # too few outcomes were known to correct this forecast
    IN_POSITION = 3  # an earlier position (or its order) is still open
    AFTER_TIME_STOP = 4  # the entry would come at or after the time stop
    DAILY_CAP = 5  # enough entries in this symbol today
    COOLDOWN = 6  # too soon after the last exit
    NO_SIGMA = 7  # no trailing volatility, so no barriers
    QUANTILE_RULE = 8  # the quartile on the losing side does not clear the costs
    K_SIGMA = 9  # the median move is small against volatility
    EV = 10  # barriers and costs leave nothing to expect
    NO_BAR = 11  # no real bar to enter at in time

    @property
    def label(self) -> str:
        """The reason as tables and reports spell it."""
        return self.name.lower()
