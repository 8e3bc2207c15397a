"""`make demo`: a first page in a fraction of the time of a run.

The stages of preset `smoke` run in this process and in a temporary folder, without DVC: nothing is recorded, and the
workspace does not change. Only the page is kept.
"""

import os
import shutil
from contextlib import chdir
from importlib import import_module
from pathlib import Path

import yaml

from stages.configuration.compose import compose
from stages.io.files import read_json
from stages.report import PAGE
from stages.runs.scratch import scratch_study

GATES = Path("artifacts/evaluate/gates.json")
SHOWN = Path("artifacts/page/demo.html")


def demo() -> None:
    """Preset `smoke` -> its page."""
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    shown = SHOWN.resolve()

    with scratch_study(compose(overrides=["preset=smoke"])) as folder:
        os.environ["DVC_ROOT"] = str(folder)  # keeps the trial log of the demo in the folder
        with chdir(folder):
            for stage in stages:
                import_module(f"stages.{stage}").main()
            verdict = read_json(GATES)["verdict"]
            shown.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PAGE, shown)

    print("demo: five sessions of an artificial market, too few to decide. `make run` takes the whole default study.")
    print(f"demo: verdict {verdict}, page {SHOWN}")
