"""`make spend`: what was bought, run by run and request by request, and how much came from the store."""

from typing import Any

from stages.forecasting.params import ApiParams
from stages.outside.entry import run
from stages.outside.paid.backends import ledger_anywhere
from stages.outside.paid.ledger_face import calls_of, runs_of
from stages.outside.settings import read_params


def main() -> None:
    """Ledger -> runs and requests, oldest first."""
    ledger = ledger_anywhere(read_params(ApiParams))
    runs, calls = runs_of(ledger.place), calls_of(ledger.place)
    print(f"spend: {len(runs)} runs, {sum(call['state'] != 'refunded' for call in calls)} requests counted")
    for one in runs:
        print(_run_line(one))
    for call in calls:
        print(_call_line(call))


def _run_line(one: dict[str, Any]) -> str:
    if "questions" not in one:
        return "  run with a damaged record"
    hits = 100 * one["from_store"] / one["questions"] if one["questions"] else 100.0
    told = ", ".join(f"{count} {state}" for state, count in sorted(one["calls"].items())) or "none"
    name = f"{one['ended_utc'][:19]}Z {one['run']} ({one['experiment']})"
    return f"  {name}: {one['questions']} questions, {hits:.1f} % hits, {one['bought']} bought; requests: {told}"


def _call_line(call: dict[str, Any]) -> str:
    if "kind" not in call:
        return f"    {call['seat']}  {call['state']:<9} with a damaged record; it counts"
    span = f"{call['snapshots'][0]}" if call["snapshots"] else ""
    more = f" and {len(call['snapshots']) - 1} more" if len(call["snapshots"]) > 1 else ""
    tokens = f", {call['input_tokens']} tokens" if call.get("input_tokens") is not None else ""
    sent = f"{call['series']} series, {call['rows']} rows{tokens}"
    return f"    {call['seat']}  {call['state']:<9} {call['kind']} {span}{more}: {sent}; run {call['run']}"


if __name__ == "__main__":
    run(main)
