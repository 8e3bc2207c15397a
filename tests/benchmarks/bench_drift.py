"""How often intervals hold the outcome while the market drifts away from what the forecaster says: cqr, aci and pid.

Simulated normal outcomes; the forecaster states the spread of the first day throughout. Counted are all rows that could
be corrected.

Run: python -m tests.benchmarks.bench_drift
"""

import numpy as np
import polars as pl

from tests.scoring.simulated import by_every_method, with_truth

DAYS, SYMBOLS = 104, tuple(f"S{n:02d}" for n in range(12))  # as many days as the default study scores
CLOCKS = ("09:45", "10:30", "11:15", "12:00", "12:45", "13:30", "14:15", "14:45")
DRIFTS = {
    "as stated": lambda day: np.ones_like(day),
    "growing to three times": lambda day: 1.0 + 2.0 * day,
    "twice from the middle on": lambda day: np.where(day < 0.5, 1.0, 2.0),
    "falling to a third": lambda day: 1.0 / (1.0 + 2.0 * day),
}
BANDS = (("q25", "q75"), ("q05", "q95"))
METHODS = {
    "cqr": ("cqr", {}),
    "aci": ("aci", {}),
    "pid": ("pid", {}),
    "pid, step 0.05": ("pid", {"pid_step": 0.05}),
    "pid, step 0.1": ("pid", {"pid_step": 0.1}),
}


def drifting(drift: str, clocks: tuple[str, ...], days: int = DAYS, symbols: tuple[str, ...] = SYMBOLS) -> pl.DataFrame:
    """Forecasts beside outcomes whose spread changes day by day."""
    frame = with_truth(days, symbols=symbols, clocks=clocks, models=("asked",), seed=5)
    day = (frame["session"].rank("dense") - 1).to_numpy() / days
    return frame.with_columns(y_bp=pl.Series(frame["y_bp"].to_numpy() * DRIFTS[drift](day)))


def covered(frame: pl.DataFrame, name: str) -> tuple[float, float]:
    """Shares of outcomes inside [q25, q75] and [q05, q95]."""
    method, changed = METHODS[name]
    rows = by_every_method(frame, methods=(method,), method=method, **changed).filter("calibrated")
    half, most = (rows["y_bp"].is_between(rows[low], rows[high]).mean() for low, high in BANDS)
    return float(half), float(most)


def main() -> None:
    """A line a drift, number of snapshots and method."""
    print(f"inside [q25, q75] and [q05, q95], {DAYS} days, {len(SYMBOLS)} symbols; the spread of outcomes is")
    for drift in DRIFTS:
        for clocks in (CLOCKS[::2], CLOCKS):
            frame = drifting(drift, clocks)
            told = ", ".join(
                f"{name} {half:.3f} {most:.3f}" for name in METHODS for half, most in [covered(frame, name)]
            )
            print(f"  {drift}, {len(clocks)} snapshots a day: {told}")


if __name__ == "__main__":
    main()
