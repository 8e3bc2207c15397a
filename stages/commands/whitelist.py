"""`make whitelist`: let exactly those symbols trade whose cell of the stated strategy is eligible.

Choosing symbols on the span that the sweep searches is itself a choice: commit it, and look at it as one.
"""

from dataclasses import replace
from pathlib import Path

from stages.configuration.compose import compose, refuse_to_discard
from stages.configuration.edit_conf import state
from stages.errors import GateNotMet
from stages.io.files import read_json
from stages.io.terminal import run
from stages.params.study import Study
from stages.runs.evidence import require_evidence
from stages.trading.identity import stated_strategy
from stages.trading.strategy import eligible_cells

GATES = Path("artifacts/score_forecasts/forecast_gates.json")


def main() -> None:
    """forecast_gates.json -> universe.whitelist in conf/ and params.yaml."""
    refuse_to_discard()
    document = compose()
    require_evidence("score_forecasts", params=document)
    study = Study.parse(document)

    before, proposed = list(study.universe.whitelist), _proposed(study)
    if proposed == before:
        print(f"whitelist: conf/ says {before} already.")
        return
    files = " ".join(map(str, state({"universe": {"whitelist": proposed}})))

    print(f"whitelist: universe.whitelist = {proposed} (was: {before}) -> {files}")
    print(f"Next: `make run`, then `git commit -m 'Whitelist ...' {files} params.yaml dvc.lock`.")


def _proposed(study: Study) -> list[str]:
    """The symbols that could trade if all were whitelisted, in the order of the universe."""
    stated = stated_strategy(study, eligible_cells(read_json(GATES)))
    everyone = replace(stated, whitelist=study.universe.symbols)
    proposed = [symbol for symbol in study.universe.symbols if everyone.may_trade(symbol)]
    if not proposed:
        raise GateNotMet(
            f"{GATES} finds no symbol eligible with rules.history_days = {study.rules.history_days}, "
            f"rules.horizon_min = {study.rules.horizon_min} and calibration.method = {study.calibration.method}: "
            f"universe.whitelist stays {list(study.universe.whitelist)}. State a strategy whose cells passed."
        )
    return proposed


if __name__ == "__main__":
    run(main)
