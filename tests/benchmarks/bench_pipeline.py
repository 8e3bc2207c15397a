"""The whole default run after install, and what a run with little to do costs beside DVC's own price.

The reference is a graph of as many stages that declare as many dependencies, outputs and params and each copy one
line, in the same run, on the same machine; where a stage has to run, the time of its script alone is added to it. What
DVC takes when they declare less is printed beside it, down to the bare graph of one dependency and output a stage: the
rest is the price of declaring what a stage reads and of naming the rooms of its code.
Run: python -m tests.benchmarks.bench_pipeline
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stages.io.questions import MOST_FILES
from tests.architecture.dependencies import declared, load_dvc_yaml
from tests.pipeline.clone import ROOT, Clone, clone_working_tree

REPEATS = 5


def seconds(clone: Clone, command: str) -> float:
    start = time.perf_counter()
    clone.sh(command)
    return time.perf_counter() - start


@dataclass(frozen=True)
class Declared:
    """How many files a stage names as its dependencies and outputs, and which params."""

    deps: int = 1
    outs: int = 1
    params: tuple[str, ...] = ()


def ours() -> list[Declared]:
    """What the stages of dvc.yaml declare."""
    return [
        Declared(
            len(declared(stage, "deps")),
            len(declared(stage, "outs")) + len(declared(stage, "metrics")),
            tuple(declared(stage, "params")),
        )
        for stage in load_dvc_yaml()["stages"].values()
    ]


def idle_graph(folder: Path, stages: Sequence[Declared]) -> Clone:
    """Stages in a row that do nothing worth mentioning and declare so much; the last has a param of its own."""
    folder.mkdir()
    text = ["stages:"]
    for n, one in enumerate(stages):
        deps = [f"f{n}", *(f"code{number}" for number in range(one.deps - 1))]
        outs = [f"f{n + 1}", *(f"f{n + 1}_{number}" for number in range(one.outs - 1))]
        copies = " && ".join(f"cp f{n} {out}" for out in outs)
        text += [f"  s{n}:", f"    cmd: {copies}", f"    deps: [{', '.join(deps)}]", f"    outs: [{', '.join(outs)}]"]
        text += [f"    params: [{', '.join((*one.params, *(['last'] if n + 1 == len(stages) else [])))}]"]
    for number in range(max(one.deps for one in stages)):
        (folder / f"code{number}").write_text(f"{number}\n")
    (folder / "dvc.yaml").write_text("\n".join(text) + "\n")
    (folder / "f0").write_text("nothing\n")
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text() + "last: 0\n")
    clone = Clone(folder)
    clone.sh("git init -q && dvc init -q && dvc repro -q")
    return clone


def nothing_to_do(*clones: Clone) -> list[float]:
    """`dvc repro` of each when all is up to date, in turns."""
    rounds = [[seconds(clone, "dvc repro") for clone in clones] for _ in range(REPEATS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def one_stage_to_do(default: Clone, idle: Clone) -> tuple[float, float]:
    """`dvc repro` of the last stage's change, beside the idle graph's and the script alone."""
    taken, reference = [], []
    for days in range(1, REPEATS + 1):
        default.sh(f"sed -i 's/fan_days: .*/fan_days: {days + 3}/' params.yaml")
        idle.sh(f"sed -i 's/^last: .*/last: {days}/' params.yaml")
        taken.append(seconds(default, "dvc repro"))
        reference.append(seconds(idle, "dvc repro") + seconds(default, "python -m stages.report"))
    return statistics.median(taken), statistics.median(reference)


def status_of_many_files(idle: Clone) -> float:
    """`dvc status` beside a folder of 6,000 files that DVC has seen before."""
    (idle.path / "many").mkdir()
    for number in range(MOST_FILES):
        (idle.path / f"many/{number:04}.json").write_text(f"{number}\n" * 100)
    idle.sh("dvc add -q many")
    return statistics.median(seconds(idle, "dvc status") for _ in range(REPEATS))


def main() -> None:
    """Print times and their ratios."""
    with tempfile.TemporaryDirectory() as scratch:
        default = clone_working_tree(Path(scratch) / "default")
        whole = seconds(default, "dvc repro")
        print(f"whole default pipeline after install: {whole:.1f} s (to beat: 90 s)")
        stages = ours()
        graphs = {
            "with as much declared": stages,
            "without params": [replace(one, params=()) for one in stages],
            "with one dependency a stage": [replace(one, deps=1) for one in stages],
            "bare": [Declared()] * len(stages),
        }
        idle = {name: idle_graph(Path(scratch) / name.replace(" ", "_"), graph) for name, graph in graphs.items()}
        taken, *reference = nothing_to_do(default, *idle.values())
        print(f"nothing to do: {taken:.2f} s")
        for name, one in zip(idle, reference, strict=True):
            print(f"  an idle graph {name}: {one:.2f} s, ratio {taken / one:.2f}")
        same = idle["with as much declared"]
        taken, beside = one_stage_to_do(default, same)
        print(
            f"one stage to do: {taken:.2f} s, DVC's own cost {beside:.2f} s, ratio {taken / beside:.2f} (at most 1.3)"
        )
        print(f"dvc status at {MOST_FILES:,} files: {status_of_many_files(same):.2f} s (at most 3)")


if __name__ == "__main__":
    main()
