"""`make learn-model`: ask the service for the model's own numbers and write them into conf/.

They decide how many rows the SDK sends, hence the keys, so they must stand in params before any question is asked. One
request, counted; none where they are known already, in this store or on the remote. Where conf/ stands on a local
forecaster, the numbers go into `conf/forecaster/timegpt.yaml`, for `forecaster=timegpt`.
"""

from collections.abc import Sequence

from stages.configuration.compose import compose, refuse_to_discard
from stages.configuration.edit_conf import put_into, state
from stages.errors import ConfigurationError
from stages.io.arguments import Arguments
from stages.io.clock import INTERRUPTS
from stages.io.terminal import run
from stages.paid.client import ModelFacts
from stages.paid.context import Counts
from stages.paid.door import open_context, require_online
from stages.paid.model_facts import facts_of, told_facts
from stages.paid.purchase import Buyer
from stages.params.study import Study

BOUGHT = "timegpt"


def main() -> None:
    """The model that conf/ names -> its input size and horizon in conf/ (and in params.yaml, where it stands)."""
    parser = Arguments(prog="make learn-model", description="write the model's own numbers into conf/")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides of section api, like api=online")
    overrides = parser.parse_args().overrides
    if other := [one for one in overrides if not one.startswith("api")]:
        raise ConfigurationError(
            f"SET {other} is no override of section api: the numbers are written beside the model that conf/ names, so "
            "name another one there."
        )
    study, stands = bought_study(overrides)
    if stands:
        refuse_to_discard()
    facts = _facts(study)
    values = {"input_size": facts.input_size, "model_horizon": facts.horizon}
    told = ", ".join(f"forecaster.{name}: {value}" for name, value in values.items())
    if values == {name: getattr(study.forecaster, name) for name in values}:
        print(f"learn-model: conf/ says {told} of {study.forecaster.model} already.")
        return
    changed = state({"forecaster": values}) if stands else [put_into("forecaster", BOUGHT, values)]
    files = " ".join(map(str, changed))
    print(f"learn-model: {study.forecaster.model} has {told} -> {files}")
    print(f"Next: `make plan`, then run again, and `git commit -m 'Facts of the model' {files}`.")


def bought_study(overrides: Sequence[str]) -> tuple[Study, bool]:
    """The study of conf/ with a forecaster that is bought, `timegpt` if it stands on a local one; whether it stands."""
    stands = compose()["forecaster"]["base_url"] is not None
    chosen = stands or any(one.startswith("forecaster=") for one in overrides)
    return Study.parse(compose(overrides=[*([] if chosen else [f"forecaster={BOUGHT}"]), *overrides])), stands


def _facts(study: Study) -> ModelFacts:
    context = open_context(study.forecaster, study.api)

    def buy(model: str) -> ModelFacts:
        require_online(study.api)
        return Buyer(context, Counts()).buy_facts(model)

    with INTERRUPTS.held_back():
        facts = facts_of(study.forecaster.model_spec, context.store, buy)
    context.after_run()
    return told_facts(study.forecaster.model_spec, facts)


if __name__ == "__main__":
    run(main)
