"""The sweep at full scale: seconds and memory of the whole stage, and the engine beside the memory's limit.

Run: python -m tests.benchmarks.bench_sweep [largest grid, 10000 unless told]

Each row is `python -m stages.sweep` as `dvc repro` runs it, in a folder of its own: files read and written, every
statistic reckoned. Memory is the peak of the process, and how much of it is neither there in a process that has only
imported the same libraries nor for a grid of one combo on the same market.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import polars as pl
import yaml

from stages.io.files import write_json, write_table
from stages.tables.forecasts import Scored
from stages.tables.market import Bars, Calendar
from stages.trading.market import markets_of
from stages.trading.strategy import Strategy
from stages.trading.trade_grid import trade_grid
from tests.support.folders import write_tables
from tests.trading.made_markets import HORIZONS, METHOD, MODEL, RULES, random_market, strategy

ROOT = Path(__file__).parents[2]
SESSIONS = 250
GRIDS = {1_000: (3, (2, 10, 10, 5)), 10_000: (50, (2, 20, 25, 10))}  # symbols; horizons, k_sigma, stops, targets
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
STAGE = "from stages import sweep; sweep.main()"
MOST_MEGABYTES = 256
NO_GRID = (
    "import pathlib, yaml; path = pathlib.Path('params.yaml'); params = yaml.safe_load(path.read_text())\n"
    "params['sweep']['grid'] = dict.fromkeys(params['sweep']['grid'], []); path.write_text(yaml.safe_dump(params))\n"
)
TELL_PEAK = "\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def main() -> None:
    """Print a line a grid, then the engine alone beside the memory's limit."""
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else max(GRIDS)
    with tempfile.TemporaryDirectory() as scratch:
        for combos, (symbols, lengths) in GRIDS.items():
            if combos <= largest:
                home = Path(scratch) / str(combos)
                study(home, tuple(f"S{n:02d}" for n in range(symbols)), axes(lengths))
                whole_stage(home, combos, symbols)
        engine_alone(largest)


def axes(lengths: tuple[int, ...]) -> dict[str, list]:
    """A grid of these lengths around the default rules."""
    horizons, strengths, stops, takes = lengths
    return {
        "horizon_min": [10, 5][:horizons],
        "k_sigma": np.linspace(0.5, 2.0, strengths).tolist(),
        "s_stop": np.linspace(1.0, 3.0, stops).tolist(),
        "s_take": np.linspace(1.0, 2.0, takes).tolist(),
    }


