"""A stage or command starts with what it uses: none pays for importing what only others, or only errors, need."""

import json
import subprocess
import sys

from tests.architecture.dependencies import ROOT, load_dvc_yaml

NAMES = list(load_dvc_yaml()["stages"])
COSTLY = {"altair", "arch", "distributed", "dvc", "exchange_calendars", "fsspec", "gcsfs", "httpx", "hydra", "nixtla",
          "numba", "omegaconf", "pandas", "requests", "rich", "ruamel", "scipy", "scipy.linalg", "scipy.optimize",
          "scipy.signal", "scipy.special", "scipy.stats", "utilsforecast", "vl_convert"}  # fmt: skip
NUMBA = {"numba", "scipy"}  # numba imports scipy, without its parts
USED = {
    "judge_worth": NUMBA,
    "score_forecasts": {"scipy", "scipy.special"},
    "sweep": NUMBA | {"scipy.special"},
    "backtest": NUMBA,
    "evaluate": NUMBA | {"scipy.special"},
    "report": {"altair"},
}
CONFIGURES = {"hydra", "omegaconf", "ruamel"}
COMMANDS = {
    "gate": {"rich"},
    "commands.pages": {"hydra", "omegaconf", "altair"},
    "commands.spending": {"hydra", "omegaconf"},
    "commands.trials": CONFIGURES,
}
IMPORT_EACH = """
import json, os, sys
rows, costly = json.loads(sys.argv[1])
for row in rows:
    if os.fork() == 0:
        for stage in row:
            __import__("stages." + stage)
            print(json.dumps([stage, sorted(set(costly) & set(sys.modules))]), flush=True)
        os._exit(0)
    os.wait()
"""


def in_rows(used: dict[str, set[str]]) -> list[list[str]]:
    """Stages in rows, each after those that may import no more than it: one process is enough for a row."""
    rows: list[list[str]] = []
    for stage in sorted(used, key=lambda stage: len(used[stage])):
        row = next((row for row in rows if used[row[-1]] <= used[stage]), None)
        if row is None:
            rows.append(row := [])
        row.append(stage)
    return rows


def test_a_stage_or_command_imports_no_costly_library_but_those_it_uses_in_every_run():
    used = {stage: USED.get(stage, set()) for stage in NAMES} | COMMANDS
    command = [sys.executable, "-c", IMPORT_EACH, json.dumps([in_rows(used), sorted(COSTLY)])]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    imported = {stage: set(libraries) for stage, libraries in map(json.loads, lines)}
    assert imported == used
