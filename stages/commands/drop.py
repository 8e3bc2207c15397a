"""`make drop KEY=...`: throw one stored answer away, so that its question is bought again; says first what that is.

The record is moved to `quarantine/`, never deleted, and a note in `dropped/` makes the store ignore exactly that record
wherever it turns up again, on a shared remote too.
"""

import json
from typing import Any

from stages.errors import ConfigurationError
from stages.io.arguments import KEY_DIGITS, Arguments, key_digits
from stages.io.settings import read_params
from stages.io.terminal import run
from stages.paid.door import ledger_anywhere, store_anywhere
from stages.paid.locks import Attempts
from stages.paid.records import Record
from stages.params.forecaster import ApiParams


def main() -> None:
    """Tell the question, when it was paid and for how much; with `--yes`, drop its answer."""
    parser = Arguments(prog="make drop", description="throw a stored answer away")
    parser.add_argument("key", type=key_digits(KEY_DIGITS), help="the key, whole")
    parser.add_argument("--yes", action="store_true", help="do it, not only say what would be thrown away")
    asked = parser.parse_args()
    api = read_params(ApiParams)
    store = store_anywhere(api)
    record = store.get([asked.key]).get(asked.key)
    if record is None:
        raise ConfigurationError(f"no answer is stored under the key {asked.key}: there is nothing to throw away.")
    print(f"drop: {_told(record)}")
    if not asked.yes:
        print(f"  nothing was dropped: `make drop KEY={asked.key} ARGS=--yes` does it; asking again costs a request.")
        return
    store.drop(asked.key)
    attempts = Attempts(ledger_anywhere(api).objects, "drop", api.max_attempts)
    if attempts.latest(asked.key).number >= 0:
        attempts.release(asked.key)
    print("  dropped: it lies in quarantine/ and is not used; the next online run asks its question again.")
    if store.remote is not None:
        print(
            f"  {store.remote.address} keeps the old record until the new answer takes its place; another clone that "
            "has a copy uses it until it says `make drop` too."
        )


def _told(record: Record) -> str:
    question: dict[str, Any] = json.loads(record.question)
    tokens = "tokens unknown" if record.input_tokens is None else f"{record.input_tokens} tokens"
    values = [value for level in record.values_bp for value in level]
    return (
        f"{question['symbol']} at {question['snapshot_utc']}, {question['rows']} rows, {question['horizon_min']} "
        f"minutes ahead, by {question['model']} at {question['deployment']}\n"
        f"  paid {record.paid_utc[:19]}Z with request {record.call}, which carried {record.series_in_call} series "
        f"({tokens} in all)\n"
        f"  it says {min(values):.6g} to {max(values):.6g} bp"
    )


if __name__ == "__main__":
    run(main)
