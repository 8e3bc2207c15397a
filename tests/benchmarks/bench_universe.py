"""The whole pipeline on ever more symbols, all of which may trade: seconds and memory of each stage, size of the page.

The stages run one after the other in a folder that vanishes, on synthetic markets of the default study's span.
Run: python -m tests.benchmarks.bench_universe [symbols ...]
"""

import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path

from tests.architecture.dependencies import load_dvc_yaml
from tests.benchmarks.bench_scale import Watched, run_stage
from tests.support.large_market import PARAMS, folder_of_stages, params_of, symbols_of

FIRST, LAST = (date.fromisoformat(PARAMS["universe"][f"{which}_session"]) for which in ("first", "last"))
MOST_PAGE_BYTES = 5_000_000
SIZES = (25, 100)


def costs(count: int) -> tuple[dict[str, Watched], dict[str, int]]:
    """What each stage took, and the bytes of what people read."""
    symbols = symbols_of(count)
    params = params_of(symbols, FIRST, LAST)
    params["universe"] |= {"whitelist": symbols}
    params["split"] = params["split"] | {"open_holdout": None}
    params["costs"] = params["costs"] | {
        "half_spread_ticks": dict.fromkeys(symbols, 1.0),
        "tick_size": dict.fromkeys(symbols, 0.01),
    }
    folder = Path(tempfile.mkdtemp(prefix="universe-"))
    try:
        folder_of_stages(folder, params)
        taken = {stage: run_stage(stage, folder) for stage in load_dvc_yaml()["stages"]}
        read = ("report/index.html", "report/report.md", "score_forecasts/metrics.json")
        return taken, {name: (folder / "artifacts" / name).stat().st_size for name in read}
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """A table a universe."""
    for count in [int(size) for size in sys.argv[1:]] or SIZES:
        taken, sizes = costs(count)
        print(f"{count} symbols, {sum(one.wall_sec for one in taken.values()):.0f} s")
        for stage, one in taken.items():
            print(f"  {stage:15} {one.wall_sec:6.1f} s, {max(one.driver_mb, one.worker_mb):5.0f} MB", flush=True)
        print("  " + ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in sizes.items()))
        assert sizes["report/index.html"] < MOST_PAGE_BYTES


if __name__ == "__main__":
    main()
