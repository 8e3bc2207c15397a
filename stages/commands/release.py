"""`make release KEY=...`: let a key be bought again that a refusal, a late answer or a dead buyer holds back."""

from stages.errors import ConfigurationError
from stages.io.arguments import KEY_DIGITS, Arguments, key_digits
from stages.io.settings import read_params
from stages.io.terminal import run
from stages.paid.checks import forget_refused, release_late
from stages.paid.door import ledger_anywhere
from stages.paid.identity import known_store
from stages.paid.locks import Attempts
from stages.params.forecaster import ApiParams


def main() -> None:
    """Forget a key's refusal and late answers and end its attempts, with those of its request.

    What was counted stays counted.
    """
    parser = Arguments(prog="make release", description="let a key be bought again")
    parser.add_argument("key", type=key_digits(KEY_DIGITS), help="the key, whole")
    key = parser.parse_args().key
    api = read_params(ApiParams)
    objects = ledger_anywhere(api).objects
    refused = forget_refused(known_store(), key)
    held = Attempts(objects, "release", api.max_attempts).release(key)
    freed = {*refused, *held}
    if not release_late(objects, key) and not freed:
        raise ConfigurationError(f"nothing holds back the key {key}: `make plan` tells what a run would buy.")
    others = f" and {len(freed) - 1} more of the same request" if len(freed) > 1 else ""
    print(f"release: {key}{others} may be bought again; it may have been paid before, see `make spend`.")


if __name__ == "__main__":
    run(main)
