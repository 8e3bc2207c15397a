"""`make models`: the models that your key may use, by name; one request, counted."""

from stages.commands.learn_model import bought_study
from stages.outside.arguments import Arguments
from stages.outside.entry import run
from stages.outside.interrupts import INTERRUPTS
from stages.outside.paid.backends import demand_online, open_shop
from stages.outside.paid.purchase import Buyer
from stages.outside.paid.shop import Tally


def main() -> None:
    """The deployment that conf/ names -> names of its models."""
    parser = Arguments(prog="make models", description="the models that your key may use")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, like api=online")
    study, _ = bought_study(parser.parse_args().overrides)
    demand_online(study.api)
    shop = open_shop(study.forecaster, study.api)
    with INTERRUPTS.held_back():
        names, stated = Buyer(shop, Tally()).buy_models(), study.forecaster.model
    shop.after_run()
    print(f"models: {len(names)} at {study.forecaster.deployment} for this key")
    for name in names:
        print(f"  {name}" + "  (forecaster.model)" * (name == stated))
    if stated not in names:
        print(f"  forecaster.model {stated} is not among them: name one in conf/forecaster.")


if __name__ == "__main__":
    run(main)
