"""`make params`: compose conf/ into params.yaml and check that the run it describes is possible.

`--check` (the first step of `make run`) composes too, but refuses when that would throw an applied experiment away, or
when nothing lists the source yet; `--unlisted` allows that. `--listed=PRESET` asks it of a preset that does not stand.
"""

from pathlib import Path

from stages.configuration.compose import applied_experiment, compose, refuse_to_discard, told, write_params
from stages.errors import DataContractError
from stages.fetching.listing import listing_path, read_listing
from stages.io.arguments import Arguments
from stages.io.terminal import run
from stages.params.study import Study
from stages.runs.evidence import LOCK, Findings, read_run

ARTIFACTS = Path("artifacts")


def main() -> None:
    """conf/ -> params.yaml."""
    parser = Arguments(prog="make params", description="compose conf/ into params.yaml")
    parser.add_argument("--check", action="store_true", help="refuse to discard an applied experiment")
    parser.add_argument("--unlisted", action="store_true", help="the source may not be listed yet")
    parser.add_argument("--listed", metavar="PRESET", help="only ask whether a preset's source is listed")
    asked = parser.parse_args()
    if asked.listed is not None:
        require_listed(asked.listed)
    else:
        write(check=asked.check, unlisted=asked.unlisted)


def write(*, check: bool, unlisted: bool) -> None:
    """Compose conf/ into params.yaml, unless that would lose something."""
    document = compose()
    study = Study.parse(document)
    if check:
        refuse_to_discard()
    elif discarded := applied_experiment():
        print(f"params: discarded {told(discarded)}")
    write_params(document)
    ran = read_run() if LOCK.exists() else None  # dvc would say nothing of a torn lock
    if unlisted:
        return
    if check:
        read_listing(study.source)  # nor more than that a file is missing
    elif ran and ARTIFACTS.exists() and (other := ran.other_params(ran.stages)):
        print(f"params: {Findings(params=other).told}. Next: `make run`.")


def require_listed(preset: str) -> None:
    """*Errors*: `DataContractError` if nothing lists the source of a preset: dvc would only say that a file lacks."""
    listing = listing_path(Study.parse(compose(overrides=[f"preset={preset}"])).source)
    if not listing.exists():
        raise DataContractError(
            f"{listing} is missing: `make use PRESET={preset}` and `make refresh` list the source of that preset."
        )


if __name__ == "__main__":
    run(main)
