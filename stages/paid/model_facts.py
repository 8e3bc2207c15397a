"""Model facts: what the service says about its model, kept as a note in the answer store.

The facts (input size and horizon) decide how many rows the SDK sends, so they are part of the question and must be in
params before any question is written. A service that does not give them (Azure, some self-hosted ones) is asked once;
after that the values in params are used. Notes are small files that are shared like answers; the proof of batch
invariance is one too.

*Errors*: `ConfigurationError` (exit 5) naming the values to set. Damage raises nothing: a damaged note is reported on
stderr, counts as missing, and is replaced by the next sound one.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeVar

from stages.errors import ConfigurationError, PipelineError
from stages.io.object_store import ObjectStore
from stages.io.terminal import print_to_stderr
from stages.paid.answer_store import AnswerStore
from stages.paid.client import FactsMissing, ModelFacts
from stages.params.forecaster import ForecasterParams
from stages.params.model_spec import ModelSpec, is_azure
from stages.questions.question import FREQ, Question

# What parsing a damaged note raises.
NOT_SOUND = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)
T = TypeVar("T")


def read_note(store: AnswerStore, name: str, parse: Callable[[bytes], T]) -> T | None:
    """The note as `parse` returns it; the remote's copy if there is no sound local one."""
    here = store.local.read(name)
    if here is not None and (note := _parsed("the note", name, here, parse)) is not None:
        return note
    there = store.shared.read([name]).get(name)
    note = _parsed("the remote's copy of the note", name, there, parse) if there is not None else None
    if here is not None and there is not None and note is not None:
        with suppress(PipelineError):  # a read-only store
            store.local.replace(name, there)
    return note


def write_note(store: AnswerStore, name: str, content: bytes, parse: Callable[[bytes], object]) -> None:
    """Keep a note and share it. The first sound one stays."""
    _create_or_mend(store.local, name, content, parse)
    store.shared.try_write(lambda objects: _create_or_mend(objects, name, content, parse), None)


def _parsed(where: str, name: str, content: bytes, parse: Callable[[bytes], T]) -> T | None:
    try:
        return parse(content)
    except NOT_SOUND as error:
        damage = f"{where} {name} is damaged ({type(error).__name__}: {error}): it is not used and counts as missing; "
        print_to_stderr(f"{damage}the next sound one takes its place.")
        return None


def _create_or_mend(objects: ObjectStore, name: str, content: bytes, parse: Callable[[bytes], object]) -> None:
    """Write the note if there is none, or only a damaged one."""
    if objects.create(name, content):
        return
    there = objects.read(name) or b""
    try:
        parse(there)
    except NOT_SOUND:
        objects.swap(name, there, content)


def facts_of(asked: Question | ModelSpec, store: AnswerStore, buy: Callable[[str], ModelFacts]) -> ModelFacts | str:
    """A model's facts, or why the service does not give them; asked once per model, epoch and deployment."""
    name = path_of_facts(asked)
    facts = read_note(store, name, parse_facts)
    if facts is None:
        store.local.require_writable([name])
        facts = _asked(asked.model, buy)
        document = {"untold": facts} if isinstance(facts, str) else asdict(facts)
        write_note(store, name, json.dumps(document, sort_keys=True).encode() + b"\n", parse_facts)
    return facts


def require_agreement(
    forecaster: ForecasterParams, question: Question, store: AnswerStore, buy: Callable[[str], ModelFacts]
) -> None:
    """*Errors*: `ConfigurationError` if params differ from what the service says, or lack what it does not say."""
    stated = (forecaster.input_size, forecaster.model_horizon)
    if is_azure(question.deployment):  # params must state them
        return
    facts = facts_of(question, store, buy)
    if isinstance(facts, str) and None not in stated:
        return
    facts = require_facts(question, facts)
    if stated != (facts.input_size, facts.horizon):
        raise ConfigurationError(
            f"forecaster.input_size and forecaster.model_horizon are {stated[0]} and {stated[1]}, but the service says "
            f"input_size: {facts.input_size} and model_horizon: {facts.horizon} for {question.model}. They decide "
            "which rows are sent, and so the keys. Run `make learn-model` to write them into conf/. Nothing else was "
            "bought."
        )


def parse_facts(content: bytes) -> ModelFacts | str:
    """The facts, or why the service does not give them; raises `ValueError` and the like when the note is damaged."""
    document: dict[str, Any] = json.loads(content)
    if "untold" in document:
        return str(document["untold"])
    facts = ModelFacts(**document)
    if not all(type(value) is int and value > 0 for value in (facts.input_size, facts.horizon)):
        raise ValueError(f"input_size {facts.input_size!r} and horizon {facts.horizon!r} are not positive numbers")
    return facts


def require_facts(asked: Question | ModelSpec, facts: ModelFacts | str) -> ModelFacts:
    """The facts. *Errors*: `ConfigurationError` where the service does not give them."""
    if isinstance(facts, ModelFacts):
        return facts
    raise ConfigurationError(
        f"{asked.deployment} does not give the numbers of {asked.model} ({facts.rstrip('.')}): correct "
        "forecaster.model or forecaster.base_url, or set forecaster.input_size and forecaster.model_horizon yourself. "
        "They only decide how many rows are sent (3 * input_size + model_horizon). The service is not asked again."
    )


def _asked(model: str, buy: Callable[[str], ModelFacts]) -> ModelFacts | str:
    try:
        return buy(model)
    except FactsMissing as missing:
        return str(missing)


def path_of_facts(asked: Question | ModelSpec) -> str:
    """Path of the facts of a model."""
    return f"models/{identity(asked)}.json"


def identity(asked: Question | ModelSpec) -> str:
    """A short name for a model, its epoch, its deployment and its frequency."""
    named = (asked.deployment, asked.model, asked.model_epoch, FREQ)
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]
