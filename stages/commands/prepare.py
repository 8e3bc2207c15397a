"""What DVC needs in this clone before it runs; `make` asks for it first.

*Errors*: `ConfigurationError` (exit 5) with the remedy, where a kill left a file of DVC's torn.
"""

from pathlib import Path

from stages.io.atomic import remove_leftovers
from stages.io.dvc_state import own_site_cache, require_whole_rwlock
from stages.runs.evidence import LOCK, read_run

ARTIFACTS = Path("artifacts")


def prepare() -> None:
    """A folder of this user's for DVC's state, and locks that are whole: DVC would say little of torn ones.

    What killed runs left beside outputs is removed.
    """
    own_site_cache()
    remove_leftovers(ARTIFACTS)
    require_whole_rwlock()
    if LOCK.exists():
        read_run(params={})
