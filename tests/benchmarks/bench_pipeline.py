"""The whole default run after install, and what a run with little to do costs beside DVC's own price.

The reference is a graph of thirteen stages with as many dependencies that each copy one line, in the same run, on the
same machine; where a stage has to run, the time of its script alone is added to it. What DVC takes for the bare graph,
one dependency a stage, is printed beside it: the rest is the price of naming every file a stage's code consists of.
Run: python -m tests.benchmarks.bench_pipeline
"""

import statistics
import tempfile
import time
from pathlib import Path

from stages.outside.question_files import MOST_FILES
from tests.architecture.dependencies import declared, load_dvc_yaml
from tests.pipeline.clone import Clone, clone_working_tree

REPEATS = 5


def seconds(clone: Clone, command: str) -> float:
    start = time.perf_counter()
    clone.sh(command)
    return time.perf_counter() - start


def empty_graph(folder: Path, deps: list[int]) -> Clone:
    """Stages in a row that do nothing worth mentioning, each with so many files it depends on."""
    folder.mkdir()
    stages = ["stages:"]
    for n, count in enumerate(deps):
        named = ", ".join([f"f{n}", *(f"code{number}" for number in range(count - 1))])
        stages += [f"  s{n}:", f"    cmd: cp f{n} f{n + 1}", f"    deps: [{named}]", f"    outs: [f{n + 1}]"]
    for number in range(max(deps)):
        (folder / f"code{number}").write_text(f"{number}\n")
    stages += ["    params: [last]"]
    (folder / "dvc.yaml").write_text("\n".join(stages) + "\n")
    (folder / "f0").write_text("nothing\n")
    (folder / "params.yaml").write_text("last: 0\n")
    clone = Clone(folder)
    clone.sh("git init -q && dvc init -q && dvc repro -q")
    return clone


def nothing_to_do(default: Clone, empty: Clone) -> tuple[float, float]:
    """`dvc repro` of both graphs when all is up to date."""
    pairs = [(seconds(default, "dvc repro"), seconds(empty, "dvc repro")) for _ in range(REPEATS)]
    return tuple(statistics.median(side) for side in zip(*pairs, strict=True))


def one_stage_to_do(default: Clone, empty: Clone) -> tuple[float, float]:
    """`dvc repro` of the last stage's change, beside the empty graph's and the script alone."""
    ours, reference = [], []
    for days in range(1, REPEATS + 1):
        default.sh(f"sed -i 's/fan_days: .*/fan_days: {days + 3}/' params.yaml")
        empty.sh(f"echo 'last: {days}' > params.yaml")
        ours.append(seconds(default, "dvc repro"))
        reference.append(seconds(empty, "dvc repro") + seconds(default, "python -m stages.report"))
    return statistics.median(ours), statistics.median(reference)


def status_of_many_files(empty: Clone) -> float:
    """`dvc status` beside a folder of 6,000 files that DVC has seen before."""
    (empty.path / "many").mkdir()
    for number in range(MOST_FILES):
        (empty.path / f"many/{number:04}.json").write_text(f"{number}\n" * 100)
    empty.sh("dvc add -q many")
    return statistics.median(seconds(empty, "dvc status") for _ in range(REPEATS))


def main() -> None:
    """Print times and their ratios."""
    with tempfile.TemporaryDirectory() as scratch:
        default = clone_working_tree(Path(scratch) / "default")
        whole = seconds(default, "dvc repro")
        print(f"whole default pipeline after install: {whole:.1f} s (to beat: 90 s)")
        deps = [len(declared(stage, "deps")) for stage in load_dvc_yaml()["stages"].values()]
        empty = empty_graph(Path(scratch) / "empty", deps)
        for what, measure in (("nothing to do", nothing_to_do), ("one stage to do", one_stage_to_do)):
            ours, reference = measure(default, empty)
            print(f"{what}: {ours:.2f} s, DVC's own cost {reference:.2f} s, ratio {ours / reference:.2f} (at most 1.3)")
        bare = empty_graph(Path(scratch) / "bare", [1] * len(deps))
        print(f"the bare graph: {statistics.median(seconds(bare, 'dvc repro') for _ in range(REPEATS)):.2f} s")
        print(f"dvc status at {MOST_FILES:,} files: {status_of_many_files(empty):.2f} s (at most 3)")


if __name__ == "__main__":
    main()
