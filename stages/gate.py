"""The verdict of the last run as a short table; exit code 3 unless it is good enough.

Seeing a verdict counts as a trial, so what the run judged is logged first, also where DVC restored the run from its
run cache.

No stage of the graph fails because a gate is not met, since DVC would not record a failed stage. This command exits
instead.
"""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stages.errors import GateNotMet
from stages.io.files import read_json
from stages.io.terminal import run, show
from stages.runs.evidence import require_evidence
from stages.runs.past_runs import log_present_run
from stages.runs.trial_log import looks_at
from stages.trading.holdout import NOT_BEGUN
from stages.worth.gates_compared import many_looks, why_gates_differ
from stages.worth.verdict_lines import card

GATES = Path("artifacts/evaluate/gates.json")
WORTH = Path("artifacts/judge_worth/worth.json")
PAGE = Path("artifacts/report/index.html")


def main() -> None:
    """gates.json -> a table, and the exit code."""
    require_evidence("evaluate", "judge_worth")
    log_present_run()
    document = read_json(GATES)

    Console(highlight=False).print(_table(document))
    print()
    show((f"{name}: {gate['words']}" for name, gate in document["gates"].items()), indent="  ")
    worth = read_json(WORTH)
    print()
    looked = many_looks(looks_at(worth["study_id"]), worth["planned_sessions"])
    show((*card(worth), why_gates_differ(worth, document["verdict"]), looked))
    print()

    if not document["holds"]:
        verdict = stops = document["verdict"]
        if verdict == "INCONCLUSIVE" and document.get("inconclusive") == "warn":
            verdict, stops = f"{verdict}, and nothing is judged out of sample", "SEALED"
        made = [name for name, gate in document["gates"].items() if gate["required"] and gate["verdict"] == stops]
        if stops == "SEALED":
            words = document["gates"][made[0]]["words"]
            opens = "" if words == NOT_BEGUN else " `make open-holdout` opens it; the opening is recorded."
            raise GateNotMet(f"the verdict is {verdict}: {', '.join(made)}. {words}{opens} The page is {PAGE}.")
        raise GateNotMet(
            f"the verdict is {verdict}: {', '.join(made)}. The text of each gate says why. The page is {PAGE}."
        )
    print(f"gate: {document['verdict']}. The page is {PAGE}.")


def _table(document: dict[str, Any]) -> Table:
    table = Table("gate", "verdict", "value", "threshold", "n", "days", box=None, pad_edge=False)
    for name, gate in document["gates"].items():
        figures = [_short(gate[key]) for key in ("value", "threshold", "n", "n_days")]
        table.add_row(name, gate["verdict"], *figures)
    return table


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    run(main)
