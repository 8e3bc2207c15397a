"""`make verify`: derive the key of every stored answer again; exit 2 if one is not what its name promises."""

from stages.errors import DataContractError
from stages.outside.entry import run, say
from stages.outside.paid.answers import AnswerStore
from stages.outside.places import Folder
from stages.outside.workspace import store_root


def main() -> None:
    """Store -> a verdict on each record; nothing is changed."""
    store = AnswerStore(Folder(store_root()), None)
    damaged = list(store.damaged())
    for name, complaint in damaged:
        print(f"  {name}: {complaint}")
    if damaged:
        raise DataContractError(
            f"{len(damaged)} stored answers are damaged: the next run moves them to quarantine/ and takes the remote's "
            "copies, or says what buying them again costs."
        )
    say("verify", answers=store.size(), damaged=0)


if __name__ == "__main__":
    run(main)
