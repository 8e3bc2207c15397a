"""`make plan`: the price of the present params, or of Hydra overrides, before anything is bought.

Offline but for a shared remote, whose answers are fetched; without key; the workspace stays as it is.
"""

import math
from typing import Any

import polars as pl

from stages.configuration.compose import compose, present
from stages.errors import ConfigurationError
from stages.io.arguments import Arguments
from stages.io.terminal import run
from stages.paid.door import ledger_anywhere, store_anywhere
from stages.paid.limits import amount
from stages.paid.pricing import Price, fitting, price, require_same_clock, shorten
from stages.paid.units import Units, least, most
from stages.params.forecaster import LOCAL
from stages.params.study import Study
from stages.questions.schedule import asked_further, plan_questions
from stages.runs.scratch import market_of


def main() -> None:
    """Params (and overrides) -> questions, hits, requests and days."""
    parser = Arguments(prog="make plan", description="the price of a run in requests; buys nothing")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, like requests.history_days=[20,40]")
    overrides = parser.parse_args().overrides

    tell_price(compose(overrides=overrides) if overrides else present())


def tell_price(document: dict[str, Any] | None) -> None:
    """Print what a run under these params would cost, given what lies in the store."""
    if document is None:
        raise ConfigurationError("params.yaml is missing: `make params` composes it from conf/.")
    study = Study.parse(document)
    with market_of(document) as market:
        schedule, questions = plan_questions(
            market, study.universe.symbols, study.requests, study.forecaster.model_spec, study.quality
        )
        if study.forecaster.deployment == LOCAL:
            print(f"plan: {len(questions)} questions, answered on this machine by {study.forecaster.name}; price 0.")
            return
        store = store_anywhere(study.api)
        found = price(questions, schedule, store, study.api.tariff)
        missing = [question.key for batch in found.batches for question in batch.questions]
        require_same_clock(store, [question for question in questions if question.key in set(missing)])
        rows = schedule.filter(pl.col("key").is_in(shorten(missing)))
        longer = fitting(store, asked_further(market, rows, study.requests, study.forecaster.model_spec))
    _tell(found, study)
    if longer:
        print(f"  {longer}")


def _tell(one: Price, study: Study) -> None:
    ledger = ledger_anywhere(study.api)
    caps, left, per_day = ledger.used(), ledger.left_today(), ledger.per_day()
    low, high = one.cost(least), one.cost(most)
    print(f"plan: {one.questions} questions to {study.forecaster.model}")
    print(f"  answered here      {one.local:>7}")
    print(f"  on the remote      {one.remote:>7}")
    print(f"  to buy             {one.missing:>7}")
    print(f"  requests           {one.requests:>7}  one per snapshot" + (", one for the model's facts" * one.facts))
    print(f"  requests, packed   {one.packed_requests:>7}  with api.pack=snapshots, after `make prove-independence`")
    print(f"  largest request    {one.largest_bytes / 1e6:>7.1f}  MB at most; one per snapshot, not packed")
    print(f"  tokens             {_span(low.tokens, high.tokens):>7}")
    print(f"  money              {_money(low, high, study)}")
    print(f"  left today         {left:>7}  of {per_day} a day; {study.api.per_run} a run (api.per_run)")
    print(f"  runs needed        {_rounds(one.requests, study.api.per_run):>7}")
    for period in ("day", "month"):
        if needed := [cap.periods(used, high) for cap, used in caps if cap.period == period]:
            print(f"  {period + 's needed':<18} {_longest(needed):>7}")
    for told in ledger.others_left():
        print(f"  left               {told}")
    if one.repeated:
        print(f"  {one.repeated} rows of the schedule are the same question as another: same rows sent, paid once.")
    if one.span and one.missing:
        first, last = one.span
        print(f"  paid already: requests.first_session='{first}' requests.last_session='{last}'")


def _span(low: int, high: int) -> str:
    return f"{high:,}" if low == high else f"{low:,} to {high:,}"


def _money(low: Units, high: Units, study: Study) -> str:
    tariff = study.api.tariff
    if tariff is None:
        return "      ?  state the prices of your contract in api.tariff"
    span = f"{high.money:.2f}" if low.money == high.money else f"{low.money:.2f} to {high.money:.2f}"
    flat = f", beside {amount(tariff.flat_per_month)} a month" * bool(tariff.flat_per_month)
    open_ = ", since api.tariff.tokens_per_value is not stated" * (low != high)
    return f"{span:>7}  {tariff.currency} without repeats{flat}{open_}"


def _rounds(requests: int, limit: int) -> str:
    return str(math.ceil(requests / limit)) if limit else ("0" if not requests else "never")


def _longest(periods: list[int | None]) -> str:
    known = [count for count in periods if count is not None]
    return str(max(known)) if len(known) == len(periods) else "never"


if __name__ == "__main__":
    run(main)
