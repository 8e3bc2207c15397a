"""A stage or command starts with what it uses: none pays for importing what only others, or only errors, need."""

import json
import subprocess
import sys

import pytest

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
CONFIGURES = {"hydra", "omegaconf"}
COMMANDS = {
    "gate": {"rich"},
    "commands.pages": CONFIGURES | {"altair"},
    "commands.spending": CONFIGURES,
    "commands.trials": CONFIGURES,
}
IMPORT_EACH = """
import json, os, sys
plain, users, costly = json.loads(sys.argv[1])
def told(stage):
    __import__("stages." + stage)
    print(json.dumps([stage, sorted(set(costly) & set(sys.modules))]), flush=True)
for stage in plain:  # in one process: while nothing costly is there, none of them imported it
    told(stage)
for stage in users:  # each in a process of its own, so that none inherits what another imported
    if os.fork() == 0:
        told(stage)
        os._exit(0)
    os.wait()
"""


@pytest.mark.journey  # a process for each stage and command
def test_a_stage_or_command_imports_no_costly_library_but_those_it_uses_in_every_run():
    used = USED | COMMANDS
    plain = [stage for stage in NAMES if stage not in used]
    command = [sys.executable, "-c", IMPORT_EACH, json.dumps([plain, sorted(used), sorted(COSTLY)])]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    imported = {stage: set(libraries) for stage, libraries in map(json.loads, lines)}
    assert imported == {stage: used.get(stage, set()) for stage in (*NAMES, *COMMANDS)}
