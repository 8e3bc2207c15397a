"""Fetch, gate, features and keys of ever more symbols: what a symbol costs, and the memory of driver and workers.

The stages themselves run on synthetic markets, in folders that vanish: once by two processes (unless ENGINE says
otherwise), which are watched, and then as a loop in one process that has done it all before, whose CPU seconds are the
cost. Small markets are worked on again and again, in turns with the others, so that a machine that is slow for a while
is slow for all; a market of two symbols and three weeks tells what no symbol costs. The exponent is the slope of log
cost over log symbols: 1 means that the thousandth symbol costs what the first did.
Run: python -m tests.benchmarks.bench_scale, or `make bench-scale` for 500 symbols over five years.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from math import log
from pathlib import Path
from statistics import median

import psutil

from stages.sessions.calendar import trading_calendar
from tests.support.large_market import ROOT, folder_of_stages, params_of, symbols_of

STAGES = ("fetch_bars", "check_data", "build_features", "build_requests")
SNAPSHOTS = ["10:30"]
HISTORY_DAYS = 5
IDLE_SYMBOLS, IDLE_SPAN = 2, timedelta(weeks=3)  # enough for every kind of work to be done once
FIRST, LAST = "2019-01-02", "2023-12-29"  # long enough for questions of five symbols to be lines of one file
LARGE_BARS, LARGE_CORES = 10**9, 16
POLL_SEC = 0.02
TURNS, LARGEST_IN_TURNS = 3, 50
IN_ONE_PROCESS = """
import importlib, os, sys, time
from stages.io import settings
work = importlib.import_module(f"stages.{sys.argv[1]}").main
for folder in sys.argv[2:]:
    os.environ["DVC_ROOT"] = folder
    os.chdir(folder)
    settings.read_document.cache_clear()  # params are read once a process
    start = time.process_time()
    work()
    print(time.process_time() - start, file=sys.stderr)
"""


@dataclass(frozen=True)
class Watched:
    """One stage on one market; memory is the most that the driver, or the largest of the workers, held."""

    wall_sec: float
    driver_mb: float
    worker_mb: float


@contextmanager
def market(symbols: int, first: date, last: date) -> Iterator[Path]:
    """A folder in which the stages can run on so many symbols."""
    folder = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        asked = {"snapshots_et": SNAPSHOTS, "history_days": [HISTORY_DAYS]}
        folder_of_stages(folder, params_of(symbols_of(symbols), first, last, **asked))
        run_stage("list_source", folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def cpu_seconds(stage: str, idle: Path, markets: dict[int, Path], most_turns: int) -> dict[int, float]:
    """CPU seconds of a stage on each market, less those of the idle one: medians over their turns."""
    turns = [(0, idle)]
    for turn in range(most_turns):
        due = {count: folder for count, folder in markets.items() if count <= LARGEST_IN_TURNS or turn == 0}
        turns += [(0, idle), *due.items()]
    command = [sys.executable, "-c", IN_ONE_PROCESS, stage, *(str(folder) for _, folder in turns)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "ENGINE": "loop"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    spent = [float(line) for line in done.stderr.splitlines()[-len(turns) :]]
    by_count = {
        count: [sec for (n, _), sec in zip(turns[1:], spent[1:], strict=True) if n == count] for count in (0, *markets)
    }
    return {count: median(by_count[count]) - median(by_count[0]) for count in markets}


def exponent(small: tuple[int, float], large: tuple[int, float]) -> float:
    """Slope of log cost over log symbols."""
    return log(large[1] / small[1]) / log(large[0] / small[0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line a stage and market, the exponents between markets, and the projection."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--symbols", nargs="+", type=int, default=[5, 50])
    parser.add_argument("--first", type=date.fromisoformat, default=date.fromisoformat(FIRST))
    parser.add_argument("--last", type=date.fromisoformat, default=date.fromisoformat(LAST))
    parser.add_argument("--turns", type=int, default=TURNS)
    asked = parser.parse_args(arguments)
    bars = int(trading_calendar(asked.first, asked.last)["n_bars"].sum())
    spent = {}
    with ExitStack() as stack:
        idle = stack.enter_context(market(IDLE_SYMBOLS, asked.last - IDLE_SPAN, asked.last))
        markets = {count: stack.enter_context(market(count, asked.first, asked.last)) for count in asked.symbols}
        for stage in STAGES:
            run_stage(stage, idle)
            watched = {count: run_stage(stage, folder) for count, folder in markets.items()}
            spent[stage] = cpu_seconds(stage, idle, markets, asked.turns)
            _tell(stage, watched, spent[stage], bars)
    largest = max(asked.symbols)
    _project(sum(one[largest] for one in spent.values()) / (largest * bars))


def _tell(stage: str, watched: dict[int, Watched], cpu_sec: dict[int, float], bars: int) -> None:
    print(stage)
    for count, one in watched.items():
        us = cpu_sec[count] / (count * bars) * 1e6
        print(f"  {count:3} symbols, {count * bars:11,} bars: {us:5.2f} us a bar, {one.wall_sec:7.1f} s, "
              f"driver {one.driver_mb:5.0f} MB, worker {one.worker_mb:5.0f} MB", flush=True)  # fmt: skip
    for small, large in pairwise(watched):
        slope = exponent((small, cpu_sec[small]), (large, cpu_sec[large]))
        memory = watched[large].worker_mb / watched[small].worker_mb
        print(f"  {small} to {large} symbols: exponent {slope:.2f} (1.00 +- 0.05 wanted), "
              f"worker memory x {memory:.2f} (at most 1.2)", flush=True)  # fmt: skip


def _project(cpu_sec_a_bar: float) -> None:
    whole = cpu_sec_a_bar * LARGE_BARS
    print(f"projection to {LARGE_BARS:.0e} bars: {whole / 3600:.1f} core hours, on {LARGE_CORES} cores "
          f"{whole / 3600 / LARGE_CORES:.1f} h if they do not wait for one disk")  # fmt: skip


def run_stage(stage: str, folder: Path) -> Watched:
    """Run a stage as dvc does and watch its processes."""
    environment = {"ENGINE": "local:2"} | os.environ | {"PYTHONPATH": str(ROOT), "DVC_ROOT": str(folder)}
    start = time.perf_counter()
    process = psutil.Popen([sys.executable, "-m", f"stages.{stage}"], cwd=folder, env=environment,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
    driver, worker = 0, 0
    while process.poll() is None:
        try:
            driver = max(driver, _most_held(process.pid))
            started = [child for child in process.children(recursive=True) if child.cmdline() != process.cmdline()]
            worker = max([worker, *(_most_held(child.pid) for child in started)])  # a fork holds what the driver does
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            pass
        time.sleep(POLL_SEC)
    told = process.stderr.read()
    assert process.returncode == 0, told
    return Watched(time.perf_counter() - start, driver / 1e6, worker / 1e6)


def _most_held(pid: int) -> int:
    """The most bytes a process held so far: a look that comes late, on a busy machine, misses nothing."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    main()
