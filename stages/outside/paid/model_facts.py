"""What the service says of its model, bought once and kept beside the answers.

The facts decide how much history the SDK really sends, so they are part of what is asked and must stand in params
before any question is written: a question may depend on params, never on what a store happens to hold.
A service that does not say them (Azure, some that are self-hosted) is asked once; then what params say is taken.
*Errors*: `ConfigurationError` (exit 5) naming the values to set.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from stages.errors import ConfigurationError
from stages.forecasting.params import ForecasterParams, is_azure
from stages.outside.paid.answers import AnswerStore
from stages.outside.paid.notes import read_note, write_note
from stages.outside.paid.seller import FactsUntold, ModelFacts
from stages.requests.question import FREQ, Question
from stages.requests.respondent import Respondent


def facts_of(asked: Question | Respondent, store: AnswerStore, buy: Callable[[str], ModelFacts]) -> ModelFacts | str:
    """What the service says of a model, or why it does not; asked at most once per model, epoch and deployment."""
    name = path_of_facts(asked)
    facts = read_note(store, name, parse_facts)
    if facts is None:
        store.local.require_writable([name])
        facts = _asked(asked.model, buy)
        document = {"untold": facts} if isinstance(facts, str) else asdict(facts)
        write_note(store, name, json.dumps(document, sort_keys=True).encode() + b"\n", parse_facts)
    return facts


def demand_agreement(
    forecaster: ForecasterParams, question: Question, store: AnswerStore, buy: Callable[[str], ModelFacts]
) -> None:
    """Params must say what the service says."""
    stated = (forecaster.input_size, forecaster.model_horizon)
    if is_azure(question.deployment):  # where params must state them
        return
    facts = facts_of(question, store, buy)
    if isinstance(facts, str) and None not in stated:
        return
    facts = told_facts(question, facts)
    if stated != (facts.input_size, facts.horizon):
        raise ConfigurationError(
            f"forecaster.input_size and forecaster.model_horizon are {stated[0]} and {stated[1]}, but the service says "
            f"input_size: {facts.input_size} and model_horizon: {facts.horizon} of {question.model}: they decide which "
            "rows are sent, hence the keys. `make learn-model` writes them into conf/. Nothing else was bought."
        )


def parse_facts(content: bytes) -> ModelFacts | str:
    """The facts, or why the service does not tell them; `ValueError` and the like when the note is damaged."""
    document: dict[str, Any] = json.loads(content)
    if "untold" in document:
        return str(document["untold"])
    facts = ModelFacts(**document)
    if not all(type(value) is int and value > 0 for value in (facts.input_size, facts.horizon)):
        raise ValueError(f"input_size {facts.input_size!r} and horizon {facts.horizon!r} are no positive numbers")
    return facts


def told_facts(asked: Question | Respondent, facts: ModelFacts | str) -> ModelFacts:
    """The facts, where the service tells them."""
    if isinstance(facts, ModelFacts):
        return facts
    raise ConfigurationError(
        f"{asked.deployment} does not tell the numbers of {asked.model} ({facts.rstrip('.')}): correct "
        "forecaster.model or forecaster.base_url, or set forecaster.input_size and forecaster.model_horizon by "
        "hand; they only decide how many rows are sent (3 * input_size + model_horizon). It is not asked again."
    )


def _asked(model: str, buy: Callable[[str], ModelFacts]) -> ModelFacts | str:
    try:
        return buy(model)
    except FactsUntold as untold:
        return str(untold)


def path_of_facts(asked: Question | Respondent) -> str:
    """Where the facts of a model lie."""
    return f"models/{identity(asked)}.json"


def identity(asked: Question | Respondent) -> str:
    """A short name for a model, its epoch, its deployment and the frequency it is asked in."""
    named = (asked.deployment, asked.model, asked.model_epoch, FREQ)
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]
