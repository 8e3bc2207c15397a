"""The short benchmarks run to their end: what they assert of results holds; their times are only printed.

Each runs at the smallest size that passes through all of it: sizes that it takes as arguments, or set before it starts.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHORT = {
    "bench_drift": "",
    "bench_engine 1": "it.SESSIONS = 40",
    "bench_free": "it.MARKETS = {'AAPL': ()}",
    "bench_keys": "it.SESSIONS, it.SESSIONS_ASKED = 60, 20",
    "bench_labels 300": "",
    "bench_paid": "it.QUESTIONS, it.CALLS, it.A_YEAR = 100, 3, ['preset=smoke', 'forecaster.min_rows=100']",
    "bench_source": "it.SYMBOLS, it.CALENDAR, it.TICKERS = it.SYMBOLS[:13], it.CALENDAR[60:140], 200",
    "bench_startup list_source": "it.REPEATS = 1",
    "bench_superior_ability": "it.VARIANTS, it.GRIDS = 200, 5",
    "bench_sweep 100": "it.GRIDS = {100: (3, (2, 5, 5, 2))}",
    "bench_universe 2": "",
    "bench_worth 200": "",
    "detection 1": "",
}


@pytest.mark.scale
@pytest.mark.parametrize(("command", "sizes"), SHORT.items(), ids=SHORT)
def test_a_benchmark_runs_to_its_end(command: str, sizes: str):
    module, *arguments = command.split()
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.benchmarks import {module} as it\n{sizes}\nit.main()", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
