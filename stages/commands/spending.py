"""Spending: the price of the next run (`plan`), limits (`budget`) and past requests (`spend`).

`plan` prices the next run (conf/, or an applied experiment), or Hydra overrides. It needs no key and no network, except
to fetch answers of a shared remote; the workspace does not change. `budget` shows limits and the latest days.
`PER_DAY=n` sets the limit that params cannot raise; `CLOCK=right` says that this machine's clock is right and an
earlier one ran ahead. `spend` lists runs and requests; `USAGE=1` asks the vendor what it counted (one request) and
prints the difference.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from stages.commands.evidence import evidence_lines, free_forecasts_ran
from stages.configuration.compose import compose, next_params
from stages.errors import ConfigurationError, count
from stages.forecasting.answering import require_past_moves
from stages.io.clock import INTERRUPTS
from stages.io.object_store import ObjectStore
from stages.io.settings import read_params
from stages.paid.batches import one_per
from stages.paid.budget_report import SHOWN_DAYS, SHOWN_RUNS, calls_of, days_of, runs_of
from stages.paid.context import Counts
from stages.paid.ledger import RUNS, Ledger
from stages.paid.limits import amount, needed, set_standing_limit, standing_limit
from stages.paid.opening import (
    begin_here,
    ledger_anywhere,
    open_context,
    paid_params,
    store_anywhere,
    write_budget_report,
)
from stages.paid.pricing import Price, fitting, price, require_same_clock, samples_of
from stages.paid.purchase import Buyer
from stages.paid.reservations import days_begun, held
from stages.paid.units import TOKENS, Units, least, most, units_of
from stages.params.api import ApiParams
from stages.params.forecaster import COMMAND
from stages.params.model_spec import is_azure
from stages.params.study import Study
from stages.questions.question import Question
from stages.questions.schedule import asked_further, plan_questions
from stages.runs.scratch import market_of
from stages.sessions.spans import require_search_span


def plan(overrides: Sequence[str] = ()) -> None:
    """conf/ (and overrides) -> questions, hits, requests and days."""
    tell_price(compose(overrides=overrides) if overrides else next_params())


def tell_price(document: dict[str, Any]) -> None:
    """Print what a run under these params would cost, given the answers in the store."""
    study = Study.parse(document)
    with market_of(document) as market:
        schedule, questions = plan_questions(
            market, study.universe.symbols, study.requests, study.forecaster.model_spec, study.quality
        )
        horizon_min, sessions = study.requests.question_horizon_min, study.forecaster.lookback_sessions
        require_past_moves(schedule, market.usable, market.calendar, horizon_min, sessions)
        if study.forecaster.is_paid:
            require_search_span(schedule, market.calendar, study.split, study.rules.history_days)
        evidence = list(evidence_lines(study, market, schedule, questions, ran=free_forecasts_ran(document)))
        if not study.forecaster.is_paid:
            print(_free(questions, study), "", *evidence, sep="\n")
            return
        store = store_anywhere(study.api)
        found = price(questions, schedule, store, study.api.tariff, study.api.pack)
        missing = [question.key for batch in found.batches for question in batch.questions]
        require_same_clock(store, [question for question in questions if question.key in set(missing)])
        rows = schedule.filter(pl.col("key").is_in(samples_of(missing)))
        longer = fitting(store, asked_further(market, rows, study.requests, study.forecaster.model_spec))
    _tell(found, study)
    if longer:
        print(f"  {longer}")
    print("", *evidence, sep="\n")


def _free(questions: Sequence[Question], study: Study) -> str:
    text = f"plan: {count(len(questions), 'question')}, answered on this machine by {study.forecaster.maker}"
    if study.forecaster.name == COMMAND:
        stored = store_anywhere(study.api).get(question.key for question in questions)
        text += f", which has answered {len(stored)} of them"
    return f"{text}; price 0."


def _tell(price: Price, study: Study) -> None:
    ledger = ledger_anywhere(study.api)
    left, per_day = ledger.left_today(), ledger.per_day()
    low, high = price.cost(least), price.cost(most)
    print(f"plan: {count(price.questions, 'question')} to {study.forecaster.model}")
    print(f"  answered here      {price.local:>7}")
    print(f"  on the remote      {price.remote:>7}")
    print(f"  to buy             {price.missing:>7}")
    print(f"  requests           {price.requests:>7}  {one_per(price.batches, price.facts)}")
    if fewer := price.packed_requests not in {None, price.requests}:
        print(
            f"  requests, packed   {price.packed_requests:>7}  with api.pack=snapshots, after `make prove-independence`"
        )
    print(f"  largest request    {price.largest_bytes / 1e6:>7.1f}  MB at most{', not packed' * fewer}")
    print(f"  tokens             {_span(low.tokens, high.tokens):>7}")
    print(f"  money              {_money(low, high, study)}")
    print(f"  left today         {left:>7}  of {per_day} a day; {study.api.per_run} a run (api.per_run)")
    print(f"  runs needed        {_rounds(price.requests, study.api.per_run):>7}")
    for period, many in needed(ledger.used(), price.costs(most)).items():
        print(f"  {period + 's needed':<18} {'never' if many is None else many:>7}")
    for limit in ledger.others_left():
        print(f"  left               {limit}")
    if price.repeated:
        print(f"  {price.repeated} rows of the schedule are the same question as another: same rows sent, paid once.")
    if price.span and price.missing:
        first, last = price.span
        print(f"  paid already: requests.first_session='{first}' requests.last_session='{last}'")


def _span(low: int, high: int) -> str:
    return f"{high:,}" if low == high else f"{low:,} to {high:,}"


def _money(low: Units, high: Units, study: Study) -> str:
    tariff = study.api.tariff
    if tariff is None:
        return "      ?  state the prices of your contract in api.tariff"
    span = f"{high.money:.2f}" if low.money == high.money else f"{low.money:.2f} to {high.money:.2f}"
    flat = f", plus {amount(tariff.flat_per_month)} a month" * bool(tariff.flat_per_month)
    open_ = ", since api.tariff.tokens_per_value is not stated" * (low != high)
    return f"{span:>7}  {tariff.currency} without repeats{flat}{open_}"


def _rounds(requests: int, limit: int) -> str:
    return str(math.ceil(requests / limit)) if limit else ("0" if not requests else "never")


def budget(per_day: int | None = None, clock: str | None = None) -> None:
    """Ledger -> limits and days."""
    api = read_params(ApiParams)
    ledger = ledger_anywhere(api)
    if per_day is not None:
        begin_here(api)
        set_standing_limit(ledger.objects, per_day, ledger.clock)
    for day, many in (ledger.days.right_clock(ledger.run) if clock else {}).items():
        print(f"budget: {count(many, 'request')} of {day}, a day still to come, now count as today's")
    write_budget_report(ledger)

    standing = standing_limit(ledger.objects)
    print(f"budget: {ledger.left_today()} requests left today (UTC), scope {api.scope}")
    lower = "no standing limit" if standing is None else f"standing limit {standing}; the lower one applies"
    print(f"  api.per_day {api.per_day}, {lower}")
    a_minute = "null" if api.per_minute is None else api.per_minute
    print(f"  api.per_run {api.per_run}, api.cooldown_sec {api.cooldown_sec:g}, api.per_minute {a_minute}")
    for limit in ledger.others_left():
        print(f"  left: {limit}")
    for day, states in days_of(ledger.objects).items():
        others = ", ".join(f"{many} {state}" for state, many in states.items() if state != "counted")
        print(f"  {day}  {states['counted']:>5} counted  ({others})")


def spend(usage: str | None = None) -> None:
    """Ledger -> the latest runs and requests, oldest first, and their totals."""
    ledger = ledger_anywhere(read_params(ApiParams))
    if usage:
        print(_compared(_usage(), ledger))
        return
    runs, calls = runs_of(ledger.objects), calls_of(ledger.objects)
    counted = [call for call in calls if call["state"] != "refunded"]
    asked = f"{count(len(runs), 'run')}, {count(len(counted), 'request')} counted"
    print(f"spend: {asked}{_units_line(counted, ledger)}{_older(ledger.objects)}")
    for one in runs:
        print(_run_line(one))
    for call in calls:
        print(_call_line(call))


def _usage() -> dict[str, Any]:
    """The vendor's count of requests, which takes one request."""
    forecaster, api = paid_params("the vendor's count")
    if is_azure(forecaster.deployment):
        raise ConfigurationError(
            "an Azure address does not report what it counted: see the metrics in the Azure portal."
        )
    context = open_context(forecaster, api)
    with INTERRUPTS.held_back():
        usage = Buyer(context, Counts()).buy_usage()
    context.after_run()
    return usage


