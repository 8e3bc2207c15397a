"""Small faults planted into the code, one at a time: which of them no quick test of their room notices.

A seeded sample of single changes (a comparison, a sign, a constant by one, `min` for `max`, a dropped `not`, bound or
condition, ...), as many in each room. Each is made in a copy of the tree, and the room's tests that reach the changed
module are run there, the nearest first, until one fails. What nobody could notice is listed in
`equivalent_mutants.txt`, with a reason each.

    make mutants N=60 SEED=1        prints the killed, survived and equivalent of each room, and each survivor as a diff
"""

import argparse
import ast
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from queue import SimpleQueue

from tests.mutations import Mutation, mutations

ROOT = Path(__file__).parents[1]
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.txt")
QUICK = "not (torture or scale or journey or browser or pipeline)"
SIDE_BY_SIDE = 2
LIMIT_SEC = 300.0  # a fault after which a test never ends counts as noticed
USAGE_ERROR = 4  # of pytest
STAMPS = count(2_000_000_000)  # a time of change for each file written: Python's and numba's caches go by it

# Rooms of stages/ whose faults cost money or trust; the tests of each are in the folder of its name.
ROOMS = (
    "scoring", "calibration", "trading", "worth", "questions", "quality", "features", "sessions", "forecasting", "paid",
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A change of one file of a room."""

    room: str
    path: str
    change: Mutation

    @property
    def name(self) -> str:
        """As `equivalent_mutants.txt` lists it: the function, what stands there, and what would."""
        return f"{self.change.function}: {self.change.before} -> {self.change.after}"

    def diff(self) -> str:
        """The change as two lines."""
        return (
            f"{self.path}:{self.change.line} {self.change.function}\n  - {self.change.before}\n  + {self.change.after}"
        )


def all_of(room: str) -> list[Mutant]:
    """Every mutant of a room, in order."""
    files = sorted((ROOT / "stages" / room).rglob("*.py"))
    return [
        Mutant(room, str(file.relative_to(ROOT)), change) for file in files for change in mutations(file.read_text())
    ]


def sample(n: int, seed: int, rooms: list[str]) -> list[Mutant]:
    """As many mutants of each room, give or take one."""
    chosen: list[Mutant] = []
    for number, room in enumerate(rooms):
        everything, wanted = all_of(room), (n + len(rooms) - 1 - number) // len(rooms)
        chosen += random.Random(f"{seed} {room}").sample(everything, min(wanted, len(everything)))
    return chosen


def equivalents() -> set[str]:
    """Mutants that change nothing anybody could see; each line ends in `  # why`, and names one that exists."""
    lines = [line for line in EQUIVALENT.read_text().splitlines() if line and not line.startswith("#")]
    if unexplained := [line for line in lines if not line.partition("  # ")[2]]:
        raise SystemExit(f"{EQUIVALENT.name}: no reason is given for {unexplained}")
    named = {line.partition("  # ")[0] for line in lines}
    if stale := named - {mutant.name for room in ROOMS for mutant in all_of(room)}:
        raise SystemExit(f"{EQUIVALENT.name}: there is no such mutant: {sorted(stale)}")
    return named


@cache
def imports(path: Path) -> tuple[Path, ...]:
    """The files of this repository that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = (ROOT / f"{name.replace('.', '/')}.py" for name in sorted(names))
    return tuple(file for file in files if file.is_file())


@cache
def distances(test: Path) -> dict[str, int]:
    """How many imports lie between a test file and each module that it reaches."""
    found, waiting = {test: 0}, deque([test])
    while waiting:
        here = waiting.popleft()
        for there in imports(here):
            if there not in found:
                found[there] = found[here] + 1
                waiting.append(there)
    return {str(path.relative_to(ROOT)): far for path, far in found.items()}


def test_files(mutant: Mutant) -> list[str]:
    """The test files of its room that reach its module, the nearest first, and among these what reaches little else."""
    reached = {file: distances(file) for file in sorted((ROOT / "tests" / mutant.room).glob("test_*.py"))}
    near = sorted((far[mutant.path], len(far), file) for file, far in reached.items() if mutant.path in far)
    return [str(file.relative_to(ROOT)) for *_, file in near]


class Tree:
    """A copy of the working tree in which tests are run."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "repo"
        self.compiled = folder / "compiled"
        listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True)
        for name in listed.stdout.decode().split("\0"):
            if name and (ROOT / name).is_file():
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.path / name)
        (self.path / ".venv").symlink_to(Path(sys.executable).parents[1])
        if (ROOT.parent / "shared").is_dir():
            (folder / "shared").symlink_to(ROOT.parent / "shared")

    def failed(self, tests: list[str], compiled: Path) -> list[str] | None:
        """The tests that fail, at most one; None if they do not end in time."""
        environment = os.environ | {"NUMBA_CACHE_DIR": str(compiled), "POLARS_MAX_THREADS": "1"}
        words = ["-x", "-q", "-n", "0", "-o", f"cache_dir={self.path.parent}/cache", "-m", QUICK]
        shutil.rmtree(self.path.parent / "cache", ignore_errors=True)
        running = subprocess.Popen(
            [sys.executable, "-m", "pytest", *words, *tests], cwd=self.path, env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            code = running.wait(LIMIT_SEC)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        if code == USAGE_ERROR:
            raise SystemExit(
                f"pytest cannot run {tests}: one was made or moved since this began, or a plugin is missing"
            )
        noted = self.path.parent / "cache/v/cache/lastfailed"
        return [] if code == 0 else list(json.loads(noted.read_text()) if noted.exists() else tests[:1])

    def killers(self, mutant: Mutant) -> list[str] | None:
        """As `failed`, of the mutant; the tree is as before afterwards."""
        tests = test_files(mutant)
        if not tests:
            return []
        path = self.path / mutant.path
        text = path.read_text()
        fresh = tempfile.mkdtemp(dir=self.path.parent) if "numba" in text else None
        try:
            self._write(path, mutant.change.apply(text))
            return self.failed(tests, Path(fresh or self.compiled))
        finally:
            self._write(path, text)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        stamp = next(STAMPS)
        os.utime(path, (stamp, stamp))


def killed(mutants: list[Mutant]) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant, and whether a test noticed it: one that passes without the mutant, which is asked in the end."""
    free: SimpleQueue[Tree] = SimpleQueue()
    killers: set[str] = set()

    def tried(mutant: Mutant) -> list[str] | None:
        tree = free.get()
        try:
            return tree.killers(mutant)
        finally:
            free.put(tree)

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(SIDE_BY_SIDE) as workers:
        for number in range(SIDE_BY_SIDE):
            free.put(Tree(Path(folder) / str(number)))
        for mutant, tests in zip(mutants, workers.map(tried, mutants), strict=True):
            killers |= set(tests or ())
            yield mutant, tests != []
        if killers and (broken := free.get().failed(sorted(killers), Path(folder) / "compiled")) != []:
            raise SystemExit(f"a test that noticed a mutant fails without one: {broken}")


def main() -> None:
    """Sample, try, and tell."""
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("--n", type=int, default=60, help="how many, over all rooms")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rooms", nargs="*", choices=ROOMS, default=list(ROOMS))
    parser.add_argument("--list", action="store_true", help="print the sample, run nothing")
    args = parser.parse_args()
    mutants, known = sample(args.n, args.seed, args.rooms), equivalents()
    if args.list:
        print("\n".join(mutant.diff() for mutant in mutants))
        return
    ends = Counter((mutant.room, "equivalent") for mutant in mutants if mutant.name in known)
    for mutant, dead in killed([mutant for mutant in mutants if mutant.name not in known]):
        ends[mutant.room, "killed" if dead else "survived"] += 1
        if not dead:
            print(f"survived: {mutant.diff()}", flush=True)
    kinds = ("killed", "survived", "equivalent")
    print(f"{'room':<16}" + "".join(f"{kind:>12}" for kind in kinds))
    for room in args.rooms:
        print(f"{room:<16}" + "".join(f"{ends[room, kind]:>12}" for kind in kinds))
    total = Counter({kind: sum(many for (_, end), many in ends.items() if end == kind) for kind in kinds})
    print(f"{'all':<16}" + "".join(f"{total[kind]:>12}" for kind in kinds))
    sys.exit(bool(total["survived"]))


if __name__ == "__main__":
    main()
