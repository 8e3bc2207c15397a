"""What people wait for, at another commit and here: seconds of the same work on both, in turns, and their medians.

Each turn makes a new clone of each commit, which shares this environment and no other state, and types the commands of
`WORK` one after the other. The committed state of this clone counts. Below what runs the graph, two lines say what of
it nobody can spare: the stages' own seconds, and what DVC needs by itself, with each stage in place of its work
restored from DVC's run-cache.
Run: python -m tests.benchmarks.against [--turns N] [COMMIT]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.architecture.dependencies import ROOT

BASE = "e96c6ea"  # before the code was cut anew
TURNS = 3
HERE = "HEAD"
RULE = "dvc exp run -S rules.s_stop=1.5"
FRESH = "git checkout -q . && rm -rf artifacts"
RUNS = ("default run", "changed rule", "smoke")
STAGES_ALONE, DVC_ALONE = "{}, the stages' own seconds", "{}, restored by DVC"
SECONDS = re.compile(r"^\w+: .*seconds=([\d.]+)$", re.MULTILINE)
# What it is called -> what is typed, in this order.
WORK = {
    "default run": "make run",
    DVC_ALONE.format("default run"): f"{FRESH} && make run",
    "changed rule": RULE,
    DVC_ALONE.format("changed rule"): f"git checkout -q . && {RULE}",
    "dvc status": "git checkout -q . && dvc checkout -q && dvc status",
    "make show": "make show",
    "make plan": "make plan",
    "make page": "make page",
    "make compare": "make compare A=HEAD B=workspace",
    "make audit": "make audit",
    "make trials": "make trials",
    "smoke": "git checkout -q . && { make run PRESET=smoke || true; }",  # five sessions pass no gate
    DVC_ALONE.format("smoke"): f"{FRESH} && dvc exp run -S preset=smoke",
    "demo": "make demo",
}


def clone_of(commit: str, folder: Path) -> Path:
    """A clone with this commit checked out that installs nothing."""
    subprocess.run(["git", "clone", "-q", "-n", str(ROOT), str(folder)], check=True)
    subprocess.run(["git", "checkout", "-q", "-B", "main", commit], cwd=folder, check=True)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    for name in ("requirements.txt", "requirements-dev.txt"):
        os.utime(folder / name, (0, 0))
    return folder


def typed(clone: Path, command: str) -> tuple[float, str] | None:
    """Seconds that a command takes there, and what it says; None if this commit does not know it, or it fails."""
    environment = {**os.environ, "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"}
    begun = time.perf_counter()
    done = subprocess.run(
        ["bash", "-c", command], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    return (time.perf_counter() - begun, done.stdout) if done.returncode == 0 else None


def turn(commit: str) -> dict[str, float]:
    """Seconds of each work at this commit."""
    folder = Path(tempfile.mkdtemp(prefix="against-"))
    try:
        clone, found = clone_of(commit, folder / "clone"), {}
        for name, command in WORK.items():
            done = typed(clone, command)
            if done is None:
                continue
            found[name], said = done
            print(f"{commit[:10]} {name}: {found[name]:.1f} s", file=sys.stderr, flush=True)
            if name in RUNS:
                found[STAGES_ALONE.format(name)] = sum(map(float, SECONDS.findall(said)))
        return found
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """One line a work."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("base", nargs="?", default=BASE)
    parser.add_argument("--turns", type=int, default=TURNS)
    stated = parser.parse_args()
    base, turns = stated.base, stated.turns
    known: dict[str, list[dict[str, float]]] = {base: [], HERE: []}
    for _ in range(turns):
        for commit, taken in known.items():
            taken.append(turn(commit))
    print(f"{'':42} {base[:10]:>10} {'here':>8} {'ratio':>6}   medians of {turns}, seconds")
    for name in dict.fromkeys(name for taken in known.values() for one in taken for name in one):
        old, new = (
            median(seconds) if (seconds := [one[name] for one in taken if name in one]) else None
            for taken in known.values()
        )
        ratio = f"{new / old:6.2f}" if old and new else f"{'-':>6}"
        print(f"{name:42} {_shown(old):>10} {_shown(new):>8} {ratio}", flush=True)


def _shown(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}"


if __name__ == "__main__":
    main()
