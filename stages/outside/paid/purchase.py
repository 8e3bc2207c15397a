"""One purchase: a batch of questions, asked until it is answered or may not be asked again.

The order is what keeps the promises: begin the attempt, hold a seat, send, check the answer, keep it on disk, settle
the seat, share it, end the attempt. A process may die between any two of these; nothing kept is lost, and the ledger
never counts less than was sent.

*Errors*: `BudgetStop` at a limit or when the service gives no answer, `DataContractError` for an answer that cannot be
one, `ConfigurationError` for what the service refuses.
"""

import sys
from functools import cached_property
from typing import Any

from stages.errors import BudgetStop, DataContractError, PipelineError
from stages.forecasting.soundness import complaint
from stages.outside.clock import stamp
from stages.outside.paid.batches import Batch
from stages.outside.paid.independence import difference_of, record_proof
from stages.outside.paid.ledger import Seat
from stages.outside.paid.precautions import remember_refused, room_for
from stages.outside.paid.records import Record, record_of
from stages.outside.paid.seller import Bought, CallFailed, ModelFacts, Seller
from stages.outside.paid.shop import Shop, Tally
from stages.requests.question import Question

LONGEST_WAIT_SEC = 300.0
NOTHING = Batch(())


class Buyer:
    """Sends batches, each request on a seat of its own."""

    def __init__(self, shop: Shop, tally: Tally) -> None:
        self.shop = shop
        self.tally = tally

    @cached_property
    def _seller(self) -> Seller:
        return self.shop.open_seller()

    def buy(self, wanted: Batch) -> dict[str, Record]:
        """The batch's answers, but for questions that another machine is buying."""
        attempt = 1
        while (batch := self._begun(wanted)).asked:
            try:
                return self._sent(batch)
            except CallFailed as failure:
                if attempt >= min(self.shop.api.max_attempts, 1 + failure.again):
                    raise failure.error from None
                if failure.wait_sec > LONGEST_WAIT_SEC:
                    raise BudgetStop(f"the forecast service asks to wait {failure.wait_sec:.0f} s") from None
                self.shop.clock.wait(failure.wait_sec)
                attempt += 1
        return {}

    def buy_facts(self, question: Question) -> ModelFacts:
        """The model's metadata: one request, one attempt, counted like any other."""
        seat = self._reserve("model_params", NOTHING)
        try:
            facts = self._seller.model_facts(question.model, seat)
        except CallFailed as failure:
            self._settle_failed(seat, failure, NOTHING)
            raise failure.error from None
        self.shop.ledger.settle(seat, "answered", {})
        self.tally.calls["answered"] += 1
        return facts

    def prove_independence(self, batch: Batch) -> bool:
        """Ask one question alone (unless its answer is kept), then all in one request, and compare.

        It stands near the middle, with company on both sides, and elsewhere if the order is turned round.
        """
        place = len(batch.asked) // 2 - 1
        chosen = batch.asked[place]
        key = chosen.question.key
        alone = (self.shop.store.get([key]) or self.buy(Batch((chosen,))))[key]
        try:
            seat, bought = self._asked(batch)
        except CallFailed as failure:
            raise failure.error from None
        difference = difference_of(alone.values_bp, bought.values_bp[place])
        independent = record_proof(self.shop.store, chosen.question, difference, key)
        if independent:
            self._kept(batch, bought, seat)
        else:
            self.shop.ledger.settle(seat, "answered", {"why": "kept nothing: the answers depend on their company"})
        return independent

    def _sent(self, batch: Batch) -> dict[str, Record]:
        try:
            seat, bought = self._asked(batch)
        except CallFailed as failure:
            self._end(batch, failure.state)
            raise
        except PipelineError:
            self._end(batch, "refunded")
            raise
        records = self._kept(batch, bought, seat)
        self._end(batch, "answered")
        return records

    def _asked(self, batch: Batch) -> tuple[Seat, Bought]:
        """One request on one seat, while the disk holds room for its answers."""
        with room_for(batch, self.shop.store):
            seat = self._reserve("forecast", batch)
            try:
                bought = self._seller.forecast(batch.asked, seat)
                _demand_sound(batch, bought)
            except CallFailed as failure:
                self._settle_failed(seat, failure, batch)
                raise
        return seat, bought

    def _kept(self, batch: Batch, bought: Bought, seat: Seat) -> dict[str, Record]:
        facts: dict[str, Any] = {
            "sdk": self._seller.sdk,
            "call": f"{seat.day}/{seat.name}",
            "series_in_call": len(batch.asked),
            "company": len(batch.snapshots),
            "input_tokens": bought.input_tokens,
            "paid_utc": stamp(self.shop.clock.now()),
        }
        store = self.shop.store
        answers = zip(batch.questions, bought.values_bp, bought.mean_bp, strict=True)
        kept = store.keep_all(
            [record_of(one, values_bp=v.tolist(), mean_bp=mean.tolist(), **facts) for one, v, mean in answers]
        )
        self.shop.ledger.settle(seat, "answered", {"input_tokens": bought.input_tokens})
        self.tally.bought += len(kept)
        self.tally.calls["answered"] += 1
        return {record.key: store.share(record) for record in kept}

    def _reserve(self, kind: str, batch: Batch) -> Seat:
        seller, questions = self._seller, batch.questions  # a missing key is said before a seat is taken
        return self.shop.ledger.reserve(
            {
                "kind": kind,
                "sdk": seller.sdk,
                "model": self.shop.forecaster.model,
                "snapshots": batch.snapshots,
                "keys": [question.key for question in questions],
                "series": len(questions),
                "rows": sum(question.rows for question in questions),
                "horizon_min": max((question.horizon_min for question in questions), default=0),
                "levels": list(questions[0].levels) if questions else [],
            }
        )

    def _settle_failed(self, seat: Seat, failure: CallFailed, batch: Batch) -> None:
        self.shop.ledger.settle(seat, failure.state, {"why": str(failure.error)})
        self.tally.calls[failure.state] += 1
        local = self.shop.store.local
        try:
            if failure.evidence:
                local.create(f"quarantine/call-{seat.day}-{seat.name}.txt", failure.evidence.encode())
            if failure.never:
                remember_refused(local, batch, str(failure.error))
        except PipelineError as error:  # what happened to the call is said all the same
            print(error, file=sys.stderr, flush=True)

    def _begun(self, batch: Batch) -> Batch:
        """The questions that no other machine is buying; all of them where machines share nothing."""
        attempts = self.shop.attempts
        if attempts is None:
            return batch
        try:
            return Batch(tuple(one for one in batch.asked if attempts.take(one.question.key)))
        except OSError as error:
            raise BudgetStop(f"the claims on the remote do not answer ({error}), so nothing may be sent") from error

    def _end(self, batch: Batch, state: str) -> None:
        attempts = self.shop.attempts
        if attempts is None:
            return
        try:
            for question in batch.questions:
                attempts.settle(question.key, state)
        except OSError as error:
            told = f"claims of {', '.join(batch.snapshots)} stay open on the remote ({error}): see `make release KEY=`."
            print(told, file=sys.stderr, flush=True)


def _demand_sound(batch: Batch, bought: Bought) -> None:
    """All answers of a call or none: nothing unsound ever enters the store."""
    for one, values, mean in zip(batch.questions, bought.values_bp, bought.mean_bp, strict=True):
        if wrong := complaint(values, mean, (len(one.levels), one.horizon_min)):
            error = DataContractError(
                f"the answer for {one.symbol} at {one.snapshot_utc:%Y-%m-%d %H:%MZ} is unsound: {wrong}; it counts as "
                "paid and lies in quarantine/. Run again to ask once more."
            )
            evidence = str({"values_bp": values.tolist(), "mean_bp": mean.tolist()})
            raise CallFailed("unknown", error, evidence=evidence)
