"""`make release KEY=...`: let a key be bought again that a refusal, a late answer or a dead buyer holds back."""

from stages.errors import ConfigurationError
from stages.forecasting.params import ApiParams
from stages.outside.arguments import KEY_DIGITS, Arguments, key_digits
from stages.outside.entry import run
from stages.outside.paid.backends import ledger_anywhere
from stages.outside.paid.claims import Attempts
from stages.outside.paid.late import release_late
from stages.outside.places import Folder
from stages.outside.settings import read_params
from stages.outside.workspace import store_root


def main() -> None:
    """Forget a key's refusal and late answers and end its open attempt; what was counted stays counted."""
    parser = Arguments(prog="make release", description="let a key be bought again")
    parser.add_argument("key", type=key_digits(KEY_DIGITS), help="the key, whole")
    key = parser.parse_args().key
    api = read_params(ApiParams)
    local = Folder(store_root())
    refusal = local.at(f"refused/{key}.txt")
    was_refused = refusal.exists()
    refusal.unlink(missing_ok=True)
    place = ledger_anywhere(api).place
    was_late = release_late(place, key) > 0
    attempts = Attempts(place, "release", api.max_attempts)
    was_held = attempts.latest(key).number >= 0
    if was_held:
        attempts.release(key)
    if not (was_refused or was_late or was_held):
        raise ConfigurationError(f"nothing holds back the key {key}: `make plan` tells what a run would buy.")
    print(f"release: {key} may be bought again; it may have been paid before, see `make spend`.")


if __name__ == "__main__":
    run(main)
