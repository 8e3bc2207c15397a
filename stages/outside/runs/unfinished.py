"""Which stages have not run with what lies here now.

*Errors*: `ConfigurationError` (exit 5) when `dvc status` fails.
"""

import json
import subprocess
import sys

from stages.errors import ConfigurationError


def unfinished_stages() -> list[str]:
    """Stages whose code, params, inputs or outputs differ from dvc.lock, in the order of dvc.yaml; none after a run."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConfigurationError(f"`dvc status` fails: {done.stderr.strip().removeprefix('ERROR: ')}")
    return list(json.loads(done.stdout))
