"""`make models`: the models that your key may use, by name; one request, counted."""

from stages.commands.learn_model import bought_study
from stages.io.arguments import Arguments
from stages.io.clock import INTERRUPTS
from stages.io.terminal import run
from stages.paid.context import Counts
from stages.paid.door import open_context, require_online
from stages.paid.purchase import Buyer


def main() -> None:
    """The deployment that conf/ names -> names of its models."""
    parser = Arguments(prog="make models", description="the models that your key may use")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, like api=online")
    study, _ = bought_study(parser.parse_args().overrides)
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


if __name__ == "__main__":
    run(main)