def study(home: Path, symbols: tuple[str, ...], grid: dict[str, list], sessions: int = SESSIONS) -> None:
    """Everything that the stage reads, for a made market."""
    bars, forecasts, calendar = random_market(symbols, sessions, seed=1)
    search = home / "artifacts/seal/search"
    write_tables(Bars, bars, search / "bars")
    write_table(Calendar, calendar, search / "calendar.parquet")
    write_table(Scored, as_calibrated(forecasts), search / "calibrated.parquet")
    cells = [
        {"symbol": symbol, "history_days": RULES.history_days, "horizon_min": horizon, "method": METHOD}
        for symbol in symbols
        for horizon in HORIZONS
    ]
    gates = {"cells": [cell | {"eligible": True} for cell in cells]}
    write_json(gates, home / "artifacts/score_forecasts/forecast_gates.json")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["universe"] |= {"symbols": list(symbols), "whitelist": list(symbols)}
    params["rules"] = RULES.model_dump(mode="json")
    params["costs"] = strategy(*symbols).costs.model_dump(mode="json")
    params["calibration"]["method"], params["forecaster"]["model"] = METHOD, MODEL
    params["sweep"]["grid"] = {axis: grid.get(axis, []) for axis in params["sweep"]["grid"]}
    (home / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (home / ".dvc").mkdir()


def as_calibrated(forecasts: pl.DataFrame) -> pl.DataFrame:
    """Made forecasts with the columns that trading does not look at."""
    same = {f"raw_{name}": pl.col(name) for name in ("q25", "q50", "q75")}
    tails = {f"{raw}{name}": pl.col(of) for raw in ("", "raw_") for name, of in (("q05", "q25"), ("q95", "q75"))}
    return forecasts.with_columns(
        **same,
        **tails,
        y_bp=pl.lit(0.0),
        target_ts=pl.col("snapshot_utc") + pl.duration(minutes=pl.col("horizon_min")),
        void=pl.lit(value=False),
        group_used=pl.lit("pooled"),
        n_cal=pl.lit(40),
        last_outcome_used_utc=pl.lit(None),
        key=pl.lit(None),
        source=pl.lit("local"),
        crossed=pl.lit(value=False),
    )


def whole_stage(home: Path, combos: int, symbols: int) -> None:
    """Seconds and peak memory of the stage in a process of its own, compiled code taken from the cache."""
    _, _, imports = ran(home, "import stages.sweep, arch.bootstrap")
    ran(home, STAGE)
    wall, cpu, peak = ran(home, STAGE)
    files = [path for path in (home / "artifacts/sweep").rglob("*") if path.is_file()]
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    _, _, one_combo = ran(home, NO_GRID + STAGE)
    print(
        f"stage sweep, {combos:,} combos x {symbols} symbols x {SESSIONS} days, one thread: {cpu:.1f} s of CPU, "
        f"{wall:.1f} s in all; {len(files)} files, {megabytes:.0f} MB\n"
        f"       peak {peak:.0f} MB: {peak - imports:.0f} above its imports (at most {MOST_MEGABYTES} wanted), "
        f"{peak - one_combo:.0f} above one combo"
    )


def ran(home: Path, code: str) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak megabytes of a python process; it tells its own peak, forks inherit theirs."""
    start, before = perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code + TELL_PEAK],
        cwd=home,
        env=os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    wall, after = perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, int(done.stdout.split()[-2]) / 1e3


def engine_alone(largest: int) -> None:
    """The engine on one thread beside reading what it must read, and writing what it must write, once each."""
    names = tuple(f"S{n:02d}" for n in range(GRIDS[largest][0]))
    bars, forecasts, calendar = random_market(names, SESSIONS, seed=1)
    strategies = grid_of(names, largest)
    markets = list(markets_of(bars, forecasts, calendar, strategies[0]))
    trade_grid(markets[:1], SESSIONS, strategies[:2], threads=1)
    seconds = min(timed(lambda: trade_grid(markets, SESSIONS, strategies, threads=1)) for _ in range(3))
    traded = {(one.rules.history_days, one.rules.horizon_min, one.method) for one in strategies}
    least = len(strategies) * SESSIONS * 8
    for market in markets:
        feeds = sum(values.nbytes for kind in traded for values in market.feeds[kind])
        least += market.bar_array.nbytes + sum(values.nbytes for values in market.snaps) + feeds
    memory = np.ones(1 << 24)
    per_second = memory.nbytes / min(timed(memory.sum) for _ in range(5))
    print(
        f"engine, {largest:,} combos x {len(names)} symbols: {len(strategies) / seconds:,.0f} combos/s; "
        f"bars, forecasts and days once each are {least / 1e6:.0f} MB, at {per_second / 1e9:.1f} GB/s of memory: "
        f"it takes {seconds * per_second / least:.1f} x as long as that"
    )


def grid_of(names: tuple[str, ...], combos: int) -> list[Strategy]:
    """The same grid as strategies."""
    grid = axes(GRIDS[combos][1])
    base = strategy(*names)
    return [base.with_rules(**dict(zip(grid, chosen, strict=True))) for chosen in product(*grid.values())]


def timed(function: Callable[[], object]) -> float:
    """CPU seconds."""
    start = process_time()
    function()
    return process_time() - start


if __name__ == "__main__":
    main()
