"""`make adopt`: keep what was found: an applied experiment as it is, or else the proposal of the sweep."""

from pathlib import Path
from typing import Any

from stages.errors import ConfigurationError, GateNotMet
from stages.outside.adoption import keep, state
from stages.outside.composition import applied_experiment, compose, differences, present, told
from stages.outside.entry import run
from stages.outside.files import read_json

PROPOSAL = Path("artifacts/sweep/proposal.json")


def main() -> None:
    """An applied experiment or proposal.json -> conf/ and params.yaml."""
    before = compose()
    changed = keep(present() or {}) if applied_experiment() else state(_proposed(before))
    if adopted := differences(present() or {}, before):
        files = " ".join(map(str, changed))
        print(f"adopt: {told(adopted, 'was')} -> {files}")
        print(f"Next: `make run`, then `git commit -m 'Adopt ...' {files} params.yaml dvc.lock`.")
    else:
        print("adopt: conf/ says so already.")


def _proposed(conf: dict[str, Any]) -> dict[str, Any]:
    if edited := differences(conf, present() or {}):
        raise ConfigurationError(f"conf/ was edited since the last run: {told(edited, 'then')}. `make run` first.")
    proposal = read_json(PROPOSAL)
    if proposal["params"] is None:
        raise GateNotMet(f"{PROPOSAL} proposes nothing: {proposal['why']}")
    return dict(proposal["params"])


if __name__ == "__main__":
    run(main)
