"""The model behind the service. Each command needs api.mode online, and each request is counted.

`learn-model` asks for the model's input size and horizon and writes them into conf/: they decide how many rows are
sent, and so the keys, and must be known before any question is asked. Nothing is asked if they are stored already. If
conf/ chooses a local forecaster, they go into `conf/forecaster/timegpt.yaml`. `models` lists the models of your key.
`prove-independence` asks one question alone and in a batch, with two requests at most: equal answers allow `api.pack`
for questions of the same kind. `canary` buys one stored question again, alone; the stored answer stays.

*Errors*: `GateNotMet` (exit 3) when the answers differ.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from stages.configuration.compose import compose, present, refuse_to_discard
from stages.configuration.edit_conf import COMMIT, state, write_choice
from stages.errors import ConfigurationError, GateNotMet
from stages.forecasting.backend import Asked
from stages.io.clock import INTERRUPTS
from stages.io.questions import read_questions
from stages.io.terminal import say
from stages.paid.backend import PaidBackend
from stages.paid.batch_invariance import TOLERANCE, candidates_among
from stages.paid.client import ModelFacts
from stages.paid.context import Counts
from stages.paid.model_facts import facts_of, require_facts
from stages.paid.opening import open_context, paid_params, require_online
from stages.paid.purchase import Buyer
from stages.params.study import Study
from stages.runs.evidence import require_evidence
from stages.runs.scratch import market_of

BOUGHT = "timegpt"


def learn_model(overrides: Sequence[str] = ()) -> None:
    """The model that conf/ names -> its input size and horizon in conf/, and in params.yaml if it is in use."""
    if other := [one for one in overrides if not one.startswith("api")]:
        raise ConfigurationError(
            f"SET {other} is not an override of section api: the numbers are written for the model that conf/ names. "
            "For another model, change forecaster.model in conf/."
        )
    study, is_active = bought_study(overrides)
    if is_active:
        refuse_to_discard()
    facts = _facts(study)
    values = {"input_size": facts.input_size, "model_horizon": facts.horizon}
    numbers = ", ".join(f"forecaster.{name}: {value}" for name, value in values.items())
    if values == {name: getattr(study.forecaster, name) for name in values}:
        print(f"learn-model: conf/ already says {numbers} of {study.forecaster.model}.")
        return
    changed = state({"forecaster": values}) if is_active else [write_choice("forecaster", BOUGHT, values)]
    files = " ".join(map(str, changed))
    print(f"learn-model: {study.forecaster.model} has {numbers} -> {files}")
    print(f"Next: `make plan`, then run again, and `{COMMIT} 'Facts of the model'`.")


def bought_study(overrides: Sequence[str]) -> tuple[Study, bool]:
    """The study of conf/, with `timegpt` if its own forecaster is local; and whether its own is a paid one."""
    is_active = compose()["forecaster"]["base_url"] is not None
    chosen = is_active or any(one.startswith("forecaster=") for one in overrides)
    return Study.parse(compose(overrides=[*([] if chosen else [f"forecaster={BOUGHT}"]), *overrides])), is_active


def _facts(study: Study) -> ModelFacts:
    context = open_context(study.forecaster, study.api)

    def buy(model: str) -> ModelFacts:
        require_online(study.api)
        return Buyer(context, Counts()).buy_facts(model)

    with INTERRUPTS.held_back():
        facts = facts_of(study.forecaster.model_spec, context.store, buy)
    context.after_run()
    return require_facts(study.forecaster.model_spec, facts)


def models(overrides: Sequence[str] = ()) -> None:
    """The deployment that conf/ names -> names of its models."""
    study, _ = bought_study(overrides)
    require_online(study.api)
    context = open_context(study.forecaster, study.api)
    with INTERRUPTS.held_back():
        names, stated = Buyer(context, Counts()).buy_models(), study.forecaster.model
    context.after_run()
    print(f"models: {len(names)} at {study.forecaster.deployment} for this key")
    for name in names:
        print(f"  {name}" + "  (forecaster.model)" * (name == stated))
    if stated not in names:
        print(f"  forecaster.model {stated} is not among them: name one in conf/forecaster.")


REQUESTS = Path("artifacts/build_requests/requests")


def prove_independence() -> None:
    """Some questions of the present run -> a recorded proof."""
    forecaster, api = paid_params("a proof")
    require_evidence("build_requests")
    with market_of(present() or {}) as market:
        chosen = [Asked(one, partial(market.window, one)) for one in candidates_among(read_questions(REQUESTS))]
        backend = PaidBackend(open_context(forecaster, api))
        independent = backend.prove_independence(chosen)
    if not independent:
        raise GateNotMet(
            "a question was answered differently in a batch than alone, or the model changed since its answer was "
            "bought (`make canary` asks it): api.pack must stay none; see `make spend`."
        )
    say("prove-independence", model=forecaster.model, epoch=forecaster.model_epoch, **backend.took)


def canary() -> None:
    """A stored question of the present run -> whether it is answered as before."""
    forecaster, api = paid_params("a canary")
    require_evidence("build_requests")
    with market_of(present() or {}) as market:
        asked = [Asked(one, partial(market.window, one)) for one in read_questions(REQUESTS)]
        again = PaidBackend(open_context(forecaster, api)).ask_canary(asked)
    question, model, epoch = again.question, forecaster.model, forecaster.model_epoch
    about = f"{question.place} (key {question.key[:8]})"
    apart = f"{again.difference:.2g} of the answer's range apart, {TOLERANCE:g} allowed"
    if again.is_as_before:
        print(f"canary: {model} (epoch {epoch}) answers {about} as before: {apart}")
        return
    if again.others:
        raise GateNotMet(
            f"{model} answers {about} alone differently ({apart}) than before, with {again.others} other series in "
            "its request: the model changed under its name, or a batch changes answers. Under a new epoch "
            f"(forecaster.model_epoch='{_next(epoch)}', then `dvc repro build_requests`) `make prove-independence` "
            "asks one question both ways: equal answers mean that the model changed."
        )
    raise GateNotMet(
        f"{model} now answers {about} differently ({apart}): the model changed under its name. Stored answers stay; "
        f"new ones belong to a new epoch: forecaster.model_epoch='{_next(epoch)}' asks every question anew."
    )


def _next(epoch: str) -> str:
    """The next epoch: the present month, or the present day if that month is the epoch already."""
    today = datetime.now(UTC)
    month = f"{today:%Y-%m}"
    return month if month != epoch else f"{today:%Y-%m-%d}"
