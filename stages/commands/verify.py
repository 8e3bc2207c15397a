"""`make verify`: is every answer, here and on the remote, what its name promises? Exit 2 if one is not.

Rescued answers come home; what is damaged on the remote and sound here is mended there. Local records are only read.
"""

from stages.errors import DataContractError
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.paid.door import store_anywhere
from stages.params.forecaster import ApiParams


def main() -> None:
    """Store and remote -> a verdict on each record."""
    store = store_anywhere(read_params(ApiParams))
    store.bring_home()
    damaged = list(store.damaged())
    for name, complaint in damaged:
        print(f"  {name}: {complaint}")
    if damaged:
        raise DataContractError(
            f"{len(damaged)} stored answers are damaged: the next run moves them to quarantine/ and takes the remote's "
            "copies, or says what buying them again costs."
        )
    if lost := list(store.mend_remote()):
        raise DataContractError(
            f"{len(lost)} answers of the remote are damaged and lie sound nowhere here, the first {lost[0]}: `make "
            "verify` mends them in a clone that has them, or the next run says what buying them again costs."
        )
    say("verify", answers=store.size(), damaged=0)


if __name__ == "__main__":
    run(main)
