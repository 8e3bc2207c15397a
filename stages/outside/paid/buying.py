"""Answers that cost money: from the store when they are there, else bought.

*Errors*: `BudgetStop` (exit 4) offline with missing answers or at a limit; `ConfigurationError` (exit 5) while params
do not say what the service says of its model; what `purchase` raises.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from stages.errors import BudgetStop, ConfigurationError, Interrupted, PipelineError
from stages.forecasting.backend import Answer, Asked
from stages.outside.interrupts import INTERRUPTS
from stages.outside.paid.batches import Batch, packed, per_snapshot
from stages.outside.paid.claims import claim
from stages.outside.paid.independence import demand_proof, path_of_proof, proof_of
from stages.outside.paid.late import demand_not_late
from stages.outside.paid.limits import amount
from stages.outside.paid.model_facts import demand_agreement
from stages.outside.paid.precautions import demand_not_refused, demand_sendable
from stages.outside.paid.proving import ask_again, canary_of, prove
from stages.outside.paid.purchase import Buyer
from stages.outside.paid.records import Record
from stages.outside.paid.shop import Shop, Tally
from stages.outside.paid.stored_elsewhere import demand_same_clock, fitting, further_ahead
from stages.outside.paid.units import most
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
        if missing:
            with self._recorded():
                records |= self._all_bought(per_snapshot(missing))
        else:
            self._record_run()
        return {key: records[key].answer() for key in sorted(keys)}

    @property
    def took(self) -> Mapping[str, object]:
        """Requests that count, and how many of the questions lay in the store."""
        tally = self.tally
        hits = 100 * tally.from_store / max(tally.questions, 1)
        return {"calls": tally.calls.total() - tally.calls["refunded"], "bought": tally.bought, "hits": f"{hits:.1f}%"}

    def _all_bought(self, batches: list[Batch]) -> dict[str, Record]:
        demand_same_clock(self.shop.store, [question for batch in batches for question in batch.questions])
        if self.shop.api.mode == "offline":
            raise BudgetStop(self._offline(batches))
        first = batches[0].questions[0]
        if self.shop.api.pack == "snapshots":
            demand_proof(self.shop.store, first)
            batches = packed(batches)
        demand_sendable(batches, self.shop.forecaster)
        self._warn_of_other_machines()
        self._demand_facts(first)
        records: dict[str, Record] = {}
        elsewhere: list[Batch] = []
        for number, batch in enumerate(progress(batches, "buying")):
            try:
                records |= self._bought(batch)
            except BudgetStop as stop:
                raise BudgetStop(self._left_over(stop, batches[number:])) from stop
            if (rest := batch.without(records)).asked:
                elsewhere.append(rest)
        return records | self._bought_elsewhere(elsewhere)

    def prove_independence(self, asked: Sequence[Asked]) -> bool:
        """Whether the service answers each of these questions for itself; asked of it once, within the budget."""
        candidates = packed(per_snapshot(asked))[0]
        if len(candidates.asked) < 2:
            raise ConfigurationError("one question has no company: a proof of independence needs two or more.")
        first = candidates.questions[0]
        if (proof := proof_of(self.shop.store, first)) is not None:
            told = f"{first.model} (epoch {first.model_epoch}) was asked before; nothing is sent"
            print(f"{told}: see {path_of_proof(first)} in the answer store.", file=sys.stderr, flush=True)
            return bool(proof["independent"])
        demand_sendable([candidates], self.shop.forecaster)
        self.shop.store.local.require_writable([path_of_proof(first)])
        self.tally.questions = len(candidates.asked)
        with self._recorded():
            self._demand_facts(first)
            with self._claimed(candidates):
                return prove(self.buyer, candidates)

    def ask_canary(self, asked: Sequence[Asked]) -> tuple[Question, bool, float]:
        """A question that has a stored answer, whether the service answers it as before, and the difference."""
        stored = self.shop.store.get(sorted(one.question.key for one in asked))
        batch = canary_of(asked, stored)
        costs = most(batch.questions, self.shop.api.tariff)
        money = f", {amount(costs.money)} {self.shop.api.tariff.currency}" if self.shop.api.tariff else ""
        print(f"A canary costs 1 request, at most {costs.tokens:,} tokens{money}.", file=sys.stderr, flush=True)
        demand_sendable([batch], self.shop.forecaster)
        self.tally.questions = 1
        with self._recorded():
            self._demand_facts(batch.questions[0])
            with self._claimed(batch):
                return batch.questions[0], *ask_again(self.buyer, batch, stored)

    def _bought(self, batch: Batch, *, whole: bool = True) -> dict[str, Record]:
        """The batch's answers; what another run bought meanwhile is taken from the store."""
        with self._claimed(batch):
            records = self.shop.store.get([question.key for question in batch.questions])
            rest = batch.without(records)
            if rest.asked:
                demand_not_refused(self.shop.store.local, rest)
                demand_not_late(self.shop.ledger.place, rest, self.shop.api.timeout_sec)
                records |= self.buyer.buy(rest, whole=whole)
        return records

    def _bought_elsewhere(self, batches: list[Batch]) -> dict[str, Record]:
        """What other machines were buying: waited for, at most `api.timeout_sec`, and bought if they let go of it.

        In the end, questions that still are held leave their snapshot's others alone.
        """
        waited, records = 0.0, dict[str, Record]()
        while batches:
            last = waited >= self.shop.api.timeout_sec or not self._may_be_answered(batches)
            for batch in batches:
                records |= self._bought(batch, whole=not last)
            batches = [rest for batch in batches if (rest := batch.without(records)).asked]
            if last and batches:
                raise self._held(batches)
            if batches:
                self.shop.clock.wait(POLL_SEC)
                waited += POLL_SEC
        return records

    def _may_be_answered(self, batches: list[Batch]) -> bool:
        attempts = self.shop.attempts
        return attempts is None or any(not attempts.is_spent(one.key) for batch in batches for one in batch.questions)

    def _held(self, batches: list[Batch]) -> BudgetStop:
        first, count = batches[0].questions[0].key, sum(len(batch.asked) for batch in batches)
        why = self.shop.attempts.holder(first) if self.shop.attempts else "came and went"
        return BudgetStop(
            f"{count} questions are held by other machines or reached api.max_attempts (the first {why}): run again "
            f"later; if that buyer died, `make spend` shows what was paid and `make release KEY={first}` lets the keys "
            "of its request be bought again."
        )

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """A purchase that leaves its line in the ledger, however it ends; a signal ends it between two requests."""
        with INTERRUPTS.held_back():
            try:
                yield
            except Interrupted as end:
                raise Interrupted(
                    f"{end}: {self.tally.bought} answers were bought and kept in it, nothing is held, and the next run "
                    "goes on there.",
                    end.exit_code - 128,
                ) from None
            finally:
                self._record_run()

    def _claimed(self, batch: Batch) -> AbstractContextManager[None]:
        return claim(self.shop.store.local.root / "claims", batch.snapshots)

    def _demand_facts(self, question: Question) -> None:
        with claim(self.shop.store.local.root / "claims", ["model"]):
            demand_agreement(self.shop.forecaster, question, self.shop.store, self.buyer.buy_facts)

    def _warn_of_other_machines(self) -> None:
        if self.shop.store.remote is not None and self.shop.attempts is None:
            print(
                "Answers are shared on the DVC remote, but the budget is this machine's (api.scope machine): another "
                "machine that buys at the same time may pay for the same questions; api.scope: remote prevents it.",
                file=sys.stderr,
                flush=True,
            )

    def _offline(self, batches: list[Batch]) -> str:
        questions = [question for batch in batches for question in batch.questions]
        first, longer = questions[0], fitting(self.shop.store, further_ahead(questions))
        return (
            f"{len(questions)} of {self.tally.questions} questions have no stored answer (the first: {first.symbol} at "
            f"{first.snapshot_utc:%Y-%m-%d %H:%MZ}) and api.mode offline buys nothing. They would cost {len(batches)} "
            "requests at one per snapshot: see `make plan`, then choose api=online, or narrow requests.first_session "
            f"and requests.last_session. {longer}".rstrip()
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
