"""What the service says of its model, bought once and kept beside the answers.

The facts decide how much history the SDK really sends, so they are part of what is asked and must stand in params
before any question is written: a question may depend on params, never on what a store happens to hold.
*Errors*: `ConfigurationError` (exit 5) naming the values to set.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict

from stages.errors import ConfigurationError
from stages.forecasting.params import ForecasterParams
from stages.outside.paid.answers import AnswerStore
from stages.outside.paid.seller import ModelFacts
from stages.requests.question import FREQ, Question
from stages.requests.respondent import Respondent


def facts_of(asked: Question | Respondent, store: AnswerStore, buy: Callable[[str], ModelFacts]) -> ModelFacts:
    """What the service says of a model; asked at most once per model, epoch and deployment."""
    name = path_of_facts(asked)
    content = store.read_note(name)
    if content is not None:
        return ModelFacts(**json.loads(content))
    facts = buy(asked.model)
    store.write_note(name, json.dumps(asdict(facts), sort_keys=True).encode() + b"\n")
    return facts


def demand_agreement(
    forecaster: ForecasterParams, question: Question, store: AnswerStore, buy: Callable[[str], ModelFacts]
) -> None:
    """Params must say what the service says."""
    facts = facts_of(question, store, buy)
    stated = (forecaster.input_size, forecaster.model_horizon)
    if stated != (facts.input_size, facts.horizon):
        raise ConfigurationError(
            f"forecaster.input_size and forecaster.model_horizon are {stated[0]} and {stated[1]}, but the service says "
            f"input_size: {facts.input_size} and model_horizon: {facts.horizon} of {question.model}: they decide which "
            "rows are sent, hence the keys. `make learn-model` writes them into conf/. Nothing else was bought."
        )


def path_of_facts(asked: Question | Respondent) -> str:
    """Where the facts of a model lie."""
    return f"models/{identity(asked)}.json"


def identity(asked: Question | Respondent) -> str:
    """A short name for a model, its epoch, its deployment and the frequency it is asked in."""
    named = (asked.deployment, asked.model, asked.model_epoch, FREQ)
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]