def _compared(usage: Mapping[str, Any], ledger: Ledger) -> str:
    """The vendor's count of the month and the ledger's. Its fields are undocumented, so any single count is taken."""
    month, by_month = ledger.days.today()[:7], usage.get("month")
    fields = by_month if isinstance(by_month, dict) else {}
    counts = [value for name, value in fields.items() if name != "limit" and type(value) is int]
    ours = sum(held(ledger.days.of(day).taken()) for day in ledger.days.in_month(month))
    if len(counts) != 1:
        return f"usage: the ledger counts {ours} requests in {month} (UTC); the vendor says {by_month} of its month."
    limit = f" of {fields['limit']}" if "limit" in fields else ""
    more = ours - counts[0]
    where = f"{abs(more)} more {'here' if more > 0 else 'there'}" if more else "the same"
    return (
        f"usage: the vendor counts {counts[0]}{limit} requests this month, the ledger {ours} in {month} (UTC): "
        f"{where}. Requests that were refused, brought no answer or asked for no forecast count here, but perhaps "
        "not there. Other ledgers and programs with the same key count only there."
    )


def _units_line(counted: list[dict[str, Any]], ledger: Ledger) -> str:
    """The tokens and money of the latest days' requests, as text."""
    known = [call for call in counted if "kind" in call]
    total = sum((units_of(call, ledger.limits.tariff) for call in known), Units())
    money = f", {amount(total.money)} {ledger.limits.currency}" if ledger.limits.tariff else ""
    damaged = len(counted) - len(known)
    return f", {total.tokens:,} tokens{money} at most" + f", without {damaged} with a damaged record" * (damaged > 0)


