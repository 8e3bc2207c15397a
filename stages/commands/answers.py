"""Stored answers: whether they are sound, what was asked, and what to do if one is wrong or the store has moved.

`verify` reads every answer, here and on the remote. It moves rescued answers into the store and mends damaged records
of the remote that have a sound copy here. `drop` moves a record to `quarantine/` and notes it in `dropped/`, so that
this record is ignored wherever it turns up. `release` lets a key be bought again after a refusal, a late answer or a
killed run. `show-request` rebuilds the rows of a question from the bars and checks them. `adopt-store` moves answers
and ledger into DVC's present cache; `new-store` continues with the store in it, as another study.

*Errors*: `DataContractError` (exit 2) for a damaged answer; `ConfigurationError` (exit 5) for a key or store that is
not known.
"""

import json
from pathlib import Path
from typing import Any

import polars as pl

from stages.configuration.compose import present
from stages.errors import ConfigurationError, DataContractError
from stages.io.object_store import LocalStore
from stages.io.questions import read_questions
from stages.io.settings import read_params
from stages.io.terminal import say
from stages.io.workspace import store_root
from stages.paid.answer_store import AnswerStore
from stages.paid.checks import forget_refused, release_late
from stages.paid.locks import Attempts
from stages.paid.moving import move_store, store_in
from stages.paid.opening import begin_here, ledger_anywhere, store_anywhere
from stages.paid.records import Record
from stages.paid.store_identity import LEDGER, known_elsewhere, known_stores
from stages.params.api import ApiParams
from stages.questions.question import Question
from stages.questions.window import UNITS_PER_BP, Window
from stages.runs.evidence import require_evidence
from stages.runs.scratch import market_of


def verify() -> None:
    """Store and remote -> a verdict on each record."""
    store = store_anywhere(read_params(ApiParams))
    store.restore_rescued()
    damaged = list(store.damaged())
    for name, complaint in damaged:
        print(f"  {name}: {complaint}")
    if damaged:
        raise DataContractError(
            f"{len(damaged)} stored answers are damaged: the next run that needs them moves them to quarantine/ and "
            "takes the remote's copies, or says what buying them again costs."
        )
    if lost := list(store.mend_remote()):
        raise DataContractError(
            f"{len(lost)} answers on the remote are damaged, and this clone has no sound copy (the first: "
            f"{lost[0]}). `make verify` in a clone that has one mends them; otherwise the next run that needs them "
            "says what buying them costs."
        )
    say("verify", answers=store.size(), damaged=0)


def drop(key: str, *, yes: bool = False) -> None:
    """Print the question, when it was paid and for how much; with `--yes`, drop its answer."""
    api = read_params(ApiParams)
    store = store_anywhere(api)
    record = store.get([key]).get(key)
    if record is None:
        raise ConfigurationError(f"no answer is stored under the key {key}: there is nothing to throw away.")
    print(f"drop: {_described(record)}")
    if not yes:
        costs = "runs the program" if record.is_computed else "costs a request"
        print(f"  nothing was dropped: `make drop KEY={key} ARGS=--yes` does it; asking again {costs}.")
        return
    attempts = Attempts(ledger_anywhere(api).objects, "drop", api.max_attempts)
    if attempts.latest(key).number >= 0:  # first, since a remote may refuse it
        attempts.release(key)
    store.drop(key)
    kind = "" if record.is_computed else "online "
    print(
        f"  dropped: it lies in quarantine/ and is not used; the next {kind}run of its stage asks its question again.\n"
        "  Where a run used it already: `dvc repro -sf forecast` (forecast_free for a free candidate), then `make run`."
    )
    if store.remote is not None:
        print(
            f"  {store.remote.address} keeps the old record until the new answer takes its place; another clone that "
            "has a copy uses it until `make drop` runs there too."
        )


def _described(record: Record) -> str:
    question: dict[str, Any] = json.loads(record.question)
    tokens = "input tokens unknown" if record.input_tokens is None else f"{record.input_tokens:,} input tokens"
    values = [value for level in record.values_bp for value in level]
    bought = f"paid {record.paid_utc[:19]}Z with request {record.call}, which carried {record.series_in_call} series "
    made = f"computed {record.paid_utc[:19]}Z" if record.is_computed else f"{bought}({tokens} in all)"
    return (
        f"{question['symbol']} at {question['snapshot_utc']}, {question['rows']} rows, {question['horizon_min']} "
        f"minutes ahead, by {question['model']} at {question['deployment']}\n  {made}\n  its values: "
        f"{min(values):.6g} to {max(values):.6g} bp"
    )


def release(key: str) -> None:
    """Forget a key's refusal and late answers and end its attempts, with those of its request.

    The ledger does not change.
    """
    api = read_params(ApiParams)
    objects = ledger_anywhere(api).objects
    refused, late = forget_refused(objects, key), release_late(objects, key)
    held = Attempts(objects, "release", api.max_attempts).release(key)
    freed = {*refused, *late, *held}
    if not freed:
        raise ConfigurationError(
            f"the key {key} is not held back, so there is nothing to release: `make plan` shows what a run would buy."
        )
    others = f" and {len(freed) - 1} more of the same request" if len(freed) > 1 else ""
    print(f"release: {key}{others} may be bought again; it may have been paid before, see `make spend`.")


REQUESTS = Path("artifacts/build_requests/requests")


def show_request(key: str) -> None:
    """Key (or its first digits) -> question and rows as CSV."""
    require_evidence("build_requests")
    found = [question for question in read_questions(REQUESTS) if question.key.startswith(key)]
    if len(found) != 1:
        raise ConfigurationError(f"{len(found)} questions of {REQUESTS} have a key that starts with {key!r}: name one.")
    question = found[0]
    with market_of(present() or {}) as market:
        window = market.window(question)
    print(f"{question.key}  {question.canonical().decode().strip()}")
    print(_rows(question, window).write_csv(datetime_format="%Y-%m-%dT%H:%MZ"), end="")


def _rows(question: Question, window: Window) -> pl.DataFrame:
    names = (*question.hist_exog, *question.futr_exog)
    return pl.DataFrame(
        {
            "ts": pl.from_epoch(pl.Series(window.ts_us), time_unit="us"),
            "minute": window.minute,
            "return_bp": window.returns / UNITS_PER_BP,
            "y_bp": window.y_bp,
            **{name: window.hist_exog[:, column] for column, name in enumerate(names)},
        }
    )


def adopt_store(cache: Path | None = None) -> None:
    """Move the known store, or that of `cache`, into DVC's present cache."""
    here = LocalStore(store_root())
    old = store_in(cache) if cache else _known(here)
    move_store(old, here)
    print(f"adopt-store: answers and ledger of {old.root} are here now; that folder may be deleted.")
    _begin(here, read_params(ApiParams))


def new_store() -> None:
    """Continue with the store in DVC's present cache, as another study."""
    print("new-store: this repository continues with what DVC's cache holds now, and counts requests there.")
    api = read_params(ApiParams)
    if known_stores(LEDGER):  # an experiment may set api.scope where params do not
        api = api.model_copy(update={"scope": "remote"})
    _begin(LocalStore(store_root()), api)


def _begin(here: LocalStore, api: ApiParams) -> None:
    begin_here(api)
    print(f"  {here.root}: {AnswerStore(here, None).size()} answers")


def _known(here: LocalStore) -> LocalStore:
    there = known_elsewhere(here)
    if len(there) == 1:
        return there[0]
    names = ", ".join(str(store.root.parent) for store in there) or "none"
    raise ConfigurationError(
        f"this repository knows several other stores ({names}): name one with `make adopt-store FROM=CACHE`."
    )
