"""600 partitions by a loop, two processes and two Dask workers on loopback: wall seconds in one run, outputs equal.

A partition is one symbol's month and a half, fetched, checked and written.
Run: python -m tests.benchmarks.bench_engines
"""

import os
import tempfile
import time
from functools import partial
from pathlib import Path

from stages.engine import engine
from stages.engine.engine import SymbolTask
from stages.io.partitions import Partition, staged
from stages.params.storage import StorageParams
from stages.quality.gate import check_one_symbol
from tests.quality.deliveries import QUALITY
from tests.support.cluster import cluster
from tests.support.large_market import CALENDAR, DIALECT, SOURCE, symbols_of
from tests.support.partition_work import made_and_checked

PARTITIONS = 600


def wall_seconds(choice: str, folder: Path) -> float:
    """From the first key to the last record, the engine's start-up included."""
    os.environ["ENGINE"] = choice
    check = partial(check_one_symbol, dialect=DIALECT, calendar=CALENDAR, quality=QUALITY)
    start = time.perf_counter()
    with staged(folder, StorageParams(root=None)) as stage:
        work = SymbolTask(partial(made_and_checked, source=SOURCE, calendar=CALENDAR, check=check), stage.writer)
        found: dict[str, tuple[Partition, int]] = engine.run(
            work, dict.fromkeys(symbols_of(PARTITIONS), ()), "checking"
        )
        stage.keep(part for part, _ in found.values())
    return time.perf_counter() - start


def main() -> None:
    """Print seconds and ratios."""
    with tempfile.TemporaryDirectory() as name, cluster(Path(name)) as running:
        seconds = {
            label: wall_seconds(choice, Path(name) / label)
            for label, choice in (("loop", "loop"), ("local", "local:2"), ("dask", running.engine))
        }
        files = [sorted(path.read_bytes() for path in (Path(name) / label).iterdir()) for label in seconds]
        assert files[0] == files[1] == files[2]
    print(", ".join(f"{label} {wall:.1f} s" for label, wall in seconds.items()))
    print(f"loop / local:2 {seconds['loop'] / seconds['local']:.2f} (at least 1.5 on an idle machine)")
    print(f"(dask - 8 s) / local:2 {(seconds['dask'] - 8) / seconds['local']:.2f} (at most 1.25)")


if __name__ == "__main__":
    main()
