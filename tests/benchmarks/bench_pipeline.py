"""The whole default run after install, and what a run with nothing to do costs beside DVC's own price.

The reference is a graph of thirteen stages that each copy one line, in the same run, on the same machine.
"""

import statistics
import tempfile
import time
from pathlib import Path

from tests.pipeline.clone import Clone, clone_working_tree

REPEATS = 5


def seconds(clone: Clone, command: str) -> float:
    start = time.perf_counter()
    clone.sh(command)
    return time.perf_counter() - start


def empty_graph(folder: Path) -> Clone:
    """Thirteen stages in a row that do nothing worth mentioning."""
    folder.mkdir()
    stages = ["stages:"]
    for n in range(13):
        stages += [f"  s{n}:", f"    cmd: cp f{n} f{n + 1}", f"    deps: [f{n}]", f"    outs: [f{n + 1}]"]
    (folder / "dvc.yaml").write_text("\n".join(stages) + "\n")
    (folder / "f0").write_text("nothing\n")
    clone = Clone(folder)
    clone.sh("git init -q && dvc init -q && dvc repro -q")
    return clone


def main() -> None:
    """Print both times and their ratio."""
    with tempfile.TemporaryDirectory() as scratch:
        default = clone_working_tree(Path(scratch) / "default")
        whole = seconds(default, "dvc repro")
        empty = empty_graph(Path(scratch) / "empty")
        ours, reference = [], []
        for _ in range(REPEATS):
            ours.append(seconds(default, "dvc repro"))
            reference.append(seconds(empty, "dvc repro"))
        ratio = statistics.median(ours) / statistics.median(reference)
    print(f"whole default pipeline after install: {whole:.1f} s (to beat: 90 s)")
    print(f"nothing to do: {statistics.median(ours):.2f} s, an empty graph {statistics.median(reference):.2f} s")
    print(f"ratio {ratio:.2f} (at most 1.5)")


if __name__ == "__main__":
    main()
