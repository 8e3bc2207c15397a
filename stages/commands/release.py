"""`make release KEY=...`: let a key be bought again that a refusal or a dead buyer on another machine holds back."""

from stages.errors import ConfigurationError
from stages.forecasting.params import ApiParams
from stages.outside.arguments import Arguments
from stages.outside.entry import run
from stages.outside.paid.backends import ledger_anywhere
from stages.outside.paid.claims import Attempts
from stages.outside.paid.identity import known_store
from stages.outside.settings import read_params


def main() -> None:
    """Forget the refusal of a key and end its open attempt; what was counted stays counted."""
    parser = Arguments(prog="make release", description="let a key be bought again")
    parser.add_argument("key")
    key = parser.parse_args().key
    api = read_params(ApiParams)
    local = known_store()
    refusal = local.root / "refused" / f"{key}.txt"
    was_refused = refusal.exists()
    refusal.unlink(missing_ok=True)
    attempts = Attempts(ledger_anywhere(api).place, "release", api.max_attempts)
    was_held = attempts.latest(key).number >= 0
    if was_held:
        attempts.release(key)
    if not (was_refused or was_held):
        raise ConfigurationError(f"nothing holds back the key {key}: `make plan` tells what a run would buy.")
    print(f"release: {key} may be bought again; it may have been paid before, see `make spend`.")


if __name__ == "__main__":
    run(main)
