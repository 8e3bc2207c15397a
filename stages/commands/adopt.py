"""`make adopt`: keep what was found: an applied experiment as it is, or else the proposal of the sweep.

`make adopt ARGS=calibration` takes the other proposal, that of the calibration tournament in `score_forecasts`.
"""

from pathlib import Path
from typing import Any

from stages.configuration.compose import applied_experiment, compose, differences, present, refuse_to_discard, told
from stages.configuration.edit_conf import keep, state
from stages.errors import ConfigurationError, GateNotMet
from stages.io.arguments import Arguments
from stages.io.files import read_json
from stages.io.terminal import run
from stages.runs.evidence import require_evidence

PROPOSALS = {
    "rule": Path("artifacts/sweep/proposal.json"),
    "calibration": Path("artifacts/score_forecasts/calibration_proposal.json"),
}


def main() -> None:
    """An applied experiment or a proposal -> conf/ and params.yaml."""
    parser = Arguments(prog="make adopt", description="keep an experiment, or what was proposed")
    parser.add_argument("what", nargs="?", choices=list(PROPOSALS), help="which proposal (without an experiment: rule)")
    what = parser.parse_args().what

    before = compose()
    if what:
        refuse_to_discard()
    changed = keep(present() or {}) if applied_experiment() else state(_proposed(before, PROPOSALS[what or "rule"]))
    if adopted := differences(present() or {}, before):
        files = " ".join(map(str, changed))
        print(f"adopt: {told(adopted, 'was')} -> {files}")
        print(f"Next: `make run`, then `git commit -m 'Adopt ...' {files} params.yaml dvc.lock`.")
    else:
        print("adopt: conf/ says so already.")


def _proposed(conf: dict[str, Any], path: Path) -> dict[str, Any]:
    if edited := differences(conf, present() or {}):
        raise ConfigurationError(f"conf/ was edited since the last run: {told(edited, 'then')}. `make run` first.")
    require_evidence(path.parent.name)
    proposal = read_json(path)
    if proposal["params"] is None:
        raise GateNotMet(f"{path} proposes nothing: {proposal['why']}")
    return dict(proposal["params"])


if __name__ == "__main__":
    run(main)
