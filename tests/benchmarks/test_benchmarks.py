"""The short benchmarks run to their end: what they assert of results holds; their times are only printed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHORT = [
    ["bench_drift"],
    ["bench_engine", "1"],
    ["bench_free"],
    ["bench_keys"],
    ["bench_labels", "300"],
    ["bench_paid"],
    ["bench_source"],
    ["bench_startup", "list_source"],
    ["bench_superior_ability"],
    ["bench_sweep", "1000"],
    ["bench_universe", "8"],
    ["bench_worth", "200"],
    ["detection", "1"],
]


@pytest.mark.scale
@pytest.mark.parametrize("command", SHORT, ids=" ".join)
def test_a_benchmark_runs_to_its_end(command: list[str]):
    module, *arguments = command
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
