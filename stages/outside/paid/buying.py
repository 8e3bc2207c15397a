"""Answers that cost money: from the store when they are there, else bought.

*Errors*: `BudgetStop` (exit 4) offline with missing answers or at a limit; `ConfigurationError` (exit 5) while params
do not say what the service says of its model; what `purchase` raises.
"""

import sys
from collections.abc import Mapping, Sequence

from stages.errors import BudgetStop, ConfigurationError, PipelineError
from stages.forecasting.backend import Answer, Asked
from stages.outside.paid.batches import Batch, packed, per_snapshot
from stages.outside.paid.claims import claim
from stages.outside.paid.independence import demand_proof, path_of_proof
from stages.outside.paid.model_facts import demand_agreement
from stages.outside.paid.precautions import demand_finite, demand_not_refused, demand_sendable
from stages.outside.paid.purchase import Buyer
from stages.outside.paid.records import Record
from stages.outside.paid.shop import Shop, Tally
from stages.outside.progress import progress
from stages.requests.question import Question

POLL_SEC = 1.0


class PaidBackend:
    """The Backend that buys. Raises rather than return part of the answers."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.tally = Tally()
        self.buyer = Buyer(shop, self.tally)

    def answer(self, asked: Sequence[Asked]) -> Mapping[str, Answer]:
        """One answer per question, by key."""
        keys = {one.question.key: one for one in asked}
        self.tally.questions = len(keys)
        self.shop.store.share_again()
        records = self.shop.store.get(sorted(keys))
        self.tally.from_store = len(records)
        missing = [one for key, one in keys.items() if key not in records]
        try:
            if missing:
                records |= self._all_bought(per_snapshot(missing))
        finally:
            self._record_run()
        return {key: records[key].answer() for key in sorted(keys)}

    @property
    def took(self) -> Mapping[str, object]:
        """Requests that count, and how many of the questions lay in the store."""
        tally = self.tally
        hits = 100 * tally.from_store / max(tally.questions, 1)
        return {"calls": tally.calls.total() - tally.calls["refunded"], "bought": tally.bought, "hits": f"{hits:.1f}%"}

    def _all_bought(self, batches: list[Batch]) -> dict[str, Record]:
        if self.shop.api.mode == "offline":
            raise BudgetStop(self._offline(batches))
        first = batches[0].questions[0]
        if self.shop.api.pack == "snapshots":
            demand_proof(self.shop.store, first)
            batches = packed(batches)
        demand_sendable(batches, self.shop.forecaster)
        demand_agreement(self.shop.forecaster, first, self.shop.store, self.buyer.buy_facts)
        records: dict[str, Record] = {}
        for number, batch in enumerate(progress(batches, "buying")):
            try:
                with claim(self.shop.store.local.root / "claims", batch.snapshots):
                    records |= self._bought(batch)
            except BudgetStop as stop:
                raise BudgetStop(self._left_over(stop, batches[number:])) from stop
        questions = [question for batch in batches for question in batch.questions]
        return records | self._bought_elsewhere([one for one in questions if one.key not in records])

    def prove_independence(self, asked: Sequence[Asked]) -> bool:
        """Whether the service answers each of these questions for itself; two requests, both counted."""
        batch = packed(per_snapshot(asked))[0]
        if len(batch.asked) < 2:
            raise ConfigurationError("one question has no company: a proof of independence needs two or more.")
        demand_sendable([batch], self.shop.forecaster)
        self.shop.store.local.require_writable([path_of_proof(batch.questions[0])])
        demand_agreement(self.shop.forecaster, batch.questions[0], self.shop.store, self.buyer.buy_facts)
        try:
            with claim(self.shop.store.local.root / "claims", batch.snapshots):
                return self.buyer.prove_independence(demand_finite(batch))
        finally:
            self.tally.questions = len(batch.asked)
            self._record_run()

    def _bought(self, batch: Batch) -> dict[str, Record]:
        """The batch's answers; what another run bought meanwhile is taken from the store."""
        records = self.shop.store.get([question.key for question in batch.questions])
        rest = Batch(tuple(one for one in batch.asked if one.question.key not in records))
        if rest.asked:
            demand_not_refused(self.shop.store.local, rest)
            records |= self.buyer.buy(demand_finite(rest))
        return records

    def _bought_elsewhere(self, questions: list[Question]) -> dict[str, Record]:
        """Answers that another machine was buying: waited for, at most `api.timeout_sec`."""
        waited, records = 0.0, self.shop.store.get([one.key for one in questions])
        while len(records) < len(questions) and waited < self.shop.api.timeout_sec:
            self.shop.clock.wait(POLL_SEC)
            waited += POLL_SEC
            records |= self.shop.store.get([one.key for one in questions if one.key not in records])
        if missing := [one.key for one in questions if one.key not in records]:
            holder = self.shop.attempts.holder(missing[0]) if self.shop.attempts else "nobody"
            raise BudgetStop(
                f"{len(missing)} questions are held by other machines and unanswered (the first by run {holder}): "
                "run again later; if that buyer died or api.max_attempts is reached, `make spend` shows what was paid "
                f"and `make release KEY={missing[0]}` lets the key be bought again."
            )
        return records

    def _offline(self, batches: list[Batch]) -> str:
        missing = sum(len(batch.asked) for batch in batches)
        first = batches[0].questions[0]
        return (
            f"{missing} of {self.tally.questions} questions have no stored answer (the first: {first.symbol} at "
            f"{first.snapshot_utc:%Y-%m-%d %H:%MZ}) and api.mode offline buys nothing. They would cost {len(batches)} "
            "requests at one per snapshot: see `make plan`, then choose api=online, or narrow requests.first_session "
            "and requests.last_session."
        )

    def _left_over(self, stop: BudgetStop, batches: list[Batch]) -> str:
        left, calls = sum(len(batch.asked) for batch in batches), len(batches)
        per_run, per_day = self.shop.api.per_run, self.shop.ledger.in_force
        return (
            f"{str(stop).rstrip('.')}. Stopped before the next request; {self.tally.bought} answers were bought and "
            f"kept in this run. Left: {left} questions in {calls} requests; runs needed: {_rounds(calls, per_run)} "
            f"(api.per_run {per_run}), days: {_rounds(calls, per_day)} ({per_day} a day). The next run goes on there."
        )

    def _record_run(self) -> None:
        facts = {
            "questions": self.tally.questions,
            "from_store": self.tally.from_store,
            "bought": self.tally.bought,
            "from_remote": self.shop.store.hits_remote,
            "calls": dict(self.tally.calls),
        }
        try:
            self.shop.ledger.record_run(facts)
            self.shop.after_run()
        except (OSError, PipelineError) as error:
            print(f"the run could not be noted in the ledger ({error})", file=sys.stderr, flush=True)


def _rounds(calls: int, limit: int) -> str:
    return str(-(-calls // limit)) if limit else "never enough"
