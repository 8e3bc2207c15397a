"""`make whitelist`: let exactly those symbols trade whose cell of the stated strategy is eligible.

Choosing symbols on the span that the sweep uses is itself a choice: commit it, and it counts like any other.
"""

from pathlib import Path
from typing import Any

from stages.calibration.params import CalibrationMethod
from stages.errors import GateNotMet
from stages.outside.adoption import state
from stages.outside.entry import run
from stages.outside.files import read_json
from stages.outside.settings import read_params
from stages.rules.params import RulesParams
from stages.universe.params import UniverseParams

GATES = Path("artifacts/score_forecasts/forecast_gates.json")


def main() -> None:
    """forecast_gates.json -> universe.whitelist in conf/ and params.yaml."""
    universe = read_params(UniverseParams)
    rules = read_params(RulesParams)
    method = read_params(CalibrationMethod).method

    eligible = eligible_symbols(read_json(GATES)["cells"], rules, method)
    proposed = [symbol for symbol in universe.symbols if symbol in eligible]
    if not proposed:
        raise GateNotMet(
            f"{GATES} finds no eligible cell with rules.history_days = {rules.history_days}, each symbol's horizon "
            f"and calibration.method = {method}: universe.whitelist stays {list(universe.whitelist)}."
        )
    if proposed == list(universe.whitelist):
        print(f"whitelist: conf/ says {proposed} already.")
        return
    files = " ".join(str(path) for path in state({"universe": {"whitelist": proposed}}))
    print(f"whitelist: universe.whitelist = {proposed} (was {list(universe.whitelist)}) -> {files}")
    print(f"Next: `make run`, then `git commit -m 'Whitelist ...' {files} params.yaml dvc.lock`.")


def eligible_symbols(cells: list[dict[str, Any]], rules: RulesParams, method: str) -> set[str]:
    """Symbols whose cell of the strategy's history, horizon and method is eligible."""
    return {
        cell["symbol"]
        for cell in cells
        if cell["eligible"]
        and cell["method"] == method
        and cell["history_days"] == rules.history_days
        and cell["horizon_min"] == rules.horizon_min_by_symbol.get(cell["symbol"], rules.horizon_min)
    }


if __name__ == "__main__":
    run(main)
