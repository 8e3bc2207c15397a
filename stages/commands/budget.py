"""`make budget`: limits and what the latest days spent; `PER_DAY=n` sets the limit that params cannot raise.

`CLOCK=right` says that this machine's clock is right and an earlier one ran ahead.
"""

from stages.io.arguments import Arguments, whole_number
from stages.io.settings import read_params
from stages.io.terminal import run
from stages.paid.budget_report import days_of
from stages.paid.door import begin_here, ledger_anywhere, write_budget_report
from stages.paid.limits import set_standing_limit, standing_limit
from stages.params.forecaster import ApiParams


def main() -> None:
    """Ledger -> limits and days."""
    parser = Arguments(prog="make budget", description="limits, and requests a day")
    parser.add_argument("per_day", nargs="?", type=whole_number(0), help="new standing limit of requests a UTC day")
    parser.add_argument("--clock", choices=["right"], help="count requests of days that lie ahead of the clock today")
    asked = parser.parse_args()
    per_day = asked.per_day
    api = read_params(ApiParams)
    ledger = ledger_anywhere(api)
    if per_day is not None:
        begin_here(api)
        set_standing_limit(ledger.objects, per_day, ledger.clock)
    for day, count in (ledger.days.right_clock(ledger.run) if asked.clock else {}).items():
        print(f"budget: {count} requests of {day}, which has not come, count today")
    write_budget_report(ledger)

    standing = standing_limit(ledger.objects)
    print(f"budget: {ledger.left_today()} requests left today (UTC), scope {api.scope}")
    print(f"  api.per_day {api.per_day}, standing limit {standing}; the lower one holds")
    print(f"  api.per_run {api.per_run}, api.cooldown_sec {api.cooldown_sec:g}, api.per_minute {api.per_minute}")
    for told in ledger.others_left():
        print(f"  left: {told}")
    for day, states in days_of(ledger.objects).items():
        told = ", ".join(f"{count} {state}" for state, count in states.items() if state != "counted")
        print(f"  {day}  {states['counted']:>5} counted  ({told})")


if __name__ == "__main__":
    run(main)
