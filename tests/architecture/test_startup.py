"""A stage starts with what it uses: no script pays for importing what only others, or only errors, need."""

import json
import subprocess
import sys

from tests.architecture.dependencies import ROOT, load_dvc_yaml

NAMES = list(load_dvc_yaml()["stages"])
COSTLY = {"altair", "arch", "distributed", "dvc", "exchange_calendars", "gcsfs", "httpx", "hydra", "nixtla", "numba",
          "pandas", "rich", "scipy.optimize", "scipy.signal", "scipy.stats", "utilsforecast", "vl_convert"}  # fmt: skip
USED = {
    "judge_worth": {"numba"},
    "sweep": {"numba"},
    "backtest": {"numba"},
    "evaluate": {"numba"},
    "report": {"altair", "vl_convert"},
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


def test_a_stage_imports_no_costly_library_but_those_it_uses_in_every_run():
    plain = [stage for stage in NAMES if stage not in USED]
    command = [sys.executable, "-c", IMPORT_EACH, json.dumps([plain, sorted(USED), sorted(COSTLY)])]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    imported = {stage: set(libraries) for stage, libraries in map(json.loads, lines)}
    assert imported == {stage: USED.get(stage, set()) for stage in NAMES}