def _older(objects: ObjectStore) -> str:
    """Which part of the ledger is shown, if it holds more days or runs; else empty."""
    days, runs = days_begun(objects), objects.names(RUNS)
    shown = [
        f"the latest {most} of {len(every)} {name}"
        for every, most, name in ((runs, SHOWN_RUNS, "runs"), (days, SHOWN_DAYS, "days with requests"))
        if len(every) > most
    ]
    return f" ({' and '.join(shown)})" * bool(shown)


def _run_line(one: dict[str, Any]) -> str:
    if "questions" not in one:
        return "  run with a damaged record"
    hits = 100 * one["from_store"] / one["questions"] if one["questions"] else 100.0
    requests = ", ".join(f"{many} {state}" for state, many in sorted(one["calls"].items())) or "none"
    name = f"{one['ended_utc'][:19]}Z {one['run']} ({one['experiment']})"
    asked = count(one["questions"], "question")
    return f"  {name}: {asked}, {hits:.1f} % hits, {one['bought']} bought; requests: {requests}"


def _call_line(call: dict[str, Any]) -> str:
    if "kind" not in call:
        return f"    {call['reservation']}  {call['state']:<9} with a damaged record; it counts"
    span = f"{call['snapshots'][0]}" if call["snapshots"] else ""
    more = f" and {len(call['snapshots']) - 1} more" if len(call["snapshots"]) > 1 else ""
    tokens = [f"{call[name]:,} {name.replace('_', ' ')}" for name in TOKENS if call.get(name) is not None]
    sent = ", ".join([f"{call['series']} series", f"{call['rows']} rows", *tokens])
    return f"    {call['reservation']}  {call['state']:<9} {call['kind']} {span}{more}: {sent}; run {call['run']}"
