"""`make adopt-store` and `make new-store`: go on after DVC's cache was moved, wiped, or not shared with a worktree.

The first brings answers and ledger into the present cache, from where this repository knows them or from `FROM=`, the
cache that DVC used before. The second goes on with what lies here, as another study.
"""

from pathlib import Path

from stages.errors import ConfigurationError
from stages.io.arguments import Arguments
from stages.io.object_store import LocalStore
from stages.io.settings import read_params
from stages.io.terminal import run
from stages.io.workspace import store_root
from stages.paid.answer_store import AnswerStore
from stages.paid.door import begin_here
from stages.paid.identity import LEDGER, known_elsewhere, known_stores
from stages.paid.moving import move_store, store_in
from stages.params.forecaster import ApiParams


def main() -> None:
    """Move the known store here, or begin with what is here."""
    parser = Arguments(prog="make adopt-store, make new-store", description="which store is this repository's")
    parser.add_argument("verb", choices=["adopt", "new"])
    parser.add_argument("--from", dest="cache", type=Path, help="the cache that DVC used before")
    arguments = parser.parse_args()
    here = LocalStore(store_root())
    if arguments.verb == "adopt":
        old = store_in(arguments.cache) if arguments.cache else _known(here)
        move_store(old, here)
        print(f"adopt-store: answers and ledger of {old.root} lie here now; that folder may be deleted.")
    else:
        print("new-store: this repository goes on with what lies here, and counts requests from there.")
    api = read_params(ApiParams)
    if arguments.verb == "new" and known_stores(LEDGER):  # an experiment may set api.scope where params do not
        api = api.model_copy(update={"scope": "remote"})
    begin_here(api)
    print(f"  {here.root}: {AnswerStore(here, None).size()} answers")


def _known(here: LocalStore) -> LocalStore:
    there = known_elsewhere(here)
    if len(there) == 1:
        return there[0]
    names = ", ".join(str(store.root.parent) for store in there) or "none"
    raise ConfigurationError(
        f"the stores that this repository knows elsewhere are in {names}: say which, `make adopt-store FROM=CACHE`."
    )


if __name__ == "__main__":
    run(main)
