"""`make use PRESET=x`: make a preset the standing choice, so that later `-S` overrides stay on its market."""

from stages.configuration.compose import compose, refuse_to_discard, write_params
from stages.configuration.edit_conf import all_or_nothing, choices_of, choose
from stages.fetching.listing import listing_path
from stages.io.arguments import Arguments
from stages.io.terminal import run
from stages.params.study import Study


def main() -> None:
    """A preset's name -> conf/config.yaml and params.yaml."""
    parser = Arguments(prog="make use", description="make a preset the standing choice")
    parser.add_argument("preset", metavar="PRESET", help=f"one of {', '.join(choices_of('preset'))}")
    preset = parser.parse_args().preset

    refuse_to_discard()
    with all_or_nothing():
        path = choose("preset", preset)
        document = compose()
        study = Study.parse(document)
    write_params(document)
    following = "`make run`" if listing_path(study.source).exists() else "`make refresh`, which lists the source"
    print(f"{path}: preset {preset} now stands, study {study.report.study!r}. Next: {following}.")


if __name__ == "__main__":
    run(main)
