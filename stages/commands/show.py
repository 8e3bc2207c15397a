"""`make show`: DVC's table of experiments, params and metrics of noise dropped, and above it what it cannot say.

DVC writes the row `workspace` from params.yaml and the metrics that lie there, whether or not they belong together.
"""

import os
import subprocess
import sys

from stages.errors import PipelineError
from stages.io.terminal import run
from stages.runs.evidence import require_evidence

NOISE = (
    "artifacts|stages|conf|Created|State|Executor|^source\\.|^costs\\.(half|tick)|^universe|"
    "^forecaster\\.(look|min|ewma|fhs|input)|^split|^requests\\.snap|^sweep|^api|^quality|^features"
)
WIDTH = {} if sys.stdout.isatty() else {"COLUMNS": "140"}


def main() -> None:
    """One line if the workspace's row is of two runs, then the table."""
    try:
        require_evidence("evaluate")
    except PipelineError as error:
        print(f"show: do not read the row `workspace`: {error}", flush=True)
    table = ["dvc", "exp", "show", "--only-changed", "--no-pager", "--drop", NOISE]
    sys.exit(subprocess.run(table, env=os.environ | WIDTH, check=False).returncode)  # noqa: S603  # our own words


if __name__ == "__main__":
    run(main)
