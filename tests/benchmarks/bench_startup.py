"""What each stage imports before it works, beside what every stage needs: CPU seconds as a ratio, the least of three.

The names behind it are the costliest packages that the floor does not import, by `python -X importtime`.
Run: python -m tests.benchmarks.bench_startup [stages ...]
"""

import subprocess
import sys
from collections import Counter

from tests.architecture.dependencies import load_dvc_yaml

FLOOR = "import dataframely, numpy, polars, pydantic, yaml"
BUDGET, HEAVY_BUDGET = 1.4, 3.0  # heavy: it compiles, draws, or computes what numpy cannot
HEAVY = {"numba", "altair", "scipy"}
REPEATS = 3


def cpu_seconds(code: str) -> float:
    """CPU seconds of a Python that runs this code and nothing else; the least is what a quiet machine needs."""
    timed = f"{code}\nimport time; print(time.process_time())"
    return min(float(subprocess.check_output([sys.executable, "-c", timed])) for _ in range(REPEATS))


def import_us(code: str) -> Counter[str]:
    """Microseconds spent in modules themselves, by top-level package."""
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True)
    spent: Counter[str] = Counter()
    for line in done.stderr.splitlines():
        own, _, name = line.removeprefix("import time:").split("|")
        if own.strip().isdigit():
            spent[name.strip().split(".")[0]] += int(own)
    return spent


def main() -> None:
    """One line a stage."""
    floor, known = cpu_seconds(FLOOR), import_us(FLOOR)
    print(f"floor ({FLOOR}): {floor:.2f} s")
    for stage in sys.argv[1:] or load_dvc_yaml()["stages"]:
        code = f"import stages.{stage}"
        spent = import_us(code)
        ratio = cpu_seconds(code) / floor
        budget = HEAVY_BUDGET if HEAVY & set(spent) else BUDGET
        beyond = Counter({name: us for name, us in spent.items() if name not in known}).most_common(3)
        named = ", ".join(f"{name} {us / 1e6:.2f} s" for name, us in beyond)
        print(f"{stage:16} {ratio:5.2f} (at most {budget}){' OVER' * (ratio > budget)}   {named}")


if __name__ == "__main__":
    main()
