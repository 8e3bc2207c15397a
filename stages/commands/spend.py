"""`make spend`: what was bought, run by run and request by request, and how much came from the store.

`USAGE=1` asks the vendor what it counted this month (one request, counted) and names the difference.
"""

from collections.abc import Mapping
from typing import Any

from stages.errors import ConfigurationError
from stages.io.arguments import Arguments
from stages.io.clock import INTERRUPTS
from stages.io.settings import read_params
from stages.io.terminal import run
from stages.paid.budget_report import calls_of, runs_of
from stages.paid.context import Counts
from stages.paid.door import ledger_anywhere, open_context, paid_params
from stages.paid.ledger import Ledger
from stages.paid.limits import amount
from stages.paid.purchase import Buyer
from stages.paid.reservations import held
from stages.paid.units import TOKENS, Units, units_of
from stages.params.forecaster import ApiParams, is_azure


def main() -> None:
    """Ledger -> runs and requests, oldest first, and what they count together."""
    parser = Arguments(prog="make spend", description="runs and requests, oldest first")
    parser.add_argument("--usage", choices=["1"], help="ask the vendor what it counted; one request")
    asked = parser.parse_args()
    ledger = ledger_anywhere(read_params(ApiParams))
    if asked.usage:
        print(_compared(_usage(), ledger))
        return
    runs, calls = runs_of(ledger.objects), calls_of(ledger.objects)
    counted = [call for call in calls if call["state"] != "refunded"]
    print(f"spend: {len(runs)} runs, {len(counted)} requests counted{_units_line(counted, ledger)}")
    for one in runs:
        print(_run_line(one))
    for call in calls:
        print(_call_line(call))


def _usage() -> dict[str, Any]:
    """What the vendor says, bought."""
    forecaster, api = paid_params("the vendor's count")
    if is_azure(forecaster.deployment):
        raise ConfigurationError("an Azure address does not tell what it counted: see the portal's own metrics.")
    context = open_context(forecaster, api)
    with INTERRUPTS.held_back():
        usage = Buyer(context, Counts()).buy_usage()
    context.after_run()
    return usage


def _compared(usage: Mapping[str, Any], ledger: Ledger) -> str:
    """The vendor's month beside the ledger's. The names of its fields are documented nowhere, so any count will do."""
    month, told = ledger.days.today()[:7], usage.get("month")
    fields = told if isinstance(told, dict) else {}
    counts = [value for name, value in fields.items() if name != "limit" and type(value) is int]
    rows = [ledger.days.of(day) for day in ledger.days.begun() if day.startswith(month)]
    ours = sum(held(row.taken()) for row in rows)
    if len(counts) != 1:
        return f"usage: the ledger counts {ours} requests in {month} (UTC); the vendor says {told} of its month."
    limit = f" of {fields['limit']}" if "limit" in fields else ""
    more = ours - counts[0]
    where = f"{abs(more)} more {'here' if more > 0 else 'there'}" if more else "the same"
    return (
        f"usage: the vendor counts {counts[0]}{limit} requests this month, the ledger {ours} in {month} (UTC): {where}."
        " Requests that were refused, brought no answer or asked for no forecast count here and may not there; other "
        "ledgers and programs under the same key count there alone."
    )


def _units_line(counted: list[dict[str, Any]], ledger: Ledger) -> str:
    """What the requests of the latest days count together."""
    total = sum((units_of(call, ledger.limits.tariff) for call in counted if "kind" in call), Units())
    money = f", {amount(total.money)} {ledger.limits.currency}" if ledger.limits.tariff else ""
    return f", {total.tokens:,} tokens{money} at most"


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
    told = [f"{call[name]:,} {name.replace('_', ' ')}" for name in TOKENS if call.get(name) is not None]
    sent = ", ".join([f"{call['series']} series", f"{call['rows']} rows", *told])
    return f"    {call['seat']}  {call['state']:<9} {call['kind']} {span}{more}: {sent}; run {call['run']}"


if __name__ == "__main__":
    run(main)
