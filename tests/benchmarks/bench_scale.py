"""Fetch, gate, features and keys of ever more symbols: what a symbol costs, and the memory of driver and workers.

The stages themselves run on a synthetic market, in a folder that vanishes, by two processes (unless ENGINE says
otherwise). Cost is CPU seconds of all processes less those of a market of two symbols and three weeks; the exponent is
the slope of log cost over log symbols: 1 means that the thousandth symbol costs what the first did. Two processes that
share a machine's memory slow each other down, and of five symbols the last is worked on alone.
Run: python -m tests.benchmarks.bench_scale, or `make bench-scale` for 500 symbols over five years.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import log
from pathlib import Path

import psutil

from stages.universe.calendar import trading_calendar
from tests.outside.large_market import ROOT, folder_of_stages, params_of, symbols_of

STAGES = ("fetch_bars", "check_data", "build_features", "build_requests")
SNAPSHOTS = ["10:30"]
HISTORY_DAYS = 5
IDLE_SPAN = timedelta(weeks=3)  # long enough for every kind of work to be done once
FIRST, LAST = "2023-01-03", "2023-12-29"
LARGE_BARS, LARGE_CORES = 10**9, 16
POLL_SEC = 0.02
TICK_SEC = 0.01  # CPU seconds are counted in ticks: less than one is nothing


@dataclass(frozen=True)
class Cost:
    """One stage on one market; memory is the most that the driver, or the largest of the workers, held."""

    cpu_sec: float
    wall_sec: float
    driver_mb: float
    worker_mb: float


def costs(symbols: int, first: date, last: date) -> dict[str, Cost]:
    """Every stage on a market of its own."""
    folder = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        asked = {"snapshots_et": SNAPSHOTS, "history_days": [HISTORY_DAYS]}
        folder_of_stages(folder, params_of(symbols_of(symbols), first, last, **asked))
        run_stage("list_source", folder)
        return {stage: run_stage(stage, folder) for stage in STAGES}
    finally:
        shutil.rmtree(folder)


def exponent(small: tuple[int, float], large: tuple[int, float]) -> float:
    """Slope of log cost over log symbols."""
    return log(max(large[1], TICK_SEC) / max(small[1], TICK_SEC)) / log(large[0] / small[0])


def main(arguments: Sequence[str] | None = None) -> dict[int, dict[str, Cost]]:
    """Print a line a stage and market, the exponents between markets, and the projection."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--symbols", nargs="+", type=int, default=[5, 50])
    parser.add_argument("--first", type=date.fromisoformat, default=date.fromisoformat(FIRST))
    parser.add_argument("--last", type=date.fromisoformat, default=date.fromisoformat(LAST))
    asked = parser.parse_args(arguments)
    bars = int(trading_calendar(asked.first, asked.last)["n_bars"].sum())
    idle = costs(2, asked.last - IDLE_SPAN, asked.last)
    found = {}
    for count in asked.symbols:
        found[count] = costs(count, asked.first, asked.last)
        print(f"{count} symbols, {count * bars:,} bars")
        for stage, one in found[count].items():
            us = (one.cpu_sec - idle[stage].cpu_sec) / (count * bars) * 1e6
            memory = f"driver {one.driver_mb:5.0f} MB, worker {one.worker_mb:5.0f} MB"
            print(f"  {stage:15} {us:6.2f} us a bar, {one.wall_sec:7.1f} s, {memory}", flush=True)
    for small, large in zip(asked.symbols, asked.symbols[1:], strict=False):
        _compare(found, (small, large), idle)
    largest = max(asked.symbols)
    _project({stage: one.cpu_sec - idle[stage].cpu_sec for stage, one in found[largest].items()}, largest * bars)
    return found


def _compare(found: dict[int, dict[str, Cost]], sizes: tuple[int, int], idle: dict[str, Cost]) -> None:
    small, large = sizes
    for stage in STAGES:
        points = [(size, found[size][stage].cpu_sec - idle[stage].cpu_sec) for size in sizes]
        memory = found[large][stage].worker_mb / found[small][stage].worker_mb
        print(f"{small} to {large} symbols: {stage:15} exponent {exponent(*points):.2f} (1.00 +- 0.05 wanted), "
              f"worker memory x {memory:.2f} (at most 1.2)")  # fmt: skip


def _project(cpu_sec: dict[str, float], bars: int) -> None:
    whole = sum(cpu_sec.values()) / bars * LARGE_BARS
    print(f"projection to {LARGE_BARS:.0e} bars: {whole / 3600:.1f} core hours, on {LARGE_CORES} cores "
          f"{whole / 3600 / LARGE_CORES:.1f} h if they do not wait for one disk")  # fmt: skip


def run_stage(stage: str, folder: Path) -> Cost:
    """Run a stage as dvc does and watch its processes."""
    environment = {"ENGINE": "local:2"} | os.environ | {"PYTHONPATH": str(ROOT), "DVC_ROOT": str(folder)}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = psutil.Popen([sys.executable, "-m", f"stages.{stage}"], cwd=folder, env=environment,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
    driver, worker = 0, 0
    while process.poll() is None:
        try:
            driver = max(driver, _most_held(process.pid))
            worker = max([worker, *(_most_held(child.pid) for child in process.children(recursive=True))])
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            pass
        time.sleep(POLL_SEC)
    told = process.stderr.read()
    assert process.returncode == 0, told
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, time.perf_counter() - start, driver / 1e6, worker / 1e6)


def _most_held(pid: int) -> int:
    """The most bytes a process held so far: a look that comes late, on a busy machine, misses nothing."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    main()
