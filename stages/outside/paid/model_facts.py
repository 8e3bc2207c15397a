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
from stages.requests.question import Question


def demand_agreement(
    forecaster: ForecasterParams, question: Question, store: AnswerStore, buy: Callable[[Question], ModelFacts]
) -> None:
    """Params must say what the service says; asked at most once per model, epoch and deployment."""
    name = path_of_facts(question)
    content = store.read_note(name)
    if content is None:
        store.local.require_writable([name])
        facts = buy(question)
        store.write_note(name, json.dumps(asdict(facts), sort_keys=True).encode() + b"\n")
    else:
        facts = ModelFacts(**json.loads(content))
    stated = (forecaster.input_size, forecaster.model_horizon)
    if stated != (facts.input_size, facts.horizon):
        raise ConfigurationError(
            f"forecaster.input_size and forecaster.model_horizon are {stated[0]} and {stated[1]}, but the service says "
            f"input_size: {facts.input_size} and model_horizon: {facts.horizon} of {question.model}; set them in "
            "conf/forecaster (they decide which rows are sent, hence the keys) and run again. Nothing else was bought."
        )


def path_of_facts(question: Question) -> str:
    """Where the facts of a question's model lie."""
    return f"models/{identity(question)}.json"


def identity(question: Question) -> str:
    """A short name for a model, its epoch, its deployment and the frequency it is asked in."""
    named = (question.deployment, question.model, question.model_epoch, question.freq)
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]
