"""The whole pipeline on ever more symbols, all of which may trade: seconds and memory of each stage, size of the page.

The stages run one after the other in a folder that vanishes, on synthetic markets of the default study's span, by two
processes unless ENGINE says otherwise. Persistence is the free candidate; the other candidates are asked apart. The
exponent is the slope of log seconds over log symbols, start of the process included: 1 means that the thousandth symbol
costs what the first did.
Run: python -m tests.benchmarks.bench_universe [symbols ...]
"""

import shutil
import sys
import tempfile
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from tests.architecture.dependencies import load_dvc_yaml
from tests.benchmarks.bench_scale import Watched, exponent, run_stage
from tests.support.large_market import PARAMS, folder_of_stages, params_of, symbols_of

FIRST, LAST = (date.fromisoformat(PARAMS["universe"][f"{which}_session"]) for which in ("first", "last"))
MOST_PAGE_BYTES = 5_000_000
SIZES = (50, 200)
APART = "the others"  # free candidates beside persistence


def study(count: int) -> dict[str, Any]:
    """Params of so many symbols, each with costs."""
    symbols = symbols_of(count)
    params = params_of(symbols, FIRST, LAST)
    params["universe"] |= {"whitelist": symbols}
    params["split"] = params["split"] | {"open_holdout": None}
    params["costs"] = params["costs"] | {
        "half_spread_ticks": dict.fromkeys(symbols, 1.0),
        "tick_size": dict.fromkeys(symbols, 0.01),
    }
    return params | {"worth": params["worth"] | {"candidates": ["persistence"]}}


def costs(count: int) -> tuple[dict[str, Watched], dict[str, int]]:
    """What each stage took, and the bytes of what people read."""
    params, folder = study(count), Path(tempfile.mkdtemp(prefix="universe-"))
    try:
        folder_of_stages(folder, params)
        taken = {stage: run_stage(stage, folder) for stage in load_dvc_yaml()["stages"]}
        read = ("report/index.html", "report/report.md", "score_forecasts/metrics.json")
        sizes = {name: (folder / "artifacts" / name).stat().st_size for name in read}
        others = [name for name in PARAMS["worth"]["candidates"] if name != "persistence"]
        params["worth"] |= {"candidates": others}
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        return taken | {APART: run_stage("forecast_free", folder)}, sizes
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """A table a universe, then the exponents."""
    found = {}
    for count in [int(size) for size in sys.argv[1:]] or SIZES:
        taken, sizes = costs(count)
        found[count] = {stage: one.wall_sec for stage, one in taken.items()}
        print(f"{count} symbols, {sum(sec for stage, sec in found[count].items() if stage != APART):.0f} s")
        for stage, one in taken.items():
            print(f"  {stage:15} {one.wall_sec:6.1f} s, driver {one.driver_mb:4.0f} MB, worker {one.worker_mb:4.0f} MB")
        print("  " + ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in sizes.items()), flush=True)
        assert sizes["report/index.html"] < MOST_PAGE_BYTES
    for small, large in pairwise(found):
        slopes = [
            f"{stage} {exponent((small, sec), (large, found[large][stage])):.2f}" for stage, sec in found[small].items()
        ]
        print(f"exponents from {small} to {large}: {', '.join(slopes)}")


if __name__ == "__main__":
    main()
