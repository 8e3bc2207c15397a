"""`make demo-online`: the paid path from first price to offline replay, against the stand-in service, without a key.

A copy of the last commit in a temporary folder buys a five-session slice; nothing of the workspace is touched.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.timegpt_server import INPUT_SIZE, KEY, MODEL_HORIZON, TimeGPTServer

UP_TO_QUESTIONS = ("list_source", "fetch_bars", "check_data", "build_features", "build_requests")
RUN_ALL = """
import runpy, sys
for stage in sys.argv[1:]:
    runpy.run_module(f"stages.{stage}", run_name="__main__")
"""
COMPOSE = """
import sys
from pathlib import Path
from stages.configuration.compose import compose, to_yaml
Path("params.yaml").write_text(to_yaml(compose(overrides=sys.argv[1:])))
"""

KNOWN = [f"forecaster.input_size={INPUT_SIZE}", f"forecaster.model_horizon={MODEL_HORIZON}"]


@dataclass(frozen=True)
class Step:
    """One command of the demonstration and how it ended."""

    told: str
    exit_code: int
    output: str
    requests: int


def demonstrate(folder: Path, server: TimeGPTServer) -> Iterator[Step]:
    """Run the story in `folder`, a clone; every step as it ends."""
    slice_, known = slice_of(server), KNOWN
    purse = ["api.mode=online", "api.cooldown_sec=0", "api.per_run=7"]

    def step(told: str, *modules: str) -> Step:
        output, code = "", 0
        for module in modules:
            done = python_in(folder, "-m", *module.split())
            output, code = output + done.stdout + done.stderr, done.returncode
        return Step(told, code, output, server.sent)

    compose_in(folder, slice_)
    python_in(folder, "-c", RUN_ALL, *UP_TO_QUESTIONS).check_returncode()
    yield step("What would it cost? Nothing is bought, no key is needed.", "stages plan")
    yield step("Offline, a missing answer ends the run.", "stages.forecast")
    compose_in(folder, slice_ + purse)
    yield step("The first run online buys the model's facts alone: they belong into params.", "stages.forecast")
    compose_in(folder, slice_ + known + purse)
    yield step("With them in params, the questions; then seven requests, and the run's budget ends.",
               "stages.build_requests", "stages.forecast")  # fmt: skip
    for _ in range(10):
        again = step("The next run goes on where the last one stopped.", "stages.forecast")
        yield again
        if again.exit_code == 0:
            break
    compose_in(folder, slice_ + known)
    yield step("Offline again: the same answers, no request.", "stages.forecast")
    yield step("What was spent, and is every answer what its key says?", "stages spend", "stages verify")


def slice_of(server: TimeGPTServer) -> list[str]:
    """Five sessions, asked of the stand-in."""
    return ["preset=smoke", "forecaster=timegpt", f"forecaster.base_url={server.url}", "forecaster.min_rows=100"]


def clone_to(folder: Path) -> None:
    """The last commit of this repository, with a DVC cache of its own."""
    root = Path(__file__).parents[2]
    subprocess.run(["git", "clone", "-q", str(root), str(folder)], check=True)


def compose_in(folder: Path, overrides: list[str]) -> None:
    """Write the params of a clone as `dvc exp run -S` would."""
    python_in(folder, "-c", COMPOSE, *overrides).check_returncode()


def python_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run python in a clone, with the stand-in's key."""
    environment = {**os.environ, "NIXTLA_API_KEY": KEY, "PYTHONPATH": "."}
    environment.pop("DVC_ROOT", None)
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def main() -> None:
    """Tell the story."""
    with tempfile.TemporaryDirectory(prefix="demo-online-") as name, TimeGPTServer() as server:
        folder = Path(name) / "repository"
        clone_to(folder)
        print(f"A stand-in TimeGPT listens at {server.url}; the steps take about a minute.")
        for step in demonstrate(folder, server):
            print(f"\n## {step.told}\n{step.output.strip()}")
            print(f"(exit {step.exit_code}; the service saw {step.requests} requests)")


if __name__ == "__main__":
    main()
